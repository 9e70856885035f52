/* Data sets that are made: what is in them, where it lies, and that nothing is left of a failure. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "core/file.h"
#include "core/text.h"
#include "data/collection.h"
#include "data/data.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "folder.h"

/* The last set that was made, and the notes about it. */
static strata_made last;
static char notes[4096];

static void keep_note(void *context, const char *line)
{
    (void)context;
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", line);
}

static void keep_made(void *context, const strata_made *m)
{
    (void)context;
    last = *m;
    last.class_name = NULL;
    last.class_train = last.class_valid = NULL;
}

static const strata_make_observer observer = { keep_note, keep_made, NULL };

typedef strata_status maker(const strata_make_config *config, const strata_make_observer *o);

static void makes(maker *make, const strata_make_config *config)
{
    *notes = '\0';
    if (make(config, &observer) != STRATA_OK) fail_msg("%s", strata_message());
}

static void assert_nothing_left(void)
{
    assert_false(strata_path_exists("out"));
    assert_int_equal(system("ls -d out.* > left 2> /dev/null; test ! -s left"), 0);
}

/* The maker fails with a message that holds `part`, and nothing is left. */
static void refuses(maker *make, const strata_make_config *config, strata_status wanted, const char *part)
{
    assert_int_equal(make(config, &observer), wanted);
    assert_message(part);
    assert_nothing_left();
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(strata_file_put(path, text, strlen(text)), STRATA_OK);
}

/* ---- Digits ----------------------------------------------------------------------------------- */

static void builtin_digits_come_back_from_idx_files(void **state)
{
    (void)state;
    strata_data *was, *is;
    makes(strata_make_digits, &(strata_make_config) { .out = "idx/digits", .idx = true });
    const uint64_t sum = last.checksum;
    assert_int_equal(strata_data_open(&was, "builtin:digits"), STRATA_OK);
    assert_int_equal(strata_data_open(&is, "idx/digits"), STRATA_OK);
    assert_true(is->train.n == was->train.n && is->valid.n == was->valid.n && is->valid.classes == 10);
    for (int part = 0; part < 2; part++) {
        const strata_image_set *a = part ? &was->valid : &was->train, *b = part ? &is->valid : &is->train;
        assert_memory_equal(a->labels, b->labels, a->n * sizeof *a->labels);
        for (size_t k = 0; k < (size_t)a->n * 64; k++)
            assert_true(b->pixels[k] == (a->pixels[k] * 255 + 8) / 16);
    }
    strata_data_close(was);
    strata_data_close(is);
    makes(strata_make_digits, &(strata_make_config) { .out = "png/digits" });
    assert_true(last.checksum == sum); /* what is in it, not how it is packed */
    strata_picture picture;
    assert_int_equal(strata_picture_read(&picture, "png/digits/train/0/0000.png"), STRATA_OK);
    assert_true(picture.h == 8 && picture.w == 8 && picture.c == 1 &&
                picture.pixels[2] == (5 * 255 + 8) / 16);
    strata_picture_free(&picture);
}

/* The files of the package: digit d has 5 + d images; image i of d is i at pixel d, in 1 / 255 rounded to
 * thousandths as the package has it. */
static void write_package(const char *folder)
{
    char path[128];
    assert_int_equal(strata_folder_make(folder), STRATA_OK);
    for (int d = 0; d < 10; d++) {
        strata_text text = { 0 };
        strata_text_format(&text, "{ \"data\": [");
        for (int i = 0; i < 5 + d; i++)
            for (int k = 0; k < 784; k++)
                strata_text_format(&text, "%s%.3g", i + k ? "," : "", k == d ? (16 * i + d) / 255.0 : 0);
        strata_text_format(&text, "]}");
        snprintf(path, sizeof path, "%s/%d.json", folder, d);
        write_text(path, text.s);
        strata_text_free(&text);
    }
}

static void package_digits_have_their_levels(void **state)
{
    (void)state;
    strata_data *data;
    const char *from[] = { "package" };
    write_package("package/src/digits");
    makes(strata_make_digits,
          &(strata_make_config) {
              .out = "levels", .idx = true, .from = from, .n_from = 1, .valid_fraction = .5 });
    assert_int_equal(strata_data_open(&data, "levels"), STRATA_OK);
    assert_int_equal(data->train.n + data->valid.n, 95);
    assert_in_range(data->valid.n, 28, 67); /* 47.5 and 4 deviations of a fair coin's 95 throws */
    bool seen[256] = { false };
    for (int part = 0; part < 2; part++) {
        const strata_image_set *set = part ? &data->valid : &data->train;
        for (uint32_t i = 0; i < set->n; i++) {
            const int d = set->labels[i], value = set->pixels[i * 784 + (size_t)d];
            assert_true(value % 16 == d && value / 16 < 5 + d && !seen[value]);
            seen[value] = true;
        }
    }
    strata_data_close(data);
}

