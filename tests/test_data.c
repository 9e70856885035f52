/* Data sets: good ones arrive whole, and every planted fault is named. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "core/file.h"
#include "core/random.h"
#include "data/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <zlib.h>

#include "folder.h"

enum { TRAIN = 12, VALID = 7, H = 3, W = 4, PIXELS = H * W, RECORD = 3073 };

/* ---- Writing sets ------------------------------------------------------------------- */

/* Write [n] bytes behind the words of an IDX header; gzipped if the name says so. */
static void write_idx(const char *path, const uint32_t *header, int n_header, const uint8_t *bytes, size_t n)
{
    const size_t length = strlen(path);
    gzFile file = gzopen(path,
                         length > 3 && strcmp(path + length - 3, ".gz") == 0 ? "wb" : "wbT"); /* T: plain */
    assert_non_null(file);
    for (int i = 0; i < n_header; i++) {
        const uint8_t word[4] = { (uint8_t)(header[i] >> 24), (uint8_t)(header[i] >> 16),
                                  (uint8_t)(header[i] >> 8), (uint8_t)header[i] };
        assert_int_equal(gzwrite(file, word, 4), 4);
    }
    if (n) assert_int_equal(gzwrite(file, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(file), Z_OK);
}

static uint8_t pixel(uint32_t i) { return (uint8_t)(i * 37 + i / 11); }

static void write_images(const char *path, uint32_t n, uint32_t first)
{
    uint8_t pixels[TRAIN * PIXELS];
    for (uint32_t i = 0; i < n * PIXELS; i++) pixels[i] = pixel(first * PIXELS + i);
    write_idx(path, (const uint32_t[]) { 0x803, n, H, W }, 4, pixels, n * PIXELS);
}

static void write_labels(const char *path, uint32_t n, uint32_t first)
{
    uint8_t labels[TRAIN];
    for (uint32_t i = 0; i < n; i++) labels[i] = (uint8_t)((first + i) % 10);
    write_idx(path, (const uint32_t[]) { 0x801, n }, 2, labels, n);
}

/* Write a good set into the empty folder "idx". */
static void write_set(void)
{
    assert_int_equal(system("rm -rf idx"), 0);
    assert_int_equal(strata_folder_make("idx"), STRATA_OK);
    write_images("idx/train-images-idx3-ubyte", TRAIN, 0);
    write_labels("idx/train-labels-idx1-ubyte", TRAIN, 0);
    write_images("idx/t10k-images-idx3-ubyte.gz", VALID, TRAIN);
    write_labels("idx/t10k-labels-idx1-ubyte.gz", VALID, TRAIN);
}

static void write_cifar(const char *path, uint32_t n, uint32_t first)
{
    static uint8_t records[4][RECORD];
    for (uint32_t i = 0; i < n; i++) {
        records[i][0] = (uint8_t)((first + i) % 10);
        for (uint32_t k = 1; k < RECORD; k++) records[i][k] = pixel(first + i + k - 1);
    }
    assert_int_equal(strata_file_write(path, records, n * RECORD), STRATA_OK);
}

static void assert_refused(const char *source, const char *part)
{
    strata_data *data;
    assert_int_equal(strata_data_open(&data, source), STRATA_FILE);
    assert_null(data);
    assert_message(part);
}

/* ---- Good sets ---------------------------------------------------------------------- */

static void digits_are_built_in(void **state)
{
    (void)state;
    static const uint8_t first[16] = { 0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0 };
    strata_data *data;
    assert_int_equal(strata_data_open(&data, "builtin:digits"), STRATA_OK);
    assert_string_equal(data->name, "digits");
    assert_int_equal(data->train.n, 1437);
    assert_int_equal(data->valid.n, 360);
    assert_true(data->train.h == 8 && data->train.w == 8 && data->train.c == 1);
    assert_int_equal(data->valid.classes, 10);
    assert_string_equal(data->train.class_names[9], "9");
    assert_memory_equal(data->train.pixels, first, sizeof first);
    for (int i = 0; i < 10; i++) assert_int_equal(data->train.labels[i], i);
    assert_int_equal(data->valid.labels[359], 8);
    uint32_t seen[10] = { 0 };
    for (int i = 0; i < 1437; i++) seen[data->train.labels[i]]++;
    for (int i = 0; i < 360; i++) seen[data->valid.labels[i]]++;
    for (int k = 0; k < 10; k++) assert_true(seen[k] >= 174 && seen[k] <= 183);
    assert_true(data->scale == 16);
    assert_float_equal(data->mean[0], 0.305386126,
                       1e-8); /* numpy: mean() and std() of rows 0 .. 1436, over 16 */
    assert_float_equal(data->std[0], 0.375507116, 1e-8);
    assert_true(data->contents == 0xd93ace1928062614u); /* of runs before names were in the fingerprint */
    strata_data_close(data);
    strata_data_close(NULL);
}

static void idx_files_arrive_whole(void **state)
{
    (void)state;
    strata_data *data, *same;
    write_set();
    assert_int_equal(strata_data_open(&data, "idx"), STRATA_OK);
    assert_string_equal(data->name, "idx");
    assert_true(data->train.n == TRAIN && data->train.h == H && data->train.w == W && data->train.c == 1);
    assert_true(data->valid.n == VALID && data->valid.h == H && data->valid.w == W && data->valid.c == 1);
    assert_true(data->scale == 255);
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < TRAIN * PIXELS; i++) {
        assert_int_equal(data->train.pixels[i], pixel(i));
        sum += pixel(i) / 255.0;
        squares += pixel(i) / 255.0 * pixel(i) / 255.0;
    }
    for (uint32_t i = 0; i < VALID * PIXELS; i++)
        assert_int_equal(data->valid.pixels[i], pixel(TRAIN * PIXELS + i));
    for (int i = 0; i < TRAIN; i++) assert_int_equal(data->train.labels[i], i % 10);
    for (int i = 0; i < VALID; i++) assert_int_equal(data->valid.labels[i], (TRAIN + i) % 10);
    const double mean = sum / (TRAIN * PIXELS), variance = squares / (TRAIN * PIXELS) - mean * mean;
    assert_float_equal(data->mean[0], mean, 1e-6);
    assert_float_equal(data->std[0] * data->std[0], variance, 1e-6);
    assert_true(data->mean[1] == 0 && data->std[1] == 1);

    /* Other spellings, other packing, a file of two gzip members: the same contents, so the same fingerprint.
     */
    write_set();
    assert_int_equal(rename("idx/train-images-idx3-ubyte", "idx/train-images.idx3-ubyte"), 0);
    assert_int_equal(rename("idx/t10k-labels-idx1-ubyte.gz", "idx/t10k-labels.idx1-ubyte.gz"), 0);
    assert_int_equal(
        system("cd idx && head -c 5 train-labels-idx1-ubyte | gzip > train-labels-idx1-ubyte.gz && "
               "tail -c +6 train-labels-idx1-ubyte | gzip >> train-labels-idx1-ubyte.gz && "
               "rm train-labels-idx1-ubyte"),
        0);
    assert_int_equal(strata_data_open(&same, "idx/"), STRATA_OK);
    assert_true(data->fingerprint == same->fingerprint);
    strata_data_close(same);
    write_labels("idx/t10k-labels-idx1-ubyte", VALID, TRAIN + 1); /* before .gz */
    assert_int_equal(unlink("idx/t10k-labels.idx1-ubyte.gz"), 0);
    assert_int_equal(strata_data_open(&same, "idx"), STRATA_OK);
    assert_true(data->fingerprint != same->fingerprint);
    strata_data_close(same);
    strata_data_close(data);
}

