/* Pictures: decoded to the byte, refused by name, and fitted as Pillow fits them. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "core/file.h"
#include "core/random.h"
#include "data/jpeg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
    static const char *const cut[] = { "grey.pgm", "rgb.ppm", "rgb.bmp" };
    for (int i = 0; i < 3; i++) {
        char path[512];
        snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/pictures/%s", cut[i]);
        assert_int_equal(strata_file_read(&bytes, &n, path), STRATA_OK);
        assert_int_equal(strata_file_write(cut[i], bytes, n - 1), STRATA_OK);
        free(bytes);
        assert_refused(cut[i], "is damaged");
    }
    if (strcmp(jpeg_decoder(), "stb_image") != 0) { /* which fills up what was cut off */
        assert_int_equal(strata_file_read(&bytes, &n, SOURCE_DIR "/tests/golden/pictures/smooth.jpg"),
                         STRATA_OK);
        assert_int_equal(strata_file_write("cut.jpg", bytes, n - n / 8), STRATA_OK);
        free(bytes);
        assert_refused("cut.jpg", "cut.jpg is damaged: Premature end of JPEG file");
    }
    assert_int_equal(strata_file_write("dark.pgm", "P5 #x\n1 1 15\n\1", 14), STRATA_OK);
    assert_refused("dark.pgm", "the largest sample is 15");
    write_png("good.png", pixels, (const uint32_t[3]) { H, W, 3 }, 0);
    assert_int_equal(strata_file_read(&bytes, &n, "good.png"), STRATA_OK);
    assert_int_equal(strata_file_write("cut.png", bytes, n / 2), STRATA_OK);
    assert_refused("cut.png", "is damaged");
    free(bytes);
}

/* What the fuzzer found: tables that stb_image would write past the end of, and no memory to copy to. */
static void fuzzed_pictures_are_refused(void **state)
{
    (void)state;
    const char *const folder = SOURCE_DIR "/tests/fuzz/crashers/image/";
    static const char *const wanted[][2] = {
        { "jpeg-huffman-257", "a Huffman table of more than 256 codes" },
        { "jpeg-huffman-cut", "a Huffman table of more than 256 codes" },
        { "png-idat-empty", "its first IDAT chunk is empty" },
        { "psd-alpha", "is not a picture that can be read" }, /* a type that nothing promises to read */
    };
    char path[512];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        snprintf(path, sizeof path, "%s%s", folder, wanted[i][0]);
        assert_refused(path, wanted[i][1]);
    }
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

/* Every form that Pillow wrote (tests/golden/make_pictures.py) comes out as Pillow reads it. */
static void every_form_is_read(void **state)
{
    (void)state;
    static const char *const names[] = {
        "grey-alpha.png", "grey.pgm",  "grey.png", "grey16.png", "palette-transparent.png",
        "palette.gif",    "rgb.bmp",   "rgb.png",  "rgb.ppm",    "rgb.tga",
        "rgba.png",       "smooth.jpg"
    };
    const int n = sizeof names / sizeof *names;
    char *wanted, path[512];
    size_t bytes;
    assert_int_equal(strata_file_read(&wanted, &bytes, SOURCE_DIR "/tests/golden/pictures/decoded.bin"),
                     STRATA_OK);
    assert_int_equal(bytes, n * H * W * 3);
    for (int i = 0; i < n; i++) {
        strata_picture picture;
        uint8_t out[H * W * 3];
        snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/pictures/%s", names[i]);
        assert_int_equal(strata_picture_read(&picture, path), STRATA_OK);
        assert_int_equal(strata_picture_fit(out, H, W, 3, &picture), STRATA_OK);
        const int most = strstr(path, ".jpg") ? 2 : 0; /* two inverse transforms and colour matrices round */
        for (int k = 0; k < H * W * 3; k++) {
            const int off = abs((int)out[k] - (int)(uint8_t)wanted[i * H * W * 3 + k]);
            if (off > most) fail_msg("%s: value %d is %d off", names[i], k, off);
        }
        strata_picture_free(&picture);
    }
    free(wanted);
}

/* Red beside a dark green, as libjpeg wrote them from inks: what they leave white, with Adobe's marker, as
 * CMYK and as YCCK; and the inks themselves, without. */
static void inks_are_mixed(void **state)
{
    (void)state;
    static const char *const names[] = { "inks-adobe", "inks-ycck", "inks-plain" };
    static const int wanted[2][3] = { { 255, 0, 0 }, { 0, 191, 0 } };
    const bool libjpeg = strcmp(jpeg_decoder(), "stb_image") != 0; /* which knows Adobe's alone */
    for (int i = 0; i < (libjpeg ? 3 : 2); i++) {
        char path[512], *bytes;
        size_t n;
        strata_picture p, shape;
        snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/pictures/%s.jpg", names[i]);
        assert_int_equal(strata_picture_read(&p, path), STRATA_OK);
        assert_int_equal(strata_file_read(&bytes, &n, path), STRATA_OK);
        assert_int_equal(strata_picture_look(&shape, bytes, n, names[i]), STRATA_OK);
        assert_true(p.h == 8 && p.w == 16 && p.c == 3 && shape.h == 8 && shape.w == 16 && shape.c == 3);
        for (uint32_t k = 0; k < p.h * p.w * 3; k++) {
            const int off = abs(p.pixels[k] - wanted[k / 3 % p.w >= 8][k % 3]);
            if (off > 3) fail_msg("%s: value %u is %d off", names[i], (unsigned)k, off);
        }
        strata_picture_free(&p);
        assert_int_equal(strata_file_write("cut.jpg", bytes, n - 6), STRATA_OK);
        if (libjpeg) assert_refused("cut.jpg", "Premature end of JPEG file");
        free(bytes);
    }
}