static void the_seed_draws_from_training_alone(void **state)
{
    (void)state;
    const char *from[] = { "package" };
    strata_data *one, *two;
    strata_make_config config = { .out = "draw1",
                                  .idx = true,
                                  .from = from,
                                  .n_from = 1,
                                  .valid_fraction = .3,
                                  .per_class = 2,
                                  .seed = 1 };
    makes(strata_make_digits, &config);
    assert_int_equal(last.train, 20);
    const uint64_t sum = last.checksum;
    config.out = "draw1-again";
    makes(strata_make_digits, &config);
    assert_true(last.checksum == sum);
    config.out = "draw2", config.seed = 2;
    makes(strata_make_digits, &config);
    assert_true(last.checksum != sum);
    assert_int_equal(strata_data_open(&one, "draw1"), STRATA_OK);
    assert_int_equal(strata_data_open(&two, "draw2"), STRATA_OK);
    assert_int_equal(one->valid.n, two->valid.n);
    assert_memory_equal(one->valid.pixels, two->valid.pixels, (size_t)one->valid.n * 784);
    for (uint32_t i = 0; i < 20; i++) assert_int_equal(one->train.labels[i], i / 2);
    strata_data_close(one);
    strata_data_close(two);
}

static void wrong_digits_are_refused(void **state)
{
    (void)state;
    const char *from[] = { "bad", "worse" };
    strata_make_config config = { .out = "out", .from = from, .n_from = 1 };
    refuses(strata_make_digits, &config, STRATA_FILE, "bad/0.json is not there");
    assert_int_equal(strata_folder_make("bad"), STRATA_OK);
    write_text("bad/0.json", "{\"data\": [1, 2, 3]}");
    refuses(strata_make_digits, &config, STRATA_FILE, "784 numbers for each digit, came 3");
    write_text("bad/0.json", "{\"data\": [");
    refuses(strata_make_digits, &config, STRATA_FILE, "bad/0.json:1:");
    write_package("bad");
    write_text("bad/1.json", "{\"data\": 7}");
    refuses(strata_make_digits, &config, STRATA_FILE, "bad/1.json");
    strata_text text = { 0 };
    for (int k = 0; k < 784; k++)
        strata_text_format(&text, "%s%s", k ? ", " : "{\"data\": [", k == 9 ? "1.5" : "0");
    strata_text_format(&text, "]}");
    write_text("bad/1.json", text.s);
    strata_text_free(&text);
    refuses(strata_make_digits, &config, STRATA_FILE, "bad/1.json: value 9 is not a number in [0, 1]");
    config.n_from = 2;
    refuses(strata_make_digits, &config, STRATA_BAD_ARG, "one folder, got 2");
    config.n_from = 0, config.valid_fraction = .5;
    refuses(strata_make_digits, &config, STRATA_BAD_ARG, "their own validation part");
    config.valid_fraction = 0, config.size = 7;
    refuses(strata_make_digits, &config, STRATA_BAD_ARG, "8 to 1024 pixels, got 7");
    config.size = 0, config.out = "bad/0.json/out";
    assert_int_equal(strata_make_digits(&config, NULL), STRATA_FILE);
    config.out = "bad";
    assert_int_equal(strata_make_digits(&config, NULL), STRATA_BAD_ARG);
    assert_message("bad is there and not an empty folder");
}

/* ---- Glyphs ------------------------------------------------------------------------------------ */

/* Copies of the font that ships, under the names a.ttf, b.ttf, ...; `spoilt` is one without its table of
 * characters. */