static void classes_take_their_names_from_a_file(void **state)
{
    (void)state;
    strata_data *data;
    write_set();
    assert_int_equal(strata_file_write("idx/classes.txt", "a b\r\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl \n\n", 27),
                     STRATA_OK);
    write_idx("idx/t10k-labels-idx1-ubyte.gz", (const uint32_t[]) { 0x801, VALID }, 2,
              (const uint8_t[VALID]) { 10, 0, 1, 2, 3, 4, 5 }, VALID);
    assert_int_equal(strata_data_open(&data, "idx"), STRATA_OK);
    assert_int_equal(data->train.classes, 11);
    assert_string_equal(data->valid.class_names[0], "a b");
    assert_string_equal(data->valid.class_names[10], "l");
    assert_int_equal(data->valid.labels[0], 10);

    /* Other names, also of the same letters, make another fingerprint, and nothing else does here. */
    strata_data *renamed;
    assert_int_equal(strata_file_write("idx/classes.txt", "a\nbc\nd\ne\nf\ng\nh\ni\nj\nk\nl", 22), STRATA_OK);
    assert_int_equal(strata_data_open(&renamed, "idx"), STRATA_OK);
    assert_true(renamed->contents == data->contents && renamed->fingerprint != data->fingerprint);
    const uint64_t print = renamed->fingerprint;
    strata_data_close(renamed);
    assert_int_equal(strata_file_write("idx/classes.txt", "ab\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl", 22), STRATA_OK);
    assert_int_equal(strata_data_open(&renamed, "idx"), STRATA_OK);
    assert_true(renamed->contents == data->contents && renamed->fingerprint != print);
    strata_data_close(renamed);
    strata_data_close(data);

    assert_int_equal(strata_file_write("idx/classes.txt", "a\n\nb\n", 5), STRATA_OK);
    assert_refused("idx", "line 2 is empty");
    assert_int_equal(strata_file_write("idx/classes.txt", "\n \n", 3), STRATA_OK);
    assert_refused("idx", "wanted 1 to 256 class names");
    assert_int_equal(strata_file_write("idx/classes.txt", "a\0b", 3), STRATA_OK);
    assert_refused("idx", "zero byte");

    write_set();
    assert_int_equal(system("rm -rf my-Fashion && mv idx my-Fashion"), 0);
    assert_int_equal(strata_data_open(&data, "my-Fashion"), STRATA_OK);
    assert_string_equal(data->name, "fashion-mnist");
    assert_string_equal(data->train.class_names[0], "T-shirt/top");
    strata_data_close(data);
}

