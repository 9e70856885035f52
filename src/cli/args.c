#include "cli/args.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "strata/file.h"
#include "strata/weights.h"

enum { NAMES = 128 }; /* most option names of one command */

const cli_option cli_common_options[] = {
    { 0, "color", "WHEN", "auto (on terminals, unless NO_COLOR is set), always or never" },
    { 'h', "help", NULL, "this text" },
    { 'V', "version", NULL, "the version" },
    { 0, NULL, NULL, NULL },
};

/* ---- Messages ---------------------------------------------------------------------------------- */

static char message[4096];

strata_status cli_fail(strata_status status, const char *format, ...)
{
    char text[sizeof message];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    memcpy(message, text, sizeof message);
    return status;
}

const char *cli_message(void)
{
    static char taken[sizeof message];
    memcpy(taken, message, sizeof taken);
    *message = '\0';
    return *taken ? taken : strata_message();
}

/* ---- What there is ------------------------------------------------------------------------------- */

/* How an option was written: "--" and its key, or "-" and its letter. */
typedef struct spelling {
    const char *dash, *name;
    size_t length; /* of the name */
} spelling;

static bool is_letter(const spelling *s) { return !s->dash[1]; }

static const cli_option *find_in(const cli_option *list, const spelling *s)
{
    for (; list->key; list++)
        if (is_letter(s) ? list->letter == *s->name
                         : strlen(list->key) == s->length && strncmp(list->key, s->name, s->length) == 0)
            return list;
    return NULL;
}

static const cli_option *find_own(const cli_command *c, const spelling *s)
{
    const cli_option *o = find_in(c->options, s);
    return o ? o : find_in(cli_common_options, s);
}

bool cli_takes_key(const cli_command *c, const char *key)
{
    const size_t n = strlen(key);
    if (strcmp(c->keys, "*") == 0) return true;
    for (const char *s = c->keys; *s; s += strcspn(s, " "), s += strspn(s, " "))
        if (strcspn(s, " ") == n && strncmp(s, key, n) == 0) return true;
    return false;
}

/* The recipe's option of this key [length], if the command takes it; lr-groups is a second name of lr. */
static const strata_option *find_key(const cli_command *c, const char *key, size_t length)
{
    uint32_t n;
    const strata_option *list = strata_options(&n);
    if (length == strlen("lr-groups") && strncmp(key, "lr-groups", length) == 0) length = strlen("lr");
    for (uint32_t i = 0; i < n; i++)
        if (strlen(list[i].key) == length && strncmp(list[i].key, key, length) == 0)
            return cli_takes_key(c, list[i].key) ? &list[i] : NULL;
    return NULL;
}

static strata_status unknown(const cli_command *c, const spelling *s)
{
    const char *names[NAMES];
    char wanted[NAMES];
    uint32_t n = 0, n_keys;
    const strata_option *keys = strata_options(&n_keys);
    for (const cli_option *o = c->options; o->key && n < NAMES; o++) names[n++] = o->key;
    for (const cli_option *o = cli_common_options; o->key && n < NAMES; o++) names[n++] = o->key;
    for (uint32_t i = 0; i < n_keys && n < NAMES; i++)
        if (cli_takes_key(c, keys[i].key)) names[n++] = keys[i].key;
    snprintf(wanted, sizeof wanted, "%.*s", (int)s->length, s->name);
    const char *near = strata_nearest(wanted, names, n);
    return cli_fail(STRATA_BAD_ARG, "strata %s has no option '%s%s'%s%s%s; strata %s --help lists them",
                    c->name, s->dash, wanted, near ? "; did you mean '--" : "", near ? near : "",
                    near ? "'?" : "", c->name);
}

/* ---- Taking ---------------------------------------------------------------------------------------- */

static void keep_own(cli_arguments *a, const cli_option *o, const char *value)
{
    a->own[a->n_own++] = (cli_given) { o->key, value };
}