static void write_fonts(const char *folder, int n, const char *spoilt)
{
    char *bytes, path[128];
    size_t length;
    assert_int_equal(strata_folder_make(folder), STRATA_OK);
    assert_int_equal(strata_file_read(&bytes, &length, SOURCE_DIR "/assets/fonts/dejavu-sans.ttf"),
                     STRATA_OK);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%c.ttf", folder, 'a' + i);
        assert_int_equal(strata_file_put(path, bytes, length), STRATA_OK);
    }
    for (size_t i = 12; i < 400; i += 16)
        if (memcmp(bytes + i, "cmap", 4) == 0) bytes[i] = 'x';
    if (spoilt) assert_int_equal(strata_file_put(spoilt, bytes, length), STRATA_OK);
    free(bytes);
}

static void glyphs_are_made_as_digits_were(void **state)
{
    (void)state;
    strata_data *data;
    const char *from[] = { "fonts" };
    strata_make_config config = {
        .out = "glyphs", .idx = true, .from = from, .n_from = 1, .valid_fraction = 0.5
    };
    write_fonts("fonts", 12, "fonts/spoilt.ttf");
    write_text("fonts/text.ttf", "this is no font at all");
    write_text("fonts/readme.txt", "nor is this");
    makes(strata_make_glyphs, &config);
    assert_int_equal(last.train + last.valid, 12 * 36);
    assert_int_equal(last.train % 36, 0); /* a font is of one part */
    assert_non_null(strstr(notes, "spoilt.ttf is left out"));
    assert_non_null(strstr(notes, "12 of 14 fonts of fonts"));
    assert_int_equal(strata_data_open(&data, "glyphs"), STRATA_OK);
    assert_int_equal(data->train.classes, 36);
    assert_string_equal(data->train.class_names[10], "A");
    for (uint32_t i = 0; i < 36; i++) {
        uint32_t left = 28, right = 0, top = 28, bottom = 0;
        double mass = 0, cx = 0, cy = 0;
        for (uint32_t k = 0; k < 784; k++) {
            const uint32_t x = k % 28, y = k / 28;
            const double v = data->train.pixels[i * 784 + k];
            if (v == 0) continue;
            left = x < left ? x : left, right = x > right ? x : right;
            top = y < top ? y : top, bottom = y;
            mass += v, cx += v * (x + .5), cy += v * (y + .5);
        }
        const uint32_t w = right - left + 1, h = bottom - top + 1;
        assert_int_equal(data->train.labels[i], i);
        assert_int_equal(w > h ? w : h, 20);
        /* whole pixels: half a pixel off at most, but that the ink stays inside */
        assert_true(cx / mass > 13.49 && cx / mass < 14.51);
        assert_true(cy / mass > 13.49 && cy / mass < 14.51);
        for (uint32_t k = 0; k < i; k++)
            assert_memory_not_equal(data->train.pixels + i * 784, data->train.pixels + k * 784, 784);
    }
    /* an I is upright, an L stands on its foot */
    const uint8_t *upright = data->train.pixels + 18 * 784, *foot = data->train.pixels + 21 * 784;
    for (uint32_t y = 6; y < 22; y++) assert_true(upright[y * 28 + 14] == 255 || upright[y * 28 + 13] == 255);
    uint32_t row[28] = { 0 }, first = 28, end = 0;
    for (uint32_t k = 0; k < 784; k++) {
        if (foot[k] < 128) continue;
        row[k / 28]++;
        first = k / 28 < first ? k / 28 : first;
        end = k / 28;
    }
    assert_true(row[end] > 2 * row[first]);
    strata_data_close(data);
    const uint64_t sum = last.checksum;
    config.out = "again";
    makes(strata_make_glyphs, &config);
    assert_true(last.checksum == sum);
}

static void fonts_that_are_missing_are_told(void **state)
{
    (void)state;
    const char *from[] = { "nofonts", "fonts" };
    strata_make_config config = { .out = "out", .from = from, .n_from = 1 };
    refuses(strata_make_glyphs, &config, STRATA_FILE, "cannot read folder nofonts");
    assert_int_equal(strata_folder_make("nofonts"), STRATA_OK);
    refuses(strata_make_glyphs, &config, STRATA_FILE, "nofonts holds no font (.ttf)");
    config.n_from = 2;
    refuses(strata_make_glyphs, &config, STRATA_BAD_ARG, "one folder of fonts, got 2");
}

/* ---- Emoji ------------------------------------------------------------------------------------- */

