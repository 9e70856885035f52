/* Colour emoji by Unicode group, of two vendors: Debian's ruby-tanuki-emoji (Noto Emoji, 72 px, and Unicode's
 * emoji-test.txt, which says what is of which group) and ruby-gemojione (EmojiOne, 64 px).
 *
 * Both vendors draw an emoji alike, and a woman, a man and a person that do one thing alike: what shares its
 * first code point is of one part. */
#include "data/collection.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum { GROUPS = 9, KEY = 96 };

#define GEMS      "/usr/share/rubygems-integration/all/gems"
#define TEST_FILE "vendor/unicode/emoji-test.txt"

static const char *const class_names[GROUPS] = { "activities",      "animals-nature", "flags",
                                                 "food-drink",      "objects",        "people-body",
                                                 "smileys-emotion", "symbols",        "travel-places" };
static const char *const group_names[GROUPS] = { "Activities",        "Animals & Nature", "Flags",
                                                 "Food & Drink",      "Objects",          "People & Body",
                                                 "Smileys & Emotion", "Symbols",          "Travel & Places" };

typedef struct vendor {
    const char *name, *package, *gem, *pictures, *prefix; /* prefix of a picture's name */
} vendor;

static const vendor vendors[] = {
    { "tanuki", "ruby-tanuki-emoji", "tanuki_emoji-", "app/assets/images/tanuki_emoji", "emoji_u" },
    { "gemojione", "ruby-gemojione", "gemojione-", "assets/png", "" },
};
enum { VENDORS = sizeof vendors / sizeof *vendors };

/* ---- Keys: "1F468-1F3FB-2695", without what only chooses or joins (FE0F, 200D) ---------------------- */

static void add_point(char *key, const char *digits, size_t n)
{
    const size_t length = strlen(key);
    if ((n == 4 && (strncmp(digits, "FE0F", 4) == 0 || strncmp(digits, "fe0f", 4) == 0 ||
                    strncmp(digits, "200D", 4) == 0 || strncmp(digits, "200d", 4) == 0)))
        return;
    snprintf(key + length, KEY - length, "%s%s%.*s", length ? "-" : "", n < 4 ? &"0000"[n] : "", (int)n,
             digits);
    for (char *s = key + length; *s; s++) *s = (char)toupper((unsigned char)*s);
}

/* Code points in hexadecimal, with one of `between` after each.  False: it is none. */
static bool key_of(char key[KEY], const char *text, size_t n, const char *between)
{
    *key = '\0';
    for (size_t i = 0; i < n;) {
        size_t digits = 0;
        while (i + digits < n && isxdigit((unsigned char)text[i + digits])) digits++;
        if (digits < 2 || digits > 6 || (i + digits < n && !strchr(between, text[i + digits]))) return false;
        add_point(key, text + i, digits);
        i += digits + 1;
    }
    return *key != '\0';
}

/* Tanuki's flags are called after countries: "CH" is two regional indicators. */
static bool flag_key(char key[KEY], const char *stem, size_t n)
{
    if (n != 2 || !isupper((unsigned char)stem[0]) || !isupper((unsigned char)stem[1])) return false;
    snprintf(key, KEY, "%X-%X", 0x1F1E6u + (unsigned)(stem[0] - 'A'), 0x1F1E6u + (unsigned)(stem[1] - 'A'));
    return true;
}

static bool picture_key(char key[KEY], const vendor *v, const char *stem)
{
    const size_t n = strlen(stem), prefix = strlen(v->prefix);
    if (prefix && flag_key(key, stem, n)) return true;
    return strncmp(stem, v->prefix, prefix) == 0 && key_of(key, stem + prefix, n - prefix, "-_");
}

static bool has_skin_tone(const char *key)
{
    const char *at = strstr(key, "1F3F");
    return at && at != key && at[4] >= 'B' && at[4] <= 'F'; /* a tone alone is an emoji of its own */
}

/* What must not be in both parts: the first code point; of a flag, whose first countries share, both. */
static void part_key(char out[KEY], const char *key)
{
    const bool flag = strncmp(key, "1F1", 3) == 0 && key[3] >= 'E';
    snprintf(out, KEY, "%.*s", flag ? 11 : (int)strcspn(key, "-"), key);
}

/* ---- Which group ----------------------------------------------------------------------------------- */