/* One "key=value" of --set or of a word alone; `text` holds the '='. */
static strata_status take_pair(cli_arguments *a, const char *text)
{
    const spelling s = { "--", text, strcspn(text, "=") };
    const strata_option *key = find_key(a->command, text, s.length);
    if (!key) return unknown(a->command, &s);
    a->recipe_key[a->n_recipe_keys++] = (cli_given) { key->key, text + s.length + 1 };
    return STRATA_OK;
}

/* An option whose value may be attached ("=value" or the rest of -sVALUE) or be the next argument.
 *   *i  its place, moved on if the next one is taken */
static strata_status take_option(cli_arguments *a, int *i, const spelling *s, const char *attached)
{
    const cli_option *own = find_own(a->command, s);
    const strata_option *key = own || is_letter(s) ? NULL : find_key(a->command, s->name, s->length);
    if (!own && !key) return unknown(a->command, s);
    const char *wants = own ? own->value : key->value, *value = attached;
    if (!wants && attached && own)
        return cli_fail(STRATA_BAD_ARG, "%s%.*s takes no value, got '%s'", s->dash, (int)s->length, s->name,
                        attached);
    if (wants && !attached) {
        if (*i + 1 >= a->argc)
            return cli_fail(STRATA_BAD_ARG, "%s%.*s wants a value: %s", s->dash, (int)s->length, s->name,
                            wants);
        value = a->argv[++*i];
    }
    if (own && strcmp(own->key, "set") == 0) {
        if (!strchr(value, '=')) return cli_fail(STRATA_BAD_ARG, "--set wants key=value, got '%s'", value);
        return take_pair(a, value);
    }
    if (own)
        keep_own(a, own, value ? value : "");
    else
        a->recipe_key[a->n_recipe_keys++] = (cli_given) { key->key, value ? value : "true" };
    return STRATA_OK;
}

/* -q, -qh, -kVALUE, -k VALUE */
static strata_status take_letters(cli_arguments *a, int *i)
{
    spelling s = { "-", a->argv[*i] + 1, 1 };
    for (; *s.name; s.name++) {
        const cli_option *o = find_own(a->command, &s);
        if (!o) return unknown(a->command, &s);
        if (o->value) return take_option(a, i, &s, s.name[1] ? s.name + 1 : NULL);
        keep_own(a, o, "");
    }
    return STRATA_OK;
}

/* A word like epochs=5 sets a key where the command takes keys, unless a file has that name. */
static bool is_pair(const cli_arguments *a, const char *word)
{
    const size_t length = strcspn(word, "=");
    if (!word[length] || length == 0 || strcmp(a->command->keys, "*") != 0) return false;
    for (size_t i = 0; i < length; i++)
        if (!islower((unsigned char)word[i]) && word[i] != '-') return false;
    return access(word, F_OK) != 0;
}

static strata_status take_all(cli_arguments *a)
{
    bool options = true;
    for (int i = 0; i < a->argc; i++) {
        const char *s = a->argv[i];
        if (options && strcmp(s, "--") == 0) {
            options = false;
        } else if (options && strncmp(s, "--", 2) == 0) {
            const spelling key = { "--", s + 2, strcspn(s + 2, "=") };
            STRATA_TRY(take_option(a, &i, &key, s[2 + key.length] ? s + 3 + key.length : NULL));
        } else if (options && s[0] == '-' && s[1]) {
            STRATA_TRY(take_letters(a, &i));
        } else if (options && is_pair(a, s)) {
            STRATA_TRY(take_pair(a, s));
        } else {
            a->word[a->n_words++] = s;
        }
    }
    return STRATA_OK;
}

static strata_status count_words(const cli_arguments *a)
{
    const cli_command *c = a->command;
    for (uint32_t i = 0; i < a->n_words; i++)
        if (!*a->word[i])
            return cli_fail(STRATA_BAD_ARG, "strata %s: word %u is empty; usage: strata %s %s", c->name,
                            (unsigned)i + 1, c->name, c->synopsis);
    if (a->n_words > c->most)
        return cli_fail(STRATA_BAD_ARG, "strata %s: '%s' is one word too many; usage: strata %s %s", c->name,
                        a->word[c->most], c->name, c->synopsis);
    if (a->n_words < c->least)
        return cli_fail(STRATA_BAD_ARG, "strata %s wants more words; usage: strata %s %s", c->name, c->name,
                        c->synopsis);
    return STRATA_OK;
}