static void write_picture(const char *folder, const char *name, uint32_t side, const uint8_t colour[4])
{
    char path[256];
    static uint8_t pixels[72 * 72 * 4];
    for (uint32_t i = 0; i < side * side; i++) memcpy(pixels + 4 * i, colour, 4);
    snprintf(path, sizeof path, "%s/%s.png", folder, name);
    assert_int_equal(strata_folder_make(folder), STRATA_OK);
    assert_int_equal(strata_picture_write(&(strata_picture) { pixels, side, side, 4 }, path), STRATA_OK);
}

enum { FACES = 40 };
static const uint8_t red[4] = { 255, 0, 0, 128 }, blue[4] = { 0, 0, 255, 255 };
#define TANUKI    "gems/tanuki_emoji-1"
#define GEMOJIONE "gems/gemojione-1"

/* 40 faces of each vendor, a man with three trades, a hand with a tone, a flag, and what is none. */
static void write_gems(void)
{
    static const char pictures[] = TANUKI "/app/assets/images/tanuki_emoji",
                      other[] = GEMOJIONE "/assets/png";
    strata_text list = { 0 };
    char name[64];
    strata_text_format(&list, "# a comment\n\n# group: Smileys & Emotion\n\n# subgroup: face\n");
    for (unsigned i = 0; i < FACES; i++) {
        strata_text_format(&list, "%X   ; fully-qualified # E1.0 face\n", 0x1F600 + i);
        snprintf(name, sizeof name, "emoji_u%x", 0x1f600 + i);
        write_picture(pictures, name, 72, red);
        snprintf(name, sizeof name, "%X", 0x1F600 + i);
        write_picture(other, name, 64, blue);
    }
    strata_text_format(&list, "# group: People & Body\n1F44B ; fully-qualified # hand\n"
                              "1F44B 1F3FB ; fully-qualified # light hand\n"
                              "1F468 200D 1F680 ; fully-qualified # astronaut\n"
                              "1F468 200D 1F33E ; fully-qualified # farmer\n"
                              "1F468 200D 2695 FE0F ; fully-qualified # doctor\n"
                              "# group: Component\n1F3FB ; component # tone\n"
                              "# group: Flags\n1F1E8 1F1ED ; fully-qualified # Switzerland\n");
    static const char *const tanuki[] = { "emoji_u1f44b",
                                          "emoji_u1f44b_1f3fb",
                                          "emoji_u1f468_200d_1f680",
                                          "emoji_u1f468_200d_2695",
                                          "CH",
                                          "emoji_u1f3fb",
                                          "logo" };
    static const char *const gemojione[] = { "1F44B", "1F44B-1F3FB", "1F468-1F33E", "1F468-2695",
                                             "1F1E8-1F1ED" };
    for (int i = 0; i < 7; i++) write_picture(pictures, tanuki[i], 72, red);
    for (int i = 0; i < 5; i++) write_picture(other, gemojione[i], 64, blue);
    assert_int_equal(strata_folder_make(TANUKI "/vendor/unicode"), STRATA_OK);
    write_text(TANUKI "/vendor/unicode/emoji-test.txt", list.s);
    strata_text_free(&list);
}

static bool in_part(const char *folder, const char *part, const char *class_and_name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s/%s.png", folder, part, class_and_name);
    return strata_path_exists(path);
}