typedef struct emoji {
    char key[KEY];
    uint32_t group;
} emoji;

typedef struct emoji_table {
    emoji *row;
    size_t n, room;
} emoji_table;

static int by_key(const void *a, const void *b)
{
    return strcmp(((const emoji *)a)->key, ((const emoji *)b)->key);
}

static uint32_t group_of(const char *line)
{
    for (uint32_t g = 0; g < GROUPS; g++)
        if (strncmp(line, group_names[g], strlen(group_names[g])) == 0) return g;
    return GROUPS; /* Component */
}

static strata_status add_row(emoji_table *t, const char *line, uint32_t group)
{
    char key[KEY];
    size_t n = strcspn(line, ";");
    while (n > 0 && line[n - 1] == ' ') n--;
    if (group == GROUPS || !key_of(key, line, n, " ")) return STRATA_OK;
    if (t->n == t->room) {
        const size_t room = t->room ? 2 * t->room : 1024;
        emoji *grown = realloc(t->row, room * sizeof *grown);
        if (!grown) return strata_fail(STRATA_NO_MEMORY, "no memory for the emoji");
        t->row = grown;
        t->room = room;
    }
    strcpy(t->row[t->n].key, key);
    t->row[t->n++].group = group;
    return STRATA_OK;
}

static strata_status read_table(emoji_table *t, const char *folder)
{
    static const char heading[] = "# group: ";
    char *path = NULL, *text = NULL;
    uint32_t group = GROUPS;
    strata_status status = strata_path_join(&path, folder, TEST_FILE);
    if (status == STRATA_OK) status = strata_file_read(&text, NULL, path);
    for (const char *s = text; status == STRATA_OK && s && *s; s += strcspn(s, "\n"), s += *s == '\n') {
        if (strncmp(s, heading, sizeof heading - 1) == 0)
            group = group_of(s + sizeof heading - 1);
        else if (*s != '#' && *s != '\n')
            status = add_row(t, s, group);
    }
    if (status == STRATA_OK && t->n == 0)
        status = strata_fail(STRATA_FILE, "%s: wanted Unicode's list of emoji and their groups, came none",
                             path);
    if (t->n) qsort(t->row, t->n, sizeof *t->row, by_key);
    free(path);
    free(text);
    return status;
}

static const emoji *look_up(const emoji_table *t, const char *key)
{
    emoji wanted = { .group = 0 };
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    return t->n ? bsearch(&wanted, t->row, t->n, sizeof *t->row, by_key) : NULL;
}

/* ---- The vendors' folders --------------------------------------------------------------------------- */

typedef struct sources {
    strata_arena arena;
    const char *folder[VENDORS];
} sources;

static bool holds(const char *folder, const char *below)
{
    char *path;
    if (strata_path_join(&path, folder, below) != STRATA_OK) return false;
    const bool is = strata_folder_exists(path);
    free(path);
    return is;
}

/* The newest of a package's folders where Debian puts them. */
static strata_status find_installed(sources *s)
{
    const char **name;
    uint32_t n;
    char path[4096];
    if (!strata_folder_exists(GEMS)) return STRATA_OK;
    STRATA_TRY(collection_names(&name, &n, &s->arena, GEMS, ""));
    for (uint32_t i = 0; i < n; i++)
        for (int v = 0; v < VENDORS; v++) {
            snprintf(path, sizeof path, "%s/%s", GEMS, name[i]);
            if (strncmp(name[i], vendors[v].gem, strlen(vendors[v].gem)) != 0 ||
                !holds(path, vendors[v].pictures))
                continue;
            s->folder[v] = strata_arena_text(&s->arena, path);
            if (!s->folder[v]) return strata_fail(STRATA_NO_MEMORY, "no memory for %s", path);
        }
    return STRATA_OK;
}

