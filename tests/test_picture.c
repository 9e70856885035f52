/* Pictures: decoded to the byte, refused by name, and fitted as Pillow fits them. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "core/file.h"
#include "core/random.h"
#include "data/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <zlib.h>

#include "folder.h"

enum { H = 9, W = 13 };

/* ---- Writing PNG files -------------------------------------------------------------- */

static void put_word(uint8_t *out, uint32_t word)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(word >> (24 - 8 * i));
}

static size_t put_chunk(uint8_t *out, const char *name, const uint8_t *bytes, size_t n)
{
    put_word(out, (uint32_t)n);
    memcpy(out + 4, name, 4);
    if (n) memcpy(out + 8, bytes, n);
    put_word(out + 8 + n, (uint32_t)crc32(0, out + 4, (uInt)(n + 4)));
    return n + 12;
}

/* Write [h,w,c] bytes as PNG with rows unfiltered; `claim`, if not 0, stands in the header as height and
 * width. */
static void write_png(const char *path, const uint8_t *pixels, const uint32_t shape[3], uint32_t claim)
{
    static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    static const uint8_t colour_type[5] = { 0, 0, 4, 2, 6 };
    static uint8_t rows[4000], packed[5000], file[6000];
    const size_t row = shape[1] * shape[2];
    uint8_t header[13] = { [8] = 8, [9] = colour_type[shape[2]] };
    put_word(header, claim ? claim : shape[1]);
    put_word(header + 4, claim ? claim : shape[0]);
    for (size_t y = 0; y < shape[0]; y++) {
        rows[y * (row + 1)] = 0;
        memcpy(rows + y * (row + 1) + 1, pixels + y * row, row);
    }
    uLongf n_packed = sizeof packed;
    assert_int_equal(compress(packed, &n_packed, rows, shape[0] * (row + 1)), Z_OK);
    memcpy(file, signature, 8);
    size_t n = 8;
    n += put_chunk(file + n, "IHDR", header, sizeof header);
    n += put_chunk(file + n, "IDAT", packed, n_packed);
    n += put_chunk(file + n, "IEND", NULL, 0);
    assert_int_equal(strata_file_write(path, file, n), STRATA_OK);
}

static void make_pixels(uint8_t *pixels, uint32_t c)
{
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++)
            for (uint32_t k = 0; k < c; k++) *pixels++ = (uint8_t)(x * 37 + y * y * 11 + k * 90 + x * y * 5);
}

/* ---- Reading ------------------------------------------------------------------------ */

static void png_arrives_to_the_byte(void **state)
{
    (void)state;
    uint8_t pixels[H * W * 4];
    strata_picture picture;
    for (uint32_t c = 1; c <= 4; c++) {
        make_pixels(pixels, c);
        write_png("good.png", pixels, (const uint32_t[3]) { H, W, c }, 0);
        assert_int_equal(strata_picture_read(&picture, "good.png"), STRATA_OK);
        assert_true(picture.h == H && picture.w == W && picture.c == c);
        assert_memory_equal(picture.pixels, pixels, H * W * c);
        strata_picture_free(&picture);
        assert_null(picture.pixels);
        strata_picture_free(&picture);
    }
}

static void assert_refused(const char *path, const char *part)
{
    strata_picture picture;
    assert_int_equal(strata_picture_read(&picture, path), STRATA_FILE);
    assert_null(picture.pixels);
    assert_message(path);
    assert_message(part);
}

static void bad_pictures_are_named(void **state)
{
    (void)state;
    uint8_t pixels[H * W * 3];
    char *bytes;
    size_t n;
    make_pixels(pixels, 3);
    assert_refused("missing.png", "No such file");
    assert_int_equal(strata_file_write("empty.png", "", 0), STRATA_OK);
    assert_refused("empty.png", "came 0");
    assert_int_equal(strata_file_write("text.jpg", "this is no picture", 18), STRATA_OK);
    assert_refused("text.jpg", "is not a picture that can be read");
    write_png("huge.png", pixels, (const uint32_t[3]) { H, W, 3 }, 16384);
    assert_refused("huge.png", "16384 x 16384 pixels, wanted 1 to 67108864");
    write_png("tall.png", pixels, (const uint32_t[3]) { H, W, 3 },
              8192); /* allowed, but the rows are missing */
    assert_refused("tall.png", "is damaged");
    write_png("good.png", pixels, (const uint32_t[3]) { H, W, 3 }, 0);
    assert_int_equal(strata_file_read(&bytes, &n, "good.png"), STRATA_OK);
    assert_int_equal(strata_file_write("cut.png", bytes, n / 2), STRATA_OK);
    assert_refused("cut.png", "is damaged");
    free(bytes);
}

