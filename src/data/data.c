/* Opening a data set: which reader, and what all of them have in common: labels, class names, mean and
 * deviation, fingerprint. */
#define _XOPEN_SOURCE 700 /* realpath, strdup */
#include "core/file.h"
#include "data/folder.h"
#include "data/pixel_cache.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define ACCEPTED                                                                                             \
    "builtin:digits, or a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, "                    \
    "t10k-images-idx3-ubyte "                                                                                \
    "and t10k-labels-idx1-ubyte (each may be gzipped, .gz), or with data_batch_1.bin .. data_batch_5.bin "   \
    "and "                                                                                                   \
    "test_batch.bin (CIFAR-10), or with pictures in train/CLASS and valid/CLASS, or in CLASS alone, or "     \
    "with "                                                                                                  \
    "labels.csv and the pictures it names"

/* Fashion-MNIST's own class list, and its fingerprint: the folder may be called anything. */
static const char fashion_names[] =
    "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot\n";
static const uint64_t fashion_contents = 0x1a9a36a6514c9570u;

/* ---- What the readers fill ---------------------------------------------------------- */

strata_status data_reserve(strata_data *data, int part, const strata_image_set *shape)
{
    strata_image_set *set = part ? &data->valid : &data->train;
    const size_t bytes = (size_t)shape->n * shape->h * shape->w * shape->c;
    data->owned.pixels[part] = malloc(bytes + 1); /* a set may be empty */
    data->owned.labels[part] = malloc((shape->n + 1) * sizeof(int32_t));
    if (!data->owned.pixels[part] || !data->owned.labels[part])
        return strata_fail(STRATA_NO_MEMORY, "no memory for %u images of %ux%ux%u: %zu bytes wanted",
                           shape->n, shape->h, shape->w, shape->c, bytes);
    set->n = shape->n;
    set->h = shape->h;
    set->w = shape->w;
    set->c = shape->c;
    set->pixels = data->owned.pixels[part];
    set->labels = data->owned.labels[part];
    return STRATA_OK;
}

strata_status data_store_labels(strata_data *data, int part, size_t first, const uint8_t *labels, size_t n,
                                const char *path)
{
    const uint32_t classes = data->train.classes;
    for (size_t i = 0; i < n; i++) {
        if (labels[i] >= classes)
            return strata_fail(STRATA_FILE, "%s: image %zu has label %u; there %s %u %s: wanted 0 to %u",
                               path, first + i, labels[i], strata_noun(classes, "is", "are"), classes,
                               strata_noun(classes, "class", "classes"), classes - 1);
        data->owned.labels[part][first + i] = labels[i];
    }
    return STRATA_OK;
}

/* The length of the line at `s`, without its end and the blanks before that. */
static size_t line_length(const char *s)
{
    size_t length = strcspn(s, "\n");
    while (length > 0 && isspace((unsigned char)s[length - 1])) length--;
    return length;
}

/* Count the lines up to the last that is not blank. */
static size_t count_names(const char *text)
{
    size_t n = 0, line = 0;
    for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        line++;
        if (line_length(s) > 0) n = line;
    }
    return n;
}

strata_status data_name_classes(strata_data *data, const char *text, const char *path)
{
    const size_t n = count_names(text);
    if (n < 1 || n > 256)
        return strata_fail(STRATA_FILE, "%s: wanted 1 to 256 class names, one a line, came %zu", path, n);
    const char **names = malloc(n * sizeof *names + strlen(text) +
                                1); /* the copied text lies behind the table */
    if (!names) return strata_fail(STRATA_NO_MEMORY, "no memory for %zu class names of %s", n, path);
    char *copy = (char *)(names + n);
    strcpy(copy, text);
    for (size_t i = 0; i < n; i++) {
        const size_t whole = strcspn(copy, "\n"), length = line_length(copy);
        if (length == 0) {
            free(names);
            return strata_fail(STRATA_FILE, "%s: line %zu is empty: wanted the name of class %zu", path,
                               i + 1, i);
        }
        char *next = copy + whole + (copy[whole] == '\n');
        copy[length] = '\0';
        names[i] = copy;
        copy = next;
    }
    free(data->owned.class_names);
    data->owned.class_names = names;
    data->train.class_names = data->valid.class_names = names;
    data->train.classes = data->valid.classes = (uint32_t)n;
    return STRATA_OK;
}

strata_status data_read_classes(strata_data *data, const char *folder, const char *name, bool *found)
{
    strata_status status = STRATA_OK;
    char *path = NULL, *text = NULL;
    size_t n = 0;
    STRATA_GO(strata_path_join(&path, folder, name));
    *found = strata_path_exists(path);
    if (!*found) goto done;
    STRATA_GO(strata_file_read(&text, &n, path));
    if (strlen(text) != n) STRATA_GO(strata_fail(STRATA_FILE, "%s: wanted text, came a zero byte", path));
    STRATA_GO(data_name_classes(data, text, path));
done:
    free(text);
    free(path);
    return status;
}

/* ---- What is measured --------------------------------------------------------------- */