static void cifar_records_become_nhwc(void **state)
{
    (void)state;
    strata_data *data;
    assert_int_equal(strata_folder_make("cifar"), STRATA_OK);
    write_cifar("cifar/data_batch_2.bin", 4, 0); /* 1, 3 and 4 are missing */
    write_cifar("cifar/data_batch_5.bin", 3, 4);
    write_cifar("cifar/test_batch.bin", 2, 7);
    assert_int_equal(strata_data_open(&data, "cifar"), STRATA_OK);
    assert_string_equal(data->name, "cifar-10");
    assert_true(data->train.n == 7 && data->train.h == 32 && data->train.w == 32 && data->train.c == 3);
    assert_int_equal(data->valid.n, 2);
    assert_string_equal(data->train.class_names[1], "automobile");
    for (uint32_t n = 0; n < 7; n++) {
        assert_int_equal(data->train.labels[n], n % 10);
        for (uint32_t i = 0; i < 1024; i++)
            for (uint32_t c = 0; c < 3; c++)
                assert_int_equal(data->train.pixels[(n * 1024 + i) * 3 + c], pixel(n + c * 1024 + i));
    }
    assert_int_equal(data->valid.labels[1], 8);
    strata_data_close(data);

    assert_int_equal(strata_file_write("cifar/batches.meta.txt", "a\nb\n", 4), STRATA_OK);
    assert_refused("cifar", "data_batch_2.bin: image 2 has label 2; there are 2 classes");
    assert_int_equal(unlink("cifar/batches.meta.txt"), 0);
    uint8_t record[RECORD + 1] = { 10 };
    assert_int_equal(strata_file_write("cifar/test_batch.bin", record, RECORD), STRATA_OK);
    assert_refused("cifar", "test_batch.bin: image 0 has label 10");
    assert_int_equal(strata_file_write("cifar/test_batch.bin", record, RECORD + 1), STRATA_OK);
    assert_refused("cifar", "came 3074, 1 of them left over");
    assert_int_equal(strata_file_write("cifar/test_batch.bin", record, 0), STRATA_OK);
    assert_refused("cifar", "test_batch.bin");
    assert_int_equal(unlink("cifar/test_batch.bin"), 0);
    assert_refused("cifar", "lacks test_batch.bin");
    write_cifar("cifar/test_batch.bin", 2, 7);
    assert_int_equal(unlink("cifar/data_batch_2.bin"), 0);
    assert_int_equal(unlink("cifar/data_batch_5.bin"), 0);
    assert_refused("cifar", "lacks data_batch_1.bin");
}

/* ---- Bad sets ----------------------------------------------------------------------- */

static void a_wrong_source_is_told_what_is_accepted(void **state)
{
    (void)state;
    strata_data *data;
    assert_int_equal(strata_data_open(&data, "builtin:digit"), STRATA_BAD_ARG);
    assert_message("builtin:digits");
    assert_refused("nowhere",
                   "\"nowhere\" is not there; wanted builtin:digits, or a folder with train-images");
    assert_int_equal(strata_folder_make("empty"), STRATA_OK);
    assert_refused("empty", "folder empty holds no data set; wanted builtin:digits");
    assert_int_equal(strata_file_write("file", "x", 1), STRATA_OK);
    assert_refused("file", "\"file\" is not a folder");
}

