/* IDX, the format of MNIST: big-endian words 0x0000TTDD (type 08 = bytes, DD dimensions) and the dimensions,
 * then the values. Ours are images [n,h,w] and labels [n], both of bytes. */
#include "core/file.h"
#include "data/source.h"

#include <stdlib.h>

enum { IMAGES = 0x0803, LABELS = 0x0801, MOST_SIDE = 16384 };

static const char *const part_names[2] = { "train", "t10k" };

/* Find the file of a part in any of its spellings; *out is NULL if there is none. */
static strata_status find(char **out, const char *folder, int part, uint32_t magic)
{
    const char *spellings[4] = { "-images-idx3-ubyte", "-images-idx3-ubyte.gz", "-images.idx3-ubyte",
                                 "-images.idx3-ubyte.gz" };
    const char *label_spellings[4] = { "-labels-idx1-ubyte", "-labels-idx1-ubyte.gz", "-labels.idx1-ubyte",
                                       "-labels.idx1-ubyte.gz" };
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", part_names[part],
                 magic == IMAGES ? spellings[i] : label_spellings[i]);
        STRATA_TRY(strata_path_join(out, folder, name));
        if (strata_path_exists(*out)) return STRATA_OK;
        free(*out);
        *out = NULL;
    }
    return STRATA_OK;
}

bool idx_found(const char *folder)
{
    bool found = false;
    for (int i = 0; i < 4 && !found; i++) {
        char *path = NULL;
        found = find(&path, folder, i / 2, i % 2 ? LABELS : IMAGES) == STRATA_OK && path;
        free(path);
    }
    return found;
}

static strata_status find_or_fail(char **out, const char *folder, int part, uint32_t magic)
{
    STRATA_TRY(find(out, folder, part, magic));
    if (*out) return STRATA_OK;
    const char *kind = magic == IMAGES ? "images-idx3" : "labels-idx1";
    return strata_fail(STRATA_FILE, "%s lacks %s-%s-ubyte (or .gz)", folder, part_names[part], kind);
}

static const char *magic_text(uint32_t magic)
{
    if (magic == IMAGES) return "images [n,h,w] of bytes";
    if (magic == LABELS) return "labels [n] of bytes";
    if (magic == 0x01080000 || magic == 0x03080000) return "bytes of a word swapped";
    return magic >> 16 ? "not IDX" : "IDX of another type or rank";
}

static strata_status read_words(byte_reader *r, uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t b[4];
        STRATA_TRY(byte_reader_take(r, b, 4, "the IDX header"));
        words[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    return STRATA_OK;
}

static strata_status read_magic(byte_reader *r, uint32_t wanted)
{
    uint32_t magic = 0;
    STRATA_TRY(read_words(r, &magic, 1));
    if (magic == wanted) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s: wanted magic %08x (%s), came %08x (%s)", r->path, wanted,
                       magic_text(wanted), magic, magic_text(magic));
}

static strata_status read_images(strata_data *data, int part, byte_reader *r)
{
    uint32_t size[3] = { 0 };
    STRATA_TRY(read_magic(r, IMAGES));
    STRATA_TRY(read_words(r, size, 3));
    if (size[0] < 1 || size[0] > INT32_MAX || size[1] < 1 || size[1] > MOST_SIDE || size[2] < 1 ||
        size[2] > MOST_SIDE)
        return strata_fail(STRATA_FILE, "%s: wanted at least 1 image and sides of 1 to %d, came [%u,%u,%u]",
                           r->path, MOST_SIDE, size[0], size[1], size[2]);
    const uint64_t wanted = (uint64_t)size[0] * size[1] * size[2]; /* below 2^59 */
    if (wanted > DATA_MOST_BYTES)
        return strata_fail(STRATA_FILE, "%s: [%u,%u,%u] is %llu bytes, the limit is %llu", r->path, size[0],
                           size[1], size[2], (unsigned long long)wanted, (unsigned long long)DATA_MOST_BYTES);
    if (wanted > byte_reader_most(r))
        return strata_fail(STRATA_FILE,
                           "%s is truncated: [%u,%u,%u] wants %llu bytes of pixels, at most %llu can come",
                           r->path, size[0], size[1], size[2], (unsigned long long)wanted,
                           (unsigned long long)byte_reader_most(r));
    const strata_image_set shape = { .n = size[0], .h = size[1], .w = size[2], .c = 1 };
    STRATA_TRY(data_reserve(data, part, &shape));
    STRATA_TRY(byte_reader_take(r, data->owned.pixels[part], (size_t)wanted, "the pixels"));
    return byte_reader_end(r);
}

static strata_status read_labels(strata_data *data, int part, byte_reader *r, const char *images)
{
    const uint32_t n = (part ? &data->valid : &data->train)->n;
    uint32_t came = 0;
    STRATA_TRY(read_magic(r, LABELS));
    STRATA_TRY(read_words(r, &came, 1));
    if (came != n)
        return strata_fail(STRATA_FILE, "%s: wanted %u labels, one for each image of %s, came %u", r->path, n,
                           images, came);
    uint8_t *labels = malloc(n);
    if (!labels) return strata_fail(STRATA_NO_MEMORY, "no memory for %u labels of %s", n, r->path);
    strata_status status = byte_reader_take(r, labels, n, "the labels");
    if (status == STRATA_OK) status = byte_reader_end(r);
    if (status == STRATA_OK) status = data_store_labels(data, part, 0, labels, n, r->path);
    free(labels);
    return status;
}

static strata_status load_part(strata_data *data, int part, const char *folder)
{
    strata_status status = STRATA_OK;
    byte_reader reader = { 0 };
    char *images = NULL, *labels = NULL;
    STRATA_GO(find_or_fail(&images, folder, part, IMAGES));
    STRATA_GO(find_or_fail(&labels, folder, part, LABELS));
    STRATA_GO(byte_reader_open(&reader, images));
    STRATA_GO(read_images(data, part, &reader));
    byte_reader_close(&reader);
    STRATA_GO(byte_reader_open(&reader, labels));
    STRATA_GO(read_labels(data, part, &reader, images));
done:
    byte_reader_close(&reader);
    free(labels);
    free(images);
    return status;
}

strata_status idx_load(strata_data *data, const char *folder, bool *named)
{
    data->scale = 255;
    STRATA_TRY(data_read_classes(data, folder, "classes.txt", named));
    if (!*named) STRATA_TRY(data_name_classes(data, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n", folder));
    STRATA_TRY(load_part(data, 0, folder));
    STRATA_TRY(load_part(data, 1, folder));
    const strata_image_set *train = &data->train, *valid = &data->valid;
    if (train->h != valid->h || train->w != valid->w)
        return strata_fail(STRATA_FILE, "%s: train images are %ux%u, t10k images are %ux%u: wanted the same",
                           folder, train->h, train->w, valid->h, valid->w);
    return STRATA_OK;
}