/* Mean and deviation of each channel of train, exact: sums of whole numbers up to the last step. */
static void measure(strata_data *data)
{
    const strata_image_set *set = &data->train;
    const size_t n = (size_t)set->n * set->h * set->w;
    for (uint32_t c = 0; c < 4; c++) {
        data->mean[c] = 0;
        data->std[c] = 1;
        if (c >= set->c) continue;
        uint64_t count[256] = { 0 }, sum = 0, squares = 0;
        bool constant = false;
        for (size_t i = 0; i < n; i++) count[set->pixels[i * set->c + c]]++;
        for (uint64_t value = 0; value < 256; value++) {
            constant = constant || count[value] == n;
            sum += count[value] * value;
            squares += count[value] * value * value;
        }
        const double mean = (double)sum / (double)n, scale = (double)data->scale;
        data->mean[c] = (float)(mean / scale);
        if (!constant) data->std[c] = (float)(sqrt((double)squares / (double)n - mean * mean) / scale);
    }
}

static uint64_t contents(const strata_data *data)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    for (int part = 0; part < 2; part++) {
        const strata_image_set *set = part ? &data->valid : &data->train;
        const uint32_t shape[5] = { set->n, set->h, set->w, set->c, set->classes };
        XXH64_update(&state, shape, sizeof shape);
        XXH64_update(&state, set->pixels, (size_t)set->n * set->h * set->w * set->c);
        if (set->targets)
            XXH64_update(&state, set->targets, (size_t)set->n * set->classes);
        else
            XXH64_update(&state, set->labels, set->n * sizeof *set->labels);
    }
    return XXH64_digest(&state);
}

static uint64_t fingerprint(const strata_data *data)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, &data->contents, sizeof data->contents);
    for (uint32_t k = 0; k < data->train.classes; k++) /* each with its end: "a" "bc" is not "ab" "c" */
        XXH64_update(&state, data->train.class_names[k], strlen(data->train.class_names[k]) + 1);
    return XXH64_digest(&state);
}

/* ---- Open and close ----------------------------------------------------------------- */

/* Does the folder's name hold `part`, capitals or not? */
static bool name_holds(const char *name, const char *part)
{
    for (; *name; name++) {
        size_t i = 0;
        while (part[i] && tolower((unsigned char)name[i]) == part[i]) i++;
        if (!part[i]) return true;
    }
    return false;
}

/* Call the set after its folder, whole characters only. */
static strata_status name_after_folder(strata_data *data, const char *folder)
{
    char *whole = realpath(folder, NULL), *name = NULL;
    strata_status status = strata_path_name(&name, whole ? whole : folder);
    free(whole);
    if (status != STRATA_OK) return status;
    size_t length = strlen(name);
    if (length >= sizeof data->name) {
        length = sizeof data->name - 1;
        while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80) length--; /* UTF-8's later bytes */
    }
    memcpy(data->name, name, length);
    data->name[length] = '\0';
    free(name);
    return STRATA_OK;
}

static strata_status load_folder(strata_data *data, const char *folder, const strata_data_config *config,
                                 bool *named)
{
    if (!strata_folder_exists(folder))
        return strata_fail(STRATA_FILE, "data \"%s\" is %s; wanted " ACCEPTED, folder,
                           strata_path_exists(folder) ? "not a folder" : "not there");
    if (idx_found(folder)) {
        STRATA_TRY(idx_load(data, folder, named));
        return name_after_folder(data, folder);
    }
    if (cifar_found(folder)) {
        strcpy(data->name, "cifar-10");
        return cifar_load(data, folder);
    }
    if (!pictures_found(folder) && !labels_found(folder, config))
        return strata_fail(STRATA_FILE, "folder %s holds no data set; wanted " ACCEPTED, folder);
    STRATA_TRY(pictures_load(data, folder, config));
    return name_after_folder(data, folder);
}

static strata_status load(strata_data *data, const char *source, const strata_data_config *config)
{
    static const char prefix[] = "builtin:";
    bool named = true;
    if (strncmp(source, prefix, sizeof prefix - 1) != 0) {
        STRATA_TRY(load_folder(data, source, config, &named));
    } else if (strcmp(source, "builtin:digits") == 0) {
        strcpy(data->name, "digits");
        STRATA_TRY(digits_load(data));
    } else {
        return strata_fail(STRATA_BAD_ARG, "data \"%s\" is not built in; wanted " ACCEPTED, source);
    }
    measure(data);
    data->contents = contents(data);
    if (!named && (data->contents == fashion_contents || name_holds(data->name, "fashion"))) {
        strcpy(data->name, "fashion-mnist");
        STRATA_TRY(data_name_classes(data, fashion_names, source));
    }
    data->fingerprint = fingerprint(data);
    return STRATA_OK;
}

strata_status strata_data_load(strata_data **out, const char *source, const strata_data_config *config)
{
    const strata_data_config defaults = { 0 };
    *out = NULL;
    strata_data *data = calloc(1, sizeof *data);
    if (!data) return strata_fail(STRATA_NO_MEMORY, "no memory to open %s", source);
    strata_status status = load(data, source, config ? config : &defaults);
    if (status == STRATA_OK)
        *out = data;
    else
        strata_data_close(data);
    return status;
}

strata_status strata_data_open(strata_data **out, const char *source)
{
    return strata_data_load(out, source, NULL);
}

void strata_data_close(strata_data *data)
{
    if (!data) return;
    for (int part = 0; part < 2; part++) {
        free(data->owned.pixels[part]);
        free(data->owned.labels[part]);
        free(data->owned.targets[part]);
    }
    free(data->owned.class_names);
    pixel_cache_close(data);
    strata_arena_free(&data->owned.arena);
    free(data);
}
