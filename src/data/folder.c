/* The list and the scan of an image folder. */
#include "data/folder.h"

#include "core/file.h"
#include "core/text.h"
#include "core/thread.h"
#include "data/collection.h"
#include "data/labels.h"
#include "data/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { DEEPEST = 16, MOST_CLASSES = 65536 }; /* folders in folders: a link may lead back up */

static strata_status no_memory(const char *folder)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for the list of %s", folder);
}

static const char *below(strata_arena *arena, const char *folder, const char *name)
{
    char *path = NULL;
    if (!*folder) return strata_arena_text(arena, name);
    if (strata_path_join(&path, folder, name) != STRATA_OK) return NULL;
    const char *copy = strata_arena_text(arena, path);
    free(path);
    return copy;
}

/* ---- Types ------------------------------------------------------------------------------ */

/* The ending of a name with its dot, "" without one. */
static const char *ending(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot : "";
}

static bool is_picture(const char *name)
{
    static const char *const endings[] = { ".jpg", ".jpeg", ".png", ".bmp", ".pgm",
                                           ".ppm", ".pnm",  ".tga", ".gif" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending(name), endings[i]) == 0) return true;
    return false;
}

static strata_status add_other(image_list *l, const strata_skipped *what)
{
    if (l->n_other == l->room_other) {
        l->room_other = l->room_other ? 2 * l->room_other : 8;
        strata_skipped *grown = realloc(l->other, l->room_other * sizeof *grown);
        if (!grown) return no_memory(l->folder);
        l->other = grown;
    }
    l->other[l->n_other++] = *what;
    return STRATA_OK;
}

/* Count a file of another type under its ending, whose first file gives it its name. */
static strata_status count_other(image_list *l, const char *name)
{
    for (uint32_t i = 0; i < l->n_other; i++)
        if (strcasecmp(ending(l->other[i].file), ending(name)) == 0) {
            l->other[i].files++;
            return STRATA_OK;
        }
    return add_other(l, &(strata_skipped) { name, NULL, 1 });
}

static strata_status explain_others(image_list *l)
{
    for (uint32_t i = 0; i < l->n_other; i++) {
        strata_skipped *s = &l->other[i];
        strata_text t = { 0 };
        if (s->why) continue;
        if (s->files == 1)
            strata_text_format(&t, "%s is of a type that is not read", s->file);
        else
            strata_text_format(&t, "%u files %s%s are of a type that is not read, the first is %s",
                               (unsigned)s->files, *ending(s->file) ? "*" : "without an ending",
                               ending(s->file), s->file);
        s->why = t.failed ? NULL : strata_arena_text(&l->arena, t.s);
        strata_text_free(&t);
        if (!s->why) return no_memory(l->folder);
    }
    return STRATA_OK;
}

/* ---- The list --------------------------------------------------------------------------- */

static strata_status add_file(image_list *l, const char *path, const char *name)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 1024;
        image_file *grown = l->room < UINT32_MAX / 4 ? realloc(l->file, l->room * sizeof *grown) : NULL;
        if (!grown) return no_memory(l->folder);
        l->file = grown;
    }
    l->file[l->n++] = (image_file) { .path = path, .name = name };
    return STRATA_OK;
}

/* Add what is in l->folder/name, folders in it first to last. */
static strata_status walk(image_list *l, const char *name, uint32_t depth)
{
    const char **entry, *folder = below(&l->arena, l->folder, name);
    uint32_t n;
    if (!folder) return no_memory(l->folder);
    if (depth > DEEPEST)
        return strata_fail(STRATA_FILE, "%s: more than %d folders in folders", folder, DEEPEST);
    STRATA_TRY(collection_names(&entry, &n, &l->arena, folder, ""));
    for (uint32_t i = 0; i < n; i++) {
        const char *path = below(&l->arena, folder, entry[i]), *short_name = below(&l->arena, name, entry[i]);
        if (!path || !short_name) return no_memory(l->folder);
        if (strata_folder_exists(path))
            STRATA_TRY(walk(l, short_name, depth + 1));
        else if (!l->labels || strcmp(path, l->labels) != 0)
            STRATA_TRY(is_picture(entry[i]) ? add_file(l, path, short_name) : count_other(l, short_name));
    }
    return STRATA_OK;
}