static void bad_image_files_are_named(void **state)
{
    (void)state;
    uint8_t pixels[200] = { 0 };
    static const char images[] = "idx/train-images-idx3-ubyte";
    write_set();
    write_labels(images, TRAIN, 0);
    assert_refused("idx",
                   "train-images-idx3-ubyte: wanted magic 00000803 (images [n,h,w] of bytes), came 00000801");
    write_idx(images, (const uint32_t[]) { 0x03080000, 0, 0, 0 }, 4, NULL, 0);
    assert_refused("idx", "bytes of a word swapped");
    write_idx(images, (const uint32_t[]) { 0xd03, 12, 3, 4 }, 4, pixels, 144);
    assert_refused("idx", "another type or rank");
    write_idx(images, (const uint32_t[]) { 0x89504e47 }, 1, NULL, 0);
    assert_refused("idx", "(not IDX)");
    write_idx(images, (const uint32_t[]) { 0x803, 12 }, 2, NULL, 0);
    assert_refused("idx", "truncated: wanted 4 bytes of the IDX header at byte 8, came 0");
    write_idx(images, (const uint32_t[]) { 0x803, 12, 3, 4 }, 4, pixels, 143);
    assert_refused("idx", "truncated: [12,3,4] wants 144 bytes of pixels, at most 143 can come");
    write_idx(images, (const uint32_t[]) { 0x803, 12, 3, 4 }, 4, pixels, 145);
    assert_refused("idx", "1 bytes follow");
    write_idx(images, (const uint32_t[]) { 0x803, 0, 3, 4 }, 4, NULL, 0);
    assert_refused("idx", "came [0,3,4]");
    write_idx(images, (const uint32_t[]) { 0x803, 12, 0x10001, 4 }, 4, pixels, 144);
    assert_refused("idx", "came [12,65537,4]");
    write_idx(images, (const uint32_t[]) { 0x803, 0x7fffffff, 16384, 16384 }, 4, pixels, 144);
    assert_refused("idx", "the limit is");
    write_idx(images, (const uint32_t[]) { 0x803, 10000000, 28, 28 }, 4, pixels, 144);
    assert_refused("idx", "at most 144 can come");
    write_idx(images, (const uint32_t[]) { 0x803, 11, 3, 4 }, 4, pixels, 132);
    assert_refused("idx", "wanted 11 labels, one for each image of idx/train-images-idx3-ubyte, came 12");
    assert_int_equal(strata_file_write(images, "", 0), STRATA_OK);
    assert_refused("idx", "truncated");
    assert_int_equal(unlink(images), 0);
    assert_refused("idx", "lacks train-images-idx3-ubyte");
    write_set();
    write_idx("idx/t10k-images-idx3-ubyte.gz", (const uint32_t[]) { 0x803, 7, 4, 3 }, 4, pixels, 84);
    assert_refused("idx", "train images are 3x4, t10k images are 4x3");
}

static void bad_label_files_are_named(void **state)
{
    (void)state;
    static const char labels[] = "idx/t10k-labels-idx1-ubyte.gz";
    write_set();
    write_idx(labels, (const uint32_t[]) { 0x801, 7 }, 2, (const uint8_t[]) { 0, 1, 2, 10, 9, 9, 9 }, 7);
    assert_refused("idx",
                   "t10k-labels-idx1-ubyte.gz: image 3 has label 10; there are 10 classes: wanted 0 to 9");
    write_idx(labels, (const uint32_t[]) { 0x801, 7 }, 2, (const uint8_t[]) { 0, 1, 2, 3, 4, 5 }, 6);
    assert_refused("idx", "truncated: wanted 7 bytes of the labels at byte 8 (inflated), came 6");
    write_idx(labels, (const uint32_t[]) { 0x801, 7 }, 2, (const uint8_t[]) { 0, 1, 2, 3, 4, 5, 6, 7 }, 8);
    assert_refused("idx", "bytes follow the 15 (inflated)");
    write_images(labels, VALID, 0);
    assert_refused("idx", "came 00000803 (images");
    assert_int_equal(unlink(labels), 0);
    assert_refused("idx", "idx lacks t10k-labels-idx1-ubyte");
}

