/* builtin:digits: UCI handwritten digits, embedded as assets/digits/digits.bin (see the README beside it). */
#include "core/asset.h"
#include "data/source.h"

enum { IMAGES = 1797, VALID = 360, SIDE = 8, PIXELS = SIDE * SIDE };

static strata_status load(strata_data *data, byte_reader *r)
{
    const uint32_t n[2] = { IMAGES - VALID, VALID };
    uint8_t labels[IMAGES];
    for (int part = 0; part < 2; part++) {
        const strata_image_set shape = { .n = n[part], .h = SIDE, .w = SIDE, .c = 1 };
        STRATA_TRY(data_reserve(data, part, &shape));
        STRATA_TRY(byte_reader_take(r, data->owned.pixels[part], (size_t)n[part] * PIXELS, "the pixels"));
    }
    STRATA_TRY(byte_reader_take(r, labels, IMAGES, "the labels"));
    STRATA_TRY(byte_reader_end(r));
    STRATA_TRY(data_store_labels(data, 0, 0, labels, n[0], r->path));
    return data_store_labels(data, 1, 0, labels + n[0], n[1], r->path);
}

strata_status digits_load(strata_data *data)
{
    const strata_asset *asset = strata_asset_find("digits/digits.bin");
    if (!asset) return strata_fail(STRATA_FILE, "builtin:digits is not in this build");
    byte_reader reader;
    data->scale = 16;
    STRATA_TRY(data_name_classes(data, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n", "builtin:digits"));
    STRATA_TRY(byte_reader_view(&reader, asset->bytes, asset->n, "builtin:digits"));
    strata_status status = load(data, &reader);
    byte_reader_close(&reader);
    return status;
}