/* The class of that name; where it is new it is added if `grow`. */
static strata_status class_of(uint32_t *label, image_list *l, const char *name, bool grow, const char *part)
{
    for (uint32_t k = 0; k < l->classes; k++)
        if (strcmp(l->class_name[k], name) == 0) {
            *label = k;
            return STRATA_OK;
        }
    if (!grow)
        return strata_fail(STRATA_FILE, "%s/%s/%s is a class that the training part does not have", l->folder,
                           part, name);
    if (strchr(name, '\n')) /* weights, and classes.txt, have a name a line */
        return strata_fail(STRATA_FILE,
                           "%s: the name of the class '%.*s..' has a line break: name its folder anew",
                           l->folder, (int)strcspn(name, "\n"), name);
    if (l->classes == MOST_CLASSES)
        return strata_fail(STRATA_FILE, "%s: more than %d classes", l->folder, MOST_CLASSES);
    if ((l->classes & (l->classes - 1)) == 0) { /* full at each power of two */
        const char **grown = realloc(l->class_name, 2 * (l->classes + 1) * sizeof *grown);
        if (!grown) return no_memory(l->folder);
        l->class_name = grown;
    }
    *label = l->classes;
    l->class_name[l->classes++] = name;
    return STRATA_OK;
}

/* Add a part: each folder in it is a class. A folder without pictures is none.
 *   part  "" where the classes lie in the set's folder itself */
static strata_status list_part(image_list *l, const char *part, bool valid)
{
    const char *folder = below(&l->arena, l->folder, part), **entry;
    uint32_t n;
    if (!folder) return no_memory(l->folder);
    STRATA_TRY(collection_names(&entry, &n, &l->arena, folder, ""));
    for (uint32_t i = 0; i < n; i++) {
        const char *path = below(&l->arena, folder, entry[i]), *name = below(&l->arena, part, entry[i]);
        const uint32_t first = l->n;
        uint32_t label = 0;
        if (!path || !name) return no_memory(l->folder);
        if (!strata_folder_exists(path)) {
            STRATA_TRY(count_other(l, name)); /* a picture that is in no class, too */
            continue;
        }
        STRATA_TRY(walk(l, name, 0));
        if (l->n > first) STRATA_TRY(class_of(&label, l, entry[i], !valid, part));
        for (uint32_t k = first; k < l->n; k++) {
            l->file[k].label = label;
            l->file[k].valid = valid;
        }
    }
    return STRATA_OK;
}

/* By what the picture is called alone, so that it stays where it is when others are added: by its path in the
 * set, or in the part that is the whole of it, or by the name of its file. */
static bool drawn_for_validation(const image_file *f, const strata_data_config *config, double share)
{
    static const char part[] = "train/";
    const char *slash = strrchr(f->name, '/'), *key = f->name;
    if (config->valid_by_name)
        key = slash ? slash + 1 : f->name;
    else if (strncmp(key, part, sizeof part - 1) == 0)
        key += sizeof part - 1;
    return ldexp((double)(XXH64(key, strlen(key), config->seed) >> 11), -53) < share;
}

static int by_part(const void *a, const void *b)
{
    const image_file *x = a, *y = b;
    if (x->valid != y->valid) return x->valid ? 1 : -1;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return strcmp(x->name, y->name);
}

static bool has_folder(const char *folder, const char *name)
{
    char *path = NULL;
    const bool found = strata_path_join(&path, folder, name) == STRATA_OK && strata_folder_exists(path);
    free(path);
    return found;
}