static strata_status find_sources(sources *s, const strata_make_config *config)
{
    if (!config->n_from) STRATA_TRY(find_installed(s));
    for (uint32_t i = 0; i < config->n_from; i++) {
        bool taken = false;
        for (int v = 0; v < VENDORS; v++)
            if (holds(config->from[i], vendors[v].pictures)) s->folder[v] = config->from[i], taken = true;
        if (!taken)
            return strata_fail(STRATA_FILE, "%s holds neither %s nor %s: wanted the folder of a gem",
                               config->from[i], vendors[0].pictures, vendors[1].pictures);
    }
    if (s->folder[0] && (s->folder[1] || config->n_from)) return STRATA_OK;
    return strata_fail(
        STRATA_FILE,
        "the emoji of %s%s%s are not there: apt install ruby-tanuki-emoji ruby-gemojione, or unpack "
        "these packages (dpkg -x) and name their folders in .%s%s",
        s->folder[0] ? "" : vendors[0].package, s->folder[0] || s->folder[1] ? "" : " and ",
        s->folder[1] ? "" : vendors[1].package, GEMS,
        s->folder[1] ? "; the groups stand in tanuki_emoji's " TEST_FILE : "");
}

/* ---- Pictures --------------------------------------------------------------------------------------- */

typedef struct counts {
    uint32_t taken, tones, unknown;
    char example[64];
} counts;

static strata_status add_picture(collection *c, const strata_make_config *config, const emoji *e,
                                 const char *path, const char *vendor_name)
{
    char part[KEY], name[2 * KEY];
    strata_picture picture;
    part_key(part, e->key);
    snprintf(name, sizeof name, "%s-%s", e->key, vendor_name);
    STRATA_TRY(strata_picture_read(&picture, path));
    const collection_image image = { name, e->group, collection_is_valid(config, part) };
    strata_status status = collection_add(c, &picture, &image);
    strata_picture_free(&picture);
    return status;
}

/* The pictures of a vendor; of an emoji's spellings the first. */
static strata_status add_vendor(collection *c, const strata_make_config *config, const emoji_table *t,
                                const vendor *v, const char *folder, counts *n)
{
    strata_status status = STRATA_OK;
    strata_arena arena = { 0 };
    const char **file;
    uint32_t files;
    char *pictures = NULL, path[4096], stem[300], key[KEY];
    bool *seen = calloc(t->n, sizeof *seen);
    if (!seen) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for the emoji"));
    STRATA_GO(strata_path_join(&pictures, folder, v->pictures));
    STRATA_GO(collection_names(&file, &files, &arena, pictures, ".png"));
    for (uint32_t i = 0; i < files; i++) {
        snprintf(stem, sizeof stem, "%.*s", (int)strlen(file[i]) - 4, file[i]);
        const emoji *e = picture_key(key, v, stem) ? look_up(t, key) : NULL;
        const bool tone = e ? has_skin_tone(key) : false;
        if (!e && !n->unknown++) snprintf(n->example, sizeof n->example, "%s", file[i]);
        if (tone) n->tones++;
        if (!e || seen[e - t->row] || (tone && !config->skin_tones)) continue;
        seen[e - t->row] = true;
        snprintf(path, sizeof path, "%s/%s", pictures, file[i]);
        STRATA_GO(add_picture(c, config, e, path, v->name));
        n->taken++;
    }
done:
    free(seen);
    free(pictures);
    strata_arena_free(&arena);
    return status;
}

strata_status strata_make_emoji(const strata_make_config *config, const strata_make_observer *observer)
{
    strata_status status;
    collection c = { 0 };
    sources s = { 0 };
    emoji_table table = { 0 };
    STRATA_GO(collection_begin(&c, config, 64));
    c.c = 3;
    c.classes = GROUPS;
    c.class_name = class_names;
    STRATA_GO(find_sources(&s, config));
    STRATA_GO(read_table(&table, s.folder[0]));
    for (int v = 0; v < VENDORS; v++) {
        counts n = { 0 };
        if (!s.folder[v]) continue;
        STRATA_GO(add_vendor(&c, config, &table, &vendors[v], s.folder[v], &n));
        collection_note(observer, "%s: %u emoji; %u with skin tones %s", vendors[v].name, (unsigned)n.taken,
                        (unsigned)n.tones, config->skin_tones ? "among them" : "left out");
        if (n.unknown)
            collection_note(observer, "%s: %u %s of no emoji in %s, the first %s", vendors[v].name,
                            (unsigned)n.unknown, strata_noun(n.unknown, "file is", "files are"), TEST_FILE,
                            n.example);
    }
    STRATA_GO(collection_write(&c, config, observer));
done:
    free(table.row);
    strata_arena_free(&s.arena);
    collection_free(&c);
    return status;
}