/* ---- The recipe -------------------------------------------------------------------------------------- */

static strata_status make_recipe(cli_arguments *a)
{
    const char *file = cli_option_given(a, "recipe"), *device = getenv("STRATA_DEVICE");
    struct stat info;
    STRATA_TRY(strata_recipe_open(&a->recipe));
    if (file && stat(file, &info) == 0 && S_ISDIR(info.st_mode))
        return cli_fail(STRATA_FILE, "--recipe %s is a folder: wanted a file; a run has %s/recipe.yaml", file,
                        file);
    if (file) STRATA_TRY(strata_recipe_load(a->recipe, file));
    if (device && *device && cli_takes_key(a->command, "device"))
        STRATA_TRY(strata_recipe_set(a->recipe, "device", device));
    for (uint32_t i = 0; i < a->n_recipe_keys; i++)
        STRATA_TRY(strata_recipe_set(a->recipe, a->recipe_key[i].key, a->recipe_key[i].value));
    return STRATA_OK;
}

static bool asks_for_text(const cli_arguments *a)
{
    return cli_option_given(a, "help") || cli_option_given(a, "version");
}

strata_status cli_arguments_take(cli_arguments *a, const cli_command *command, int argc, char **argv)
{
    size_t most = 1; /* every letter may be an option */
    for (int i = 0; i < argc; i++) most += strlen(argv[i]) + 1;
    *a = (cli_arguments) { .command = command, .argc = argc, .argv = argv };
    a->word = calloc((size_t)argc + 1, sizeof *a->word);
    a->own = calloc(most, sizeof *a->own);
    a->recipe_key = calloc((size_t)argc + 1, sizeof *a->recipe_key);
    if (!a->word || !a->own || !a->recipe_key)
        return cli_fail(STRATA_NO_MEMORY, "no memory for the command line");
    strata_status status = take_all(a);
    if (asks_for_text(a)) return STRATA_OK;
    if (status == STRATA_OK && *command->keys) status = make_recipe(a);
    return status == STRATA_OK ? count_words(a) : status;
}

void cli_arguments_free(cli_arguments *a)
{
    free(a->word);
    free(a->own);
    free(a->recipe_key);
    strata_recipe_close(a->recipe);
    *a = (cli_arguments) { 0 };
}

const char *cli_option_given(const cli_arguments *a, const char *key)
{
    for (uint32_t i = a->n_own; i > 0; i--)
        if (strcmp(a->own[i - 1].key, key) == 0) return a->own[i - 1].value;
    return NULL;
}

strata_status cli_number(uint32_t *out, const cli_arguments *a, const char *key, uint32_t fallback,
                         uint32_t high)
{
    const char *text = cli_option_given(a, key);
    char *end = NULL;
    *out = fallback;
    if (!text) return STRATA_OK;
    const unsigned long v = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || v < 1 || v > high)
        return cli_fail(STRATA_BAD_ARG, "--%s wants a whole number in [1, %u], got '%s'", key, (unsigned)high,
                        text);
    *out = (uint32_t)v;
    return STRATA_OK;
}

strata_status cli_picture_path(const char **out, const cli_arguments *a, const char *key)
{
    static const char ending[] = ".png";
    const char *path = cli_option_given(a, key);
    const size_t n = path ? strlen(path) : 0, k = sizeof ending - 1;
    *out = path;
    if (!path) return STRATA_OK;
    if (n <= k || strcasecmp(path + n - k, ending) != 0)
        return cli_fail(STRATA_BAD_ARG,
                        "--%s wants a name that ends in .png, which is what is written, got '%s'", key, path);
    return strata_file_check(path);
}

strata_status cli_weights_path(char **path, const char *word)
{
    STRATA_TRY(strata_weights_path(path, word));
    if (strcmp(*path, word) != 0) cli_note("%s is a run: its weights are %s", word, *path);
    return STRATA_OK;
}