enum { TIFF = 26 }; /* bytes of an Exif block of one entry */

static void make_tiff(uint8_t out[TIFF], int orientation, bool little)
{
    static const uint8_t le[] = { 'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0 };
    static const uint8_t be[] = { 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1 };
    memset(out, 0, TIFF);
    memcpy(out, little ? le : be, sizeof le);
    out[little ? 18 : 19] = (uint8_t)orientation;
}

/* A JPEG with such a segment behind its first two bytes. */
static size_t jpeg_with(uint8_t *out, const char *jpeg, size_t n, const uint8_t *tiff)
{
    memcpy(out, jpeg, 2);
    memcpy(out + 2,
           "\xff\xe1\0\x22"
           "Exif\0",
           10); /* 34 = 2 + 6 + TIFF */
    memcpy(out + 12, tiff, TIFF);
    memcpy(out + 12 + TIFF, jpeg + 2, n - 2);
    return n + 10 + TIFF;
}

enum { PNG_HEAD = 33, PNG_TAIL = 12 }; /* bytes up to the end of IHDR, bytes of IEND */

/* A PNG with an eXIf chunk of [bytes] before its pixels or behind them. */
static size_t png_with(uint8_t *out, const char *png, size_t n, const uint8_t *tiff, size_t bytes, bool late)
{
    const size_t at = late ? n - PNG_TAIL : PNG_HEAD;
    memcpy(out, png, at);
    const size_t more = put_chunk(out + at, "eXIf", tiff, bytes);
    memcpy(out + at + more, png + at, n - at);
    return n + more;
}

/* Exif names, for each orientation, the sides of the upright picture that the first row and column lie on. */
static void assert_turned(const strata_picture *turned, const strata_picture *stored, int o)
{
    static const struct {
        bool sideways, row_last,
            column_last; /* the first row is the bottom or right; column: right, bottom */
    } cases[9] = { [1] = { 0, 0, 0 }, [2] = { 0, 0, 1 }, [3] = { 0, 1, 1 }, [4] = { 0, 1, 0 },
                   [5] = { 1, 0, 0 }, [6] = { 1, 1, 0 }, [7] = { 1, 1, 1 }, [8] = { 1, 0, 1 } };
    assert_true(turned->h == (cases[o].sideways ? W : H) && turned->w == (cases[o].sideways ? H : W));
    for (uint32_t row = 0; row < H; row++)
        for (uint32_t column = 0; column < W; column++) {
            const uint32_t a = cases[o].row_last ? H - 1 - row : row;
            const uint32_t b = cases[o].column_last ? W - 1 - column : column;
            const uint32_t y = cases[o].sideways ? b : a, x = cases[o].sideways ? a : b;
            assert_memory_equal(turned->pixels + (y * turned->w + x) * 3,
                                stored->pixels + (row * W + column) * 3, 3);
        }
}

static void exif_turns_a_picture_upright(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        char *file;
        size_t n;
        strata_picture stored;
        assert_int_equal(strata_file_read(&file, &n,
                                          kind ? SOURCE_DIR "/tests/golden/pictures/rgb.png"
                                               : SOURCE_DIR "/tests/golden/pictures/smooth.jpg"),
                         STRATA_OK);
        assert_int_equal(strata_picture_decode(&stored, file, n, "stored"), STRATA_OK);
        for (int i = 0; i < 16; i++) {
            const int o = i / 2 + 1;
            uint8_t with[2000], tiff[TIFF];
            strata_picture turned, shape;
            make_tiff(tiff, o, i % 2);
            const size_t bytes = kind ? png_with(with, file, n, tiff, TIFF, kind == 2)
                                      : jpeg_with(with, file, n, tiff);
            assert_int_equal(strata_picture_decode(&turned, with, bytes, "turned"), STRATA_OK);
            assert_int_equal(strata_picture_look(&shape, with, bytes, "turned"), STRATA_OK);
            assert_true(shape.h == turned.h && shape.w == turned.w && !shape.pixels);
            assert_turned(&turned, &stored, o);
            strata_picture_free(&turned);
        }
        strata_picture_free(&stored);
        free(file);
    }
}