bool pictures_found(const char *folder)
{
    strata_arena arena = { 0 };
    const char **entry;
    uint32_t n = 0;
    bool found = false;
    if (collection_names(&entry, &n, &arena, folder, "") == STRATA_OK)
        for (uint32_t i = 0; i < n && !found; i++) found = has_folder(folder, entry[i]);
    strata_arena_free(&arena);
    return found;
}

static const char *const valid_names[] = { "valid", "val", "test", NULL };

/* The folder of the validation part, where there are parts; NULL: none. */
static const char *valid_part(const char *folder)
{
    const char *const *valid = valid_names;
    if (!has_folder(folder, "train")) return NULL;
    while (*valid && !has_folder(folder, *valid)) valid++;
    return *valid;
}

static void draw_parts(image_list *l, const strata_data_config *config)
{
    const double share = config->valid_fraction > 0 ? config->valid_fraction : 0.2;
    l->drawn = true;
    for (uint32_t i = 0; i < l->n && config->valid_fraction >= 0; i++)
        l->file[i].valid = drawn_for_validation(&l->file[i], config, share);
}

/* ---- By folders ------------------------------------------------------------------------- */

static strata_status list_classes(image_list *l, const strata_data_config *config)
{
    const bool parts = has_folder(l->folder, "train");
    const char *valid = valid_part(l->folder);
    STRATA_TRY(list_part(l, parts ? "train" : "", false));
    if (l->n == 0)
        return strata_fail(STRATA_FILE, "%s%s: wanted pictures in a folder for each class, found none",
                           l->folder, parts ? "/train" : "");
    if (valid) return list_part(l, valid, true);
    draw_parts(l, config);
    return STRATA_OK;
}

/* ---- By a CSV ---------------------------------------------------------------------------- */

/* *path: of the arena; NULL: folders are classes. */
static strata_status find_labels(const char **path, strata_arena *arena, const char *folder,
                                 const strata_data_config *config)
{
    static const char *const names[] = { "labels.csv", "train.csv" };
    const char *given = config->labels ? config->labels : "";
    *path = NULL;
    if (strcmp(given, "none") == 0) return STRATA_OK;
    for (size_t i = 0; !*path && i < (*given ? 1 : sizeof names / sizeof *names); i++) {
        *path = *given ? strata_arena_text(arena, given) : below(arena, folder, names[i]);
        if (!*path) return no_memory(folder);
        if (!*given && (!strata_path_exists(*path) || strata_folder_exists(*path))) *path = NULL;
    }
    return STRATA_OK;
}

bool labels_found(const char *folder, const strata_data_config *config)
{
    strata_arena arena = { 0 };
    const char *path = NULL;
    find_labels(&path, &arena, folder, config);
    const bool found = path != NULL;
    strata_arena_free(&arena);
    return found;
}

static bool lies_in(const image_file *f, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(f->name, folder, length) == 0 && f->name[length] == '/';
}

/* Parts are by the table's column, else by folders where labelled pictures lie in both, else drawn. */
static void part_labelled(image_list *l, const label_table *t, const strata_data_config *config)
{
    const char *valid = valid_part(l->folder);
    uint32_t n[2] = { 0, 0 };
    if (t->parts) return;
    for (uint32_t i = 0; valid && i < l->n; i++) n[lies_in(&l->file[i], valid)]++;
    if (!n[0] || !n[1]) {
        draw_parts(l, config);
        return;
    }
    for (uint32_t i = 0; i < l->n; i++) l->file[i].valid = lies_in(&l->file[i], valid);
}

static strata_status list_labelled(image_list *l, const strata_data_config *config)
{
    label_table t;
    strata_status status = label_table_read(&t, l->labels);
    if (status == STRATA_OK) status = walk(l, "", 0);
    if (status == STRATA_OK) status = label_table_apply(&t, l);
    if (status == STRATA_OK) part_labelled(l, &t, config);
    label_table_free(&t);
    if (status == STRATA_FILE && !(config->labels && *config->labels))
        status = strata_fail(status, "%s; with --labels none folders are classes", strata_message());
    return status;
}