static void emoji_are_split_by_code_point(void **state)
{
    (void)state;
    const char *from[] = { GEMOJIONE, TANUKI };
    strata_make_config config = { .out = "emoji", .from = from, .n_from = 2, .valid_fraction = 0.4 };
    write_gems();
    makes(strata_make_emoji, &config);
    assert_int_equal(last.train + last.valid, 2 * (FACES + 4)); /* hand, two trades, flag */
    assert_true(last.classes == 9 && last.h == 64 && last.c == 3);
    assert_non_null(strstr(notes, "tanuki: 44 emoji; 1 with skin tones left out"));
    assert_non_null(strstr(notes, "tanuki: 2 files are of no emoji"));
    uint32_t train = 0;
    for (unsigned i = 0; i < FACES; i++) {
        char tanuki[64], gemojione[64];
        snprintf(tanuki, sizeof tanuki, "smileys-emotion/%X-tanuki", 0x1F600 + i);
        snprintf(gemojione, sizeof gemojione, "smileys-emotion/%X-gemojione", 0x1F600 + i);
        assert_int_equal(in_part("emoji", "train", tanuki), in_part("emoji", "train", gemojione));
        assert_int_equal(in_part("emoji", "train", tanuki), !in_part("emoji", "valid", tanuki));
        train += in_part("emoji", "train", tanuki);
    }
    assert_in_range(train, 12, 36); /* 24 and four deviations of 40 throws */
    const bool man = in_part("emoji", "train", "people-body/1F468-1F680-tanuki");
    assert_int_equal(in_part("emoji", "train", "people-body/1F468-1F33E-gemojione"), man);
    assert_int_equal(in_part("emoji", "train", "people-body/1F468-2695-tanuki"), man);
    const bool flag = in_part("emoji", "train", "flags/1F1E8-1F1ED-tanuki");
    assert_int_equal(in_part("emoji", "train", "flags/1F1E8-1F1ED-gemojione"), flag);
    assert_int_equal(in_part("emoji", "valid", "flags/1F1E8-1F1ED-gemojione"), !flag);
    strata_picture picture;
    assert_int_equal(strata_picture_read(&picture, man ? "emoji/train/people-body/1F468-1F680-tanuki.png"
                                                       : "emoji/valid/people-body/1F468-1F680-tanuki.png"),
                     STRATA_OK);
    assert_true(picture.h == 64 && picture.w == 64 && picture.c == 3);
    for (int k = 0; k < 64 * 64; k++) /* half of red over white */
        assert_true(picture.pixels[3 * k] == 255 && picture.pixels[3 * k + 1] == 127);
    strata_picture_free(&picture);
    config.out = "tones", config.skin_tones = true;
    makes(strata_make_emoji, &config);
    assert_int_equal(last.train + last.valid, 2 * (FACES + 5));
    const bool hand = in_part("tones", "train", "people-body/1F44B-tanuki");
    assert_int_equal(in_part("tones", "train", "people-body/1F44B-1F3FB-gemojione"), hand);
}

static void emoji_that_are_missing_are_named(void **state)
{
    (void)state;
    const char *from[] = { "nowhere" };
    strata_make_config config = { .out = "out", .from = from, .n_from = 1 };
    refuses(strata_make_emoji, &config, STRATA_FILE,
            "nowhere holds neither app/assets/images/tanuki_emoji nor");
    from[0] = GEMOJIONE;
    refuses(strata_make_emoji, &config, STRATA_FILE, "apt install ruby-tanuki-emoji");
    from[0] = TANUKI;
    config.idx = true;
    refuses(strata_make_emoji, &config, STRATA_BAD_ARG, "IDX files hold grey images");
    config.idx = false;
    write_text(TANUKI "/app/assets/images/tanuki_emoji/emoji_u1f600.png", "no picture");
    refuses(strata_make_emoji, &config, STRATA_FILE, "emoji_u1f600.png");
    write_text(TANUKI "/vendor/unicode/emoji-test.txt", "# group: Flags\n");
    refuses(strata_make_emoji, &config, STRATA_FILE, "emoji-test.txt: wanted Unicode's list");
}

/* A disk that fills up, as a limit on the size of a file stands in for it. */
static void a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 50000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const strata_status status = strata_make_digits(&(strata_make_config) { .out = "out", .idx = true },
                                                    &observer);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STRATA_FILE);
    assert_message("train-images-idx3-ubyte");
    assert_nothing_left();
}

/* While images are gathered, and while they are written. */
static void an_interrupted_maker_leaves_nothing(void **state)
{
    (void)state;
    static volatile int flag = 1;
    const strata_make_config config = { .out = "out", .interrupt = &flag };
    refuses(strata_make_digits, &config, STRATA_INTERRUPTED, "interrupted");
    static const char *const name = "one";
    const uint8_t pixels[64] = { 0 };
    const strata_picture picture = { (uint8_t *)(uintptr_t)pixels, 8, 8, 1 };
    for (int idx = 0; idx < 2; idx++) {
        const strata_make_config written = { .out = "out", .idx = idx, .interrupt = &flag };
        collection c;
        assert_int_equal(collection_begin(&c, &written, 8), STRATA_OK);
        c.c = c.classes = 1;
        c.class_name = &name;
        flag = 0;
        assert_int_equal(collection_add(&c, &picture, &(collection_image) { "a", 0, false }), STRATA_OK);
        assert_int_equal(collection_add(&c, &picture, &(collection_image) { "b", 0, true }), STRATA_OK);
        flag = 1;
        assert_int_equal(collection_write(&c, &written, &observer), STRATA_INTERRUPTED);
        assert_nothing_left();
        collection_free(&c);
    }
}

/* ---- Collections ------------------------------------------------------------------------------- */