static void damaged_gzip_is_named(void **state)
{
    (void)state;
    static const char images[] = "idx/t10k-images-idx3-ubyte.gz";
    char *bytes;
    size_t n;
    write_set();
    assert_int_equal(strata_file_read(&bytes, &n, images), STRATA_OK);
    assert_true(n > 60);
    bytes[n - 6] ^= 1; /* in the checksum */
    assert_int_equal(strata_file_write(images, bytes, n), STRATA_OK);
    assert_refused("idx", "t10k-images-idx3-ubyte.gz: the gzip data is damaged");
    bytes[n - 6] ^= 1;
    bytes[10] |= 6; /* the first block becomes one of a type that does not exist */
    assert_int_equal(strata_file_write(images, bytes, n), STRATA_OK);
    assert_refused("idx", "damaged at byte");
    free(bytes);
    write_set();
    assert_int_equal(strata_file_read(&bytes, &n, images), STRATA_OK);
    assert_int_equal(strata_file_write(images, bytes, n / 2), STRATA_OK);
    assert_refused("idx", "truncated");
    assert_int_equal(strata_file_write(images, bytes, n - 1), STRATA_OK);
    assert_refused("idx", "the end of the gzip data is missing");
    char *longer = malloc(n + 3);
    assert_non_null(longer);
    memcpy(longer, bytes, n);
    memcpy(longer + n, "xyz", 3);
    assert_int_equal(strata_file_write(images, longer, n + 3), STRATA_OK);
    assert_refused("idx", "3 bytes follow");
    free(longer);
    free(bytes);
}

/* ---- Random damage ------------------------------------------------------------------ */

/* Cut a file or flip some of its bits, `round` deciding how; open the set; put the file back. */
static void damage(const char *path, const char *folder, uint32_t round)
{
    char *good, *bad;
    size_t n, length;
    strata_data *data;
    assert_int_equal(strata_file_read(&good, &n, path), STRATA_OK);
    assert_int_equal(strata_file_read(&bad, &length, path), STRATA_OK);
    strata_random4 r = strata_philox(round, 0, 0, 0, 1, STRATA_RANDOM_TEST);
    if (r.v[0] % 3 == 0) length = r.v[1] % n;
    for (uint32_t k = 0; r.v[0] % 3 && k <= r.v[1] % 4; k++) {
        const strata_random4 place = strata_philox(round, 1 + k, 0, 0, 1, STRATA_RANDOM_TEST);
        const size_t at = place.v[1] & 1 ? place.v[0] % n
                                         : place.v[0] % (n < 24 ? n : 24); /* half in the header */
        bad[at] = (char)(bad[at] ^ 1 << place.v[2] % 8);
    }
    FILE *file = fopen(path, "wb"); /* not atomic: nothing is to be kept, and syncing thousands takes long */
    assert_non_null(file);
    fwrite(bad, 1, length, file);
    fclose(file);
    const strata_status status = strata_data_open(&data, folder);
    if (status == STRATA_OK) {
        for (uint32_t i = 0; i < data->train.n; i++)
            assert_in_range(data->train.labels[i], 0, data->train.classes - 1);
        strata_data_close(data);
    } else {
        assert_null(data);
        assert_true(strlen(strata_message()) > 10);
    }
    file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(good, 1, n, file);
    fclose(file);
    free(good);
    free(bad);
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    const char *const text = getenv("STRATA_FUZZ_ROUNDS");
    const uint32_t rounds = text ? (uint32_t)strtoul(text, NULL, 10) : 300;
    static const char *const idx[] = { "idx/train-images-idx3-ubyte", "idx/train-labels-idx1-ubyte",
                                       "idx/t10k-images-idx3-ubyte.gz", "idx/t10k-labels-idx1-ubyte.gz",
                                       "idx/classes.txt" };
    static const char *const cifar[] = { "cifar/data_batch_2.bin", "cifar/test_batch.bin" };
    write_set();
    assert_int_equal(strata_file_write("idx/classes.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 20), STRATA_OK);
    write_cifar("cifar/data_batch_2.bin", 2, 0);
    write_cifar("cifar/test_batch.bin", 2, 0);
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < 5; i++) damage(idx[i], "idx", round * 8 + (uint32_t)i);
        for (int i = 0; i < 2; i++) damage(cifar[i], "cifar", round * 8 + 5 + (uint32_t)i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_built_in),
        cmocka_unit_test(idx_files_arrive_whole),
        cmocka_unit_test(classes_take_their_names_from_a_file),
        cmocka_unit_test(cifar_records_become_nhwc),
        cmocka_unit_test(a_wrong_source_is_told_what_is_accepted),
        cmocka_unit_test(bad_image_files_are_named),
        cmocka_unit_test(bad_label_files_are_named),
        cmocka_unit_test(damaged_gzip_is_named),
        cmocka_unit_test(random_damage_never_crashes),
    };
    return cmocka_run_group_tests_name("data", tests, folder_enter, folder_leave);
}