strata_status image_list_leave_out(image_list *l, const char *first, uint32_t files, const char *path)
{
    strata_text t = { 0 };
    if (files == 1)
        strata_text_format(&t, "%s has no line in %s", first, path);
    else
        strata_text_format(&t, "%u pictures have no line in %s, the first is %s", (unsigned)files, path,
                           first);
    const char *why = t.failed ? NULL : strata_arena_text(&l->arena, t.s);
    strata_text_free(&t);
    return why ? add_other(l, &(strata_skipped) { first, why, files }) : no_memory(l->folder);
}

strata_status image_list_make(image_list *l, const char *folder, const strata_data_config *config)
{
    *l = (image_list) { .folder = folder };
    STRATA_TRY(find_labels(&l->labels, &l->arena, folder, config));
    STRATA_TRY(l->labels ? list_labelled(l, config) : list_classes(l, config));
    qsort(l->file, l->n, sizeof *l->file, by_part);
    return explain_others(l);
}

void image_list_free(image_list *l)
{
    free(l->file);
    free(l->class_name);
    free(l->other);
    strata_arena_free(&l->arena);
    *l = (image_list) { 0 };
}

/* ---- The scan --------------------------------------------------------------------------- */

typedef struct each {
    image_list *list;
    strata_status (*work)(void *context, uint32_t i);
    void *context;
    image_outcome *outcome; /* [n] */
} each;

static void each_one(void *context, uint32_t i)
{
    each *e = context;
    if (e->list->file[i].why) return;
    e->outcome[i].status = e->work(e->context, i);
    if (e->outcome[i].status != STRATA_OK) e->outcome[i].why = strdup(strata_message());
}

strata_status image_list_each(image_list *l, uint32_t threads,
                              strata_status (*work)(void *context, uint32_t i), void *context)
{
    each e = { l, work, context, calloc(l->n, sizeof *e.outcome) };
    strata_status status = e.outcome ? STRATA_OK : no_memory(l->folder);
    if (threads == 0) threads = strata_threads() > 1 ? strata_threads() - 1 : 1;
    if (e.outcome) strata_thread_for_on(threads, l->n, each_one, &e);
    for (uint32_t i = 0; e.outcome && i < l->n; i++) {
        const image_outcome *o = &e.outcome[i];
        if (o->status != STRATA_OK) {
            l->file[i].why = o->why ? strata_arena_text(&l->arena, o->why) : NULL;
            if (o->status == STRATA_NO_MEMORY || !l->file[i].why) status = no_memory(l->folder);
        }
        free(o->why);
    }
    free(e.outcome);
    return status;
}

typedef struct scan {
    image_list *list;
    uint64_t max_pixels;
} scan;

static strata_status scan_one(void *context, uint32_t i)
{
    const scan *s = context;
    image_file *f = &s->list->file[i];
    char *bytes;
    size_t n;
    strata_picture shape;
    STRATA_TRY(strata_file_read(&bytes, &n, f->path));
    f->bytes = n;
    f->hash = XXH64(bytes, n, 0);
    strata_status status = strata_picture_look(&shape, bytes, n, f->name);
    free(bytes);
    STRATA_TRY(status);
    f->h = shape.h;
    f->w = shape.w;
    f->c = shape.c;
    f->seen = (uint64_t)shape.h * shape.w <= s->max_pixels;
    if (f->seen) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s: %u x %u pixels are more than the %llu that are read", f->name,
                       (unsigned)shape.w, (unsigned)shape.h, (unsigned long long)s->max_pixels);
}

strata_status image_list_scan(image_list *l, const strata_data_config *config)
{
    scan s = { l, config->max_pixels ? config->max_pixels : 25000000 };
    return image_list_each(l, config->threads, scan_one, &s);
}