/* Three images of class a and two of b, of which one and two are for validation. */
static void collect(collection *c, const strata_make_config *config, const collection_image *image)
{
    static const char *const names[] = { "a", "b" };
    assert_int_equal(collection_begin(c, config, 8), STRATA_OK);
    c->c = 1;
    c->classes = 2;
    c->class_name = names;
    for (int i = 0; i < 5; i++) {
        uint8_t pixels[64];
        memset(pixels, 10 + i, sizeof pixels);
        const strata_picture picture = { pixels, 8, 8, 1 };
        assert_int_equal(collection_add(c, &picture, &image[i]), STRATA_OK);
    }
}

static void see_counts(void *context, const strata_made *m)
{
    uint64_t *sum = context;
    assert_true(m->train == 2 && m->valid == 3 && m->classes == 2);
    assert_true(m->class_train[0] == 2 && m->class_train[1] == 0);
    assert_true(m->class_valid[0] == 1 && m->class_valid[1] == 2);
    *sum = m->checksum;
}

static const collection_image images[5] = {
    { "x", 0, false }, { "y", 1, true }, { "z", 0, true }, { "u", 0, false }, { "v", 1, true }
};

/* Which are for training, and what they are called, are in the sum, however they are packed. */
static void sums_and_counts_are_of_the_images(void **state)
{
    (void)state;
    uint64_t sum[4] = { 0 };
    for (int k = 0; k < 4; k++) {
        collection c;
        collection_image image[5];
        char out[] = "sums0";
        out[4] = (char)('0' + k);
        const strata_make_config config = { .out = out, .idx = k == 3 };
        memcpy(image, images, sizeof image);
        if (k == 1) image[0].name = "w";
        if (k == 2) image[2].valid = false, image[3].valid = true; /* as many of each */
        collect(&c, &config, image);
        assert_int_equal(collection_write(&c, &config, &(strata_make_observer) { NULL, see_counts, &sum[k] }),
                         STRATA_OK);
        collection_free(&c);
    }
    assert_true(sum[0] == sum[3]); /* however they are packed */
    assert_true(sum[0] != sum[1] && sum[0] != sum[2] && sum[1] != sum[2]);
}

/* Some of each part are wanted, and a byte for a class of IDX files. */
static void collections_that_are_no_set_are_refused(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        collection c;
        collection_image image[5];
        const strata_make_config config = { .out = "out", .idx = true };
        memcpy(image, images, sizeof image);
        for (int i = 0; i < 5 && k < 2; i++) image[i].valid = k;
        collect(&c, &config, image);
        if (k == 2) c.classes = 257;
        assert_int_equal(collection_write(&c, &config, NULL), STRATA_BAD_ARG);
        assert_message(k == 0   ? "5 training and 0 validation images: wanted some of each"
                       : k == 1 ? "0 training and 5 validation images"
                                : "at most 256 classes");
        assert_nothing_left();
        collection_free(&c);
    }
}

/* A fifth of all, unless the config says another share: within five deviations of 10000 draws. */
static void a_share_is_for_validation(void **state)
{
    (void)state;
    static const double shares[][2] = { { 0, 0.2 }, { 0.05, 0.05 } };
    for (int i = 0; i < 2; i++) {
        const strata_make_config config = { .valid_fraction = shares[i][0] };
        const double share = shares[i][1];
        int valid = 0;
        for (int k = 0; k < 10000; k++) {
            char key[16];
            snprintf(key, sizeof key, "%d", k);
            valid += collection_is_valid(&config, key);
        }
        assert_in_range(valid, (int)(10000 * share) - 200, (int)(10000 * share) + 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builtin_digits_come_back_from_idx_files),
        cmocka_unit_test(package_digits_have_their_levels),
        cmocka_unit_test(the_seed_draws_from_training_alone),
        cmocka_unit_test(an_interrupted_maker_leaves_nothing),
        cmocka_unit_test(wrong_digits_are_refused),
        cmocka_unit_test(glyphs_are_made_as_digits_were),
        cmocka_unit_test(fonts_that_are_missing_are_told),
        cmocka_unit_test(emoji_are_split_by_code_point),
        cmocka_unit_test(emoji_that_are_missing_are_named),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(sums_and_counts_are_of_the_images),
        cmocka_unit_test(collections_that_are_no_set_are_refused),
        cmocka_unit_test(a_share_is_for_validation),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