/* What a block says is its own: not what stands behind its chunk, nor what a cut file lacks. */
static void exif_ends_with_its_chunk(void **state)
{
    (void)state;
    uint8_t tiff[TIFF], with[2000];
    char *file;
    size_t n;
    strata_picture look;
    make_tiff(tiff, 6, false);
    assert_int_equal(strata_file_read(&file, &n, SOURCE_DIR "/tests/golden/pictures/rgb.png"), STRATA_OK);
    for (size_t bytes = 0; bytes <= TIFF; bytes++) {
        const size_t whole = png_with(with, file, n, tiff, bytes, true);
        memcpy(with + n - PNG_TAIL + 8, tiff, TIFF); /* the entry goes on where its chunk has ended */
        assert_int_equal(strata_picture_look(&look, with, whole, "short"), STRATA_OK);
        assert_int_equal(look.h, bytes >= 22 ? W : H); /* the entry's last 4 bytes */
    }
    for (size_t cut = 1; cut < TIFF + 12; cut++) {
        png_with(with, file, n, tiff, TIFF, true);
        const size_t rest = n + TIFF + 12 - PNG_TAIL - cut;
        uint8_t *copy = malloc(rest); /* behind it a sanitizer stands */
        assert_non_null(copy);
        memcpy(copy, with, rest);
        assert_int_equal(strata_picture_look(&look, copy, rest, "cut"), STRATA_OK);
        assert_int_equal(look.h, cut <= 4 ? W : H); /* the checksum */
        free(copy);
    }
    const size_t whole = png_with(with, file, n, tiff, TIFF, true);
    put_word(with + n - PNG_TAIL, UINT32_MAX);
    assert_int_equal(strata_picture_look(&look, with, whole, "long"), STRATA_OK);
    assert_int_equal(look.h, H);
    free(file);
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

/* Checksums of make_pictures.py: Pillow's resize to 11 x 14, torchvision's Resize(15) and CenterCrop(15). */
static void fitting_is_pillows_and_torchvisions(void **state)
{
    (void)state;
    static const struct {
        uint32_t h, w, crc[4]; /* bilinear: stretched, cropped; bicubic likewise */
    } cases[] = { { 37, 50, { 0x6506fd38, 0xe898a5fc, 0xfe6e198f, 0x8e5271fc } },
                  { 61, 20, { 0x61571f3d, 0xae475c5, 0x6c133bfd, 0xad3b7354 } },
                  { 9, 13, { 0xa55b1059, 0x711b20c9, 0xc2da23bc, 0x278f1c9f } },
                  { 30, 36, { 0xe3fd6711, 0x71433626, 0x7dc3c7b0, 0xd0e58e71 } } };
    static uint8_t pixels[61 * 50 * 3], out[15 * 15 * 3];
    for (int i = 0; i < 4; i++) {
        const uint32_t h = cases[i].h, w = cases[i].w;
        uint8_t *to = pixels;
        for (uint32_t y = 0; y < h; y++)
            for (uint32_t x = 0; x < w; x++)
                for (uint32_t k = 0; k < 3; k++) *to++ = (uint8_t)(x * 37 + y * y * 11 + k * 90 + x * y * 5);
        for (int k = 0; k < 4; k++) {
            const strata_picture_style style = { k % 2 ? STRATA_FIT_CROP : STRATA_FIT_STRETCH,
                                                 k / 2 ? STRATA_FILTER_BICUBIC : STRATA_FILTER_BILINEAR,
                                                 { 0 } };
            const uint32_t size[3] = { k % 2 ? 15 : 14, k % 2 ? 15 : 11, 3 };
            assert_int_equal(
                strata_picture_fit_as(out, size, &(const strata_picture) { pixels, h, w, 3 }, &style),
                STRATA_OK);
            assert_int_equal(crc32(0, out, size[0] * size[1] * 3), cases[i].crc[k]);
        }
    }
}

static void padding_is_the_background(void **state)
{
    (void)state;
    uint8_t pixels[2 * 4] = { 50, 50, 50, 50, 50, 50, 50, 50 }, out[4 * 4 * 3];
    const strata_picture picture = { pixels, 2, 4, 1 };
    const strata_picture_style style = { STRATA_FIT_PAD, STRATA_FILTER_BILINEAR, { 1, 2, 3 } };
    assert_int_equal(strata_picture_fit_as(out, (const uint32_t[3]) { 4, 4, 3 }, &picture, &style),
                     STRATA_OK);
    for (int i = 0; i < 48; i++) assert_int_equal(out[i], i / 12 == 0 || i / 12 == 3 ? i % 3 + 1 : 50);
    assert_int_equal(strata_picture_fit_as(out, (const uint32_t[3]) { 4, 4, 1 }, &picture, &style),
                     STRATA_OK);
    assert_int_equal(out[0], 2); /* the luma of 1, 2, 3 */
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
        cmocka_unit_test(fuzzed_pictures_are_refused),
        cmocka_unit_test(random_damage_never_crashes),
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(inks_are_mixed),
        cmocka_unit_test(exif_turns_a_picture_upright),
        cmocka_unit_test(exif_ends_with_its_chunk),
        cmocka_unit_test(fitting_is_pillows_bilinear),
        cmocka_unit_test(fitting_is_pillows_and_torchvisions),
        cmocka_unit_test(padding_is_the_background),
        cmocka_unit_test(colours_convert_and_alpha_lies_on_white),
    };
    return cmocka_run_group_tests_name("picture", tests, folder_enter, folder_leave);
}