static void random_damage_never_crashes(void **state)
{
    (void)state;
    const char *const text = getenv("STRATA_FUZZ_ROUNDS");
    const uint32_t rounds = text ? (uint32_t)strtoul(text, NULL, 10) : 300;
    uint8_t pixels[H * W * 3];
    char *bytes;
    size_t n;
    make_pixels(pixels, 3);
    write_png("good.png", pixels, (const uint32_t[3]) { H, W, 3 }, 0);
    assert_int_equal(strata_file_read(&bytes, &n, "good.png"), STRATA_OK);
    for (uint32_t round = 0; round < rounds; round++) {
        const strata_random4 r = strata_philox(round, 0, 0, 0, 2, STRATA_RANDOM_TEST);
        const size_t at = r.v[0] % n, length = r.v[1] % 4 ? n : r.v[2] % n;
        strata_picture picture;
        bytes[at] = (char)(bytes[at] ^ 1 << r.v[3] % 8);
        FILE *file = fopen("bad.png", "wb");
        assert_non_null(file);
        fwrite(bytes, 1, length, file);
        fclose(file);
        if (strata_picture_read(&picture, "bad.png") == STRATA_OK)
            assert_non_null(picture.pixels);
        else
            assert_null(picture.pixels);
        strata_picture_free(&picture);
        bytes[at] = (char)(bytes[at] ^ 1 << r.v[3] % 8);
    }
    free(bytes);
}

/* ---- Fitting ------------------------------------------------------------------------ */

static uint32_t fitted(const strata_picture *picture, uint32_t w, uint32_t h, uint32_t c)
{
    static uint8_t out[28 * 28 * 3];
    assert_int_equal(strata_picture_fit(out, h, w, c, picture), STRATA_OK);
    return (uint32_t)crc32(0, out, w * h * c);
}

/* Checksums of Pillow 9.4.0: im.convert("L").resize((w, h), Image.BILINEAR), and the same without convert. */
static void fitting_is_pillows_bilinear(void **state)
{
    (void)state;
    static const struct {
        uint32_t w, h, grey, rgb;
    } cases[] = { { 5, 4, 0xf3dc4e24, 0x7d69c946 },
                  { 28, 28, 0x607ffb84, 0xc1d82637 },
                  { 13, 3, 0x4fb59bbe, 0xfe24b091 },
                  { 4, 9, 0x381d6750, 0x2cc96db1 },
                  { 1, 1, 0x12b88320, 0x58b5a852 } };
    uint8_t pixels[H * W * 3], out[20];
    make_pixels(pixels, 3);
    const strata_picture picture = { pixels, H, W, 3 };
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fitted(&picture, cases[i].w, cases[i].h, 1), cases[i].grey);
        assert_int_equal(fitted(&picture, cases[i].w, cases[i].h, 3), cases[i].rgb);
    }
    static const uint8_t wanted[20] = { 120, 135, 111, 130, 119, 135, 130, 135, 124, 132,
                                        122, 130, 128, 129, 124, 109, 124, 133, 141, 125 };
    assert_int_equal(strata_picture_fit(out, 4, 5, 1, &picture), STRATA_OK);
    assert_memory_equal(out, wanted, sizeof wanted);

    static uint8_t big[337 * 501];
    for (uint32_t y = 0; y < 337; y++)
        for (uint32_t x = 0; x < 501; x++) big[y * 501 + x] = (uint8_t)((x * x * 3 + y * 7) ^ (x * y));
    assert_int_equal(fitted(&(const strata_picture) { big, 337, 501, 1 }, 28, 28, 1), 0x99662d6f);
}

static void colours_convert_and_alpha_lies_on_white(void **state)
{
    (void)state;
    uint8_t grey_alpha[4] = { 100, 255, 100, 0 }, rgba[8] = { 10, 20, 30, 255, 10, 20, 30, 128 }, out[6];
    const strata_picture two = { grey_alpha, 1, 2, 2 }, four = { rgba, 1, 2, 4 };
    assert_int_equal(strata_picture_fit(out, 1, 2, 3, &two), STRATA_OK);
    assert_memory_equal(out, ((uint8_t[]) { 100, 100, 100, 255, 255, 255 }), 6);
    assert_int_equal(strata_picture_fit(out, 1, 2, 1, &two), STRATA_OK);
    assert_memory_equal(out, ((uint8_t[]) { 100, 255 }), 2);
    assert_int_equal(strata_picture_fit(out, 1, 2, 3, &four), STRATA_OK);
    assert_memory_equal(out, ((uint8_t[]) { 10, 20, 30, 132, 137, 142 }), 6);
    assert_int_equal(strata_picture_fit(out, 1, 2, 1, &four), STRATA_OK);
    assert_int_equal(out[0], 18); /* 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15 */
    assert_int_equal(strata_picture_fit(out, 1, 2, 2, &four), STRATA_BAD_ARG);
    assert_message("wanted 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_arrives_to_the_byte),
        cmocka_unit_test(bad_pictures_are_named),
        cmocka_unit_test(random_damage_never_crashes),
        cmocka_unit_test(fitting_is_pillows_bilinear),
        cmocka_unit_test(colours_convert_and_alpha_lies_on_white),
    };
    return cmocka_run_group_tests_name("picture", tests, folder_enter, folder_leave);
}
