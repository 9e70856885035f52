/* safetensors: what is written is read back; the same tensors give the same bytes; every rule of the format
 * is kept by the reader, and no damaged file is read past its end. */
#include "model/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/file.h"
#include "damage.h"
#include "folder.h"
#include "model/weights_file.h"

static const char path[] = "weights";

/* A file of this header, written as it is, and `data` bytes of zeros. */
static void write_raw(const char *header, size_t data)
{
    size_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length + data);
    assert_non_null(bytes);
    memcpy(bytes, &(uint64_t) { length }, 8);
    memcpy(bytes + 8, header, length);
    assert_int_equal(strata_file_write(path, bytes, 8 + length + data), STRATA_OK);
    free(bytes);
}

static const float weight[6] = { 1, -2, 3.5f, 0, -0.0f, 1e-30f };
static const float bias[2] = { 7, 8 };
static const int64_t counter = 12345678901;

static const strata_stored tensors[] = {
    { .name = "fc.weight", .dtype = STRATA_DTYPE_F32, .rank = 2, .dim = { 2, 3 }, .bytes = weight },
    { .name = "bn.n", .dtype = STRATA_DTYPE_I64, .rank = 0, .bytes = &counter },
    { .name = "fc.bias", .dtype = STRATA_DTYPE_F32, .rank = 1, .dim = { 2 }, .bytes = bias },
    { .name = "none \"\xc3\xa9\"", .dtype = STRATA_DTYPE_F32, .rank = 2, .dim = { 0, 5 } },
};
static const strata_note notes[] = { { "format", "pt" }, { "classes", "[\"a\",\"b\"]" } };

static void write_sample(void)
{
    assert_int_equal(strata_safetensors_write(path, tensors, 4, notes, 2), STRATA_OK);
}

static void round_trip(void **state)
{
    (void)state;
    strata_weights_file *f;
    float values[6];
    int64_t count;
    write_sample();
    assert_int_equal(strata_weights_open(&f, path), STRATA_OK);
    assert_int_equal(f->n, 4);
    assert_int_equal(f->safetensors->data_at % 8, 0);
    assert_string_equal(f->tensor[0].name, "bn.n"); /* wide elements first, then by name */
    assert_string_equal(f->tensor[1].name, "fc.bias");
    assert_string_equal(f->tensor[2].name, "fc.weight");
    assert_string_equal(f->tensor[3].name, tensors[3].name);
    const strata_stored *t = strata_weights_find(f, "fc.weight");
    assert_string_equal(strata_stored_shape(t).s, "[2,3]");
    assert_int_equal(strata_weights_read_f32(f, t, values), STRATA_OK);
    assert_memory_equal(values, weight, sizeof weight);
    assert_int_equal(strata_weights_read(f, &f->tensor[0], &count), STRATA_OK);
    assert_true(count == counter);
    assert_string_equal(strata_stored_shape(&f->tensor[0]).s, "[]");
    assert_int_equal(strata_weights_read_f32(f, &f->tensor[0], values), STRATA_FILE);
    assert_message("tensor 'bn.n' wants F32, F16, BF16 or F64, but is I64");
    assert_int_equal(strata_weights_read_f32(f, &f->tensor[3], values), STRATA_OK); /* empty */
    assert_string_equal(strata_weights_note(f, "format"), "pt");
    assert_string_equal(strata_weights_note(f, "classes"), notes[1].value);
    assert_null(strata_weights_note(f, "else"));
    assert_null(strata_weights_find(f, "fc"));
    strata_weights_close(f);
}

static void same_bytes_for_any_order(void **state)
{
    (void)state;
    char *first, *second;
    size_t n, m;
    write_sample();
    assert_int_equal(strata_file_read(&first, &n, path), STRATA_OK);
    strata_stored turned[4];
    for (int i = 0; i < 4; i++) turned[i] = tensors[3 - i];
    assert_int_equal(strata_safetensors_write(path, turned, 4, notes, 2), STRATA_OK);
    assert_int_equal(strata_file_read(&second, &m, path), STRATA_OK);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    free(first);
    free(second);
    turned[1] = turned[0];
    assert_int_equal(strata_safetensors_write(path, turned, 4, notes, 2), STRATA_BAD_ARG);
    assert_message("two tensors named");
}

/* Written by hand, as the format's description has it. */
static void reads_other_writers(void **state)
{
    (void)state;
    strata_weights_file *f;
    float x;
    const char header[] = "{ \"a\": {\"shape\":[1], \"data_offsets\":[0,4], \"dtype\":\"F32\"}}   \n";
    write_raw(header, 4);
    assert_int_equal(strata_weights_open(&f, path), STRATA_OK);
    assert_int_equal(strata_weights_read_f32(f, f->tensor, &x), STRATA_OK);
    assert_true(x == 0);
    strata_weights_close(f);
    write_raw("{}", 0);
    assert_int_equal(strata_weights_open(&f, path), STRATA_OK);
    assert_int_equal(f->n, 0);
    strata_weights_close(f);
}

#define TENSOR(name, dtype, shape, offsets)                                                                  \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t data;
    const char *message;
} broken[] = {
    { "", 0, "does not begin with '{'" },
    { " {}", 0, "does not begin with '{'" },
    { "[]", 0, "does not begin with '{'" },
    { "{", 0, "its header, at byte" },
    { "{} x", 0, "its header, at byte" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 3, "its tensors have 4 bytes, but the file holds 3" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 5, "its tensors have 4 bytes, but the file holds 5" },
    { "{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, "'a' begins at byte 4 of the data, but" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[2,6]") "}", 6, "'b' begins at" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[8,12]") "}", 12,
      "'b' begins at" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[0,4]") "}", 4, "'b' begins at" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, "duplicate" },
    { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "duplicate" },
    { "{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4, "tensor 'a' of F32 [2] has 4 bytes" },
    { "{" TENSOR("a", "F32", "[4611686018427387905]", "[0,4]") "}", 4,
      "has 4 bytes" }, /* 4 times it: 2^64+4 */
    { "{" TENSOR("a", "U8", "[4294967296,4294967296,0]", "[0,0]") "}", 0, "has 0 bytes" },
    { "{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, "dimension 0 of tensor 'a'" },
    { "{" TENSOR("a", "F32", "[1.0]", "[0,4]") "}", 4, "dimension 0 of tensor 'a'" },
    { "{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "has 9 dimensions" },
    { "{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, "begin <= end" },
    { "{" TENSOR("a", "F32", "[1]", "[0,4,8]") "}", 4, "begin <= end" },
    { "{" TENSOR("a", "F32", "[1]", "[0,\"4\"]") "}", 4, "begin <= end" },
    { "{" TENSOR("a", "f32", "[1]", "[0,4]") "}", 4, "unknown dtype 'f32'" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "wants dtype, shape and data_offsets" },
    { "{\"a\":7}", 0, "wants dtype, shape and data_offsets" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "'a' in __metadata__ is not a string" },
    { "{\"__metadata__\":[]}", 0, "__metadata__ is not an object" },
};

static void keeps_every_rule(void **state)
{
    (void)state;
    strata_weights_file *f;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        write_raw(broken[i].header, broken[i].data);
        if (strata_weights_open(&f, path) != STRATA_FILE) fail_msg("accepted: %s", broken[i].header);
        assert_null(f);
        assert_message(broken[i].message);
        assert_message(path);
    }
}

static void refuses_what_is_no_such_file(void **state)
{
    (void)state;
    strata_weights_file *f;
    assert_int_equal(strata_weights_open(&f, "/nowhere/at/all"), STRATA_FILE);
    assert_message("/nowhere/at/all");
    assert_int_equal(strata_weights_open(&f, "/tmp"), STRATA_FILE);
    assert_int_equal(strata_file_write(path, "seven b", 7), STRATA_OK);
    assert_int_equal(strata_weights_open(&f, path), STRATA_FILE);
    assert_message("7 bytes are no safetensors file");
    assert_int_equal(strata_file_write(path, "<html>not found</html>", 22), STRATA_OK);
    assert_int_equal(strata_weights_open(&f, path), STRATA_FILE);
    assert_message("no safetensors file, or cut short");
    /* A header of 2^63 bytes must not be asked of malloc. */
    assert_int_equal(strata_file_write(path, "\0\0\0\0\0\0\0\200{}", 10), STRATA_OK);
    assert_int_equal(strata_weights_open(&f, path), STRATA_FILE);
}

static double half_value(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double sign = h >> 15 ? -1 : 1;
    if (exponent == 31) return fraction ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void widens_every_half(void **state)
{
    (void)state;
    enum { N = 65536 };
    strata_weights_file *f;
    uint16_t *all = malloc(N * sizeof *all);
    float *values = malloc(N * sizeof *values);
    assert_non_null(all);
    assert_non_null(values);
    for (int i = 0; i < N; i++) all[i] = (uint16_t)i;
    const strata_stored list[] = {
        { .name = "half", .dtype = STRATA_DTYPE_F16, .rank = 1, .dim = { N }, .bytes = all },
        { .name = "brain", .dtype = STRATA_DTYPE_BF16, .rank = 1, .dim = { N }, .bytes = all },
        { .name = "wide",
          .dtype = STRATA_DTYPE_F64,
          .rank = 1,
          .dim = { 2 },
          .bytes = (double[]) { 0.1, -3 } },
    };
    assert_int_equal(strata_safetensors_write(path, list, 3, NULL, 0), STRATA_OK);
    assert_int_equal(strata_weights_open(&f, path), STRATA_OK);
    assert_int_equal(strata_weights_read_f32(f, strata_weights_find(f, "half"), values), STRATA_OK);
    for (int i = 0; i < N; i++) {
        double want = half_value((uint16_t)i);
        if (isnan(want) ? !isnan(values[i]) : values[i] != want || !signbit(values[i]) != !signbit(want))
            fail_msg("half %x gives %g, not %g", (unsigned)i, (double)values[i], want);
    }
    assert_int_equal(strata_weights_read_f32(f, strata_weights_find(f, "brain"), values), STRATA_OK);
    for (int i = 0; i < N; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        assert_int_equal(bits, (uint32_t)i << 16);
    }
    assert_int_equal(strata_weights_read_f32(f, strata_weights_find(f, "wide"), values), STRATA_OK);
    assert_true(values[0] == 0.1f && values[1] == -3.0f);
    strata_weights_close(f);
    free(all);
    free(values);
}

/* Doubles that no float holds are no weights: they are told, and not taken for infinite ones. */
static void large_doubles_are_told(void **state)
{
    (void)state;
    static const struct {
        double value;
        bool fits;
    } some[] = { { 3.4e38, true }, { -3.5e38, false }, { 1e300, false }, { INFINITY, true }, { NAN, true } };
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        strata_weights_file *f;
        float values[2];
        const strata_stored wide = { .name = "wide",
                                     .dtype = STRATA_DTYPE_F64,
                                     .rank = 1,
                                     .dim = { 2 },
                                     .bytes = (double[]) { 1, some[i].value } };
        assert_int_equal(strata_safetensors_write(path, &wide, 1, NULL, 0), STRATA_OK);
        assert_int_equal(strata_weights_open(&f, path), STRATA_OK);
        assert_int_equal(strata_weights_read_f32(f, f->tensor, values),
                         some[i].fits ? STRATA_OK : STRATA_FILE);
        if (!some[i].fits) assert_message("1 values of tensor 'wide' are too large for F32");
        strata_weights_close(f);
    }
}

static uint16_t narrowed(double value, strata_dtype dtype)
{
    const float x = (float)value;
    uint16_t bits;
    assert_true((double)x == value);
    strata_narrow(&bits, &x, dtype, 1);
    return bits;
}

/* Every 16-bit number, what lies half-way to the next, and what lies beside that. `top`: infinity's bits. */
static void rounds(strata_dtype dtype, uint16_t top)
{
    for (uint16_t h = 0; h < top; h++) {
        float both[2];
        const uint16_t pair[2] = { h, (uint16_t)(h + 1) };
        strata_widen(both, pair, dtype, 2);
        const double low = (double)both[0], last = dtype == STRATA_DTYPE_F16 ? 65536 : ldexp(1, 128);
        const double middle = (low + (pair[1] == top ? last : (double)both[1])) / 2;
        const uint16_t even = h % 2 ? pair[1] : h;
        assert_int_equal(narrowed(low, dtype), h);
        assert_int_equal(narrowed(-low, dtype), h | 0x8000);
        if (middle < ldexp(1, -149)) continue; /* no float lies between the two smallest of BF16 */
        assert_int_equal(narrowed(middle, dtype), even);
        assert_int_equal(narrowed(-middle, dtype), even | 0x8000);
        assert_int_equal(narrowed((double)nextafterf((float)middle, 0), dtype), h);
        assert_int_equal(narrowed((double)nextafterf((float)middle, INFINITY), dtype), pair[1]);
    }
}

static void narrows_to_nearest(void **state)
{
    (void)state;
    rounds(STRATA_DTYPE_F16, 0x7c00);
    rounds(STRATA_DTYPE_BF16, 0x7f80);
    const float odd[] = { NAN, INFINITY, -INFINITY, 65519, 65520, -1e30f, 3.4e38f, 0x1p-25f, 0x1.8p-25f };
    uint16_t half[9], brain[9];
    float back[9];
    assert_int_equal(strata_narrow(half, odd, STRATA_DTYPE_F16, 9), 3);
    strata_widen(back, half, STRATA_DTYPE_F16, 9);
    assert_true(isnan(back[0]) && back[1] == INFINITY && back[2] == -INFINITY && back[3] == 65504);
    assert_true(back[4] == INFINITY && back[5] == -INFINITY && back[7] == 0 && back[8] == 0x1p-24f);
    assert_int_equal(strata_narrow(brain, odd, STRATA_DTYPE_BF16, 9), 1); /* 3.4e38 */
    strata_widen(back, brain, STRATA_DTYPE_BF16, 9);
    assert_true(isnan(back[0]) && back[1] == INFINITY && back[4] == 65536);
}

/* Open a damaged file; where that succeeds, read all of it. The sanitizers judge. */
static void read_whole(void)
{
    strata_weights_file *f;
    if (strata_weights_open(&f, path) != STRATA_OK) {
        assert_message(path);
        return;
    }
    for (uint32_t i = 0; i < f->n; i++) {
        float *values = malloc(strata_stored_count(&f->tensor[i]) * sizeof *values + 1);
        assert_non_null(values);
        strata_weights_read_f32(f, &f->tensor[i], values);
        free(values);
    }
    strata_weights_close(f);
}

/* Another bit, or what a header is made of. */
static char bit_or_mark(char old, uint32_t x, uint32_t y)
{
    return x % 2 ? (char)(old ^ (1 << y % 8)) : "0129{}[],:\"-e. F"[y % 16];
}

static void survives_damage(void **state)
{
    (void)state;
    write_sample();
    damage_each(path, path, 4, bit_or_mark, read_whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(same_bytes_for_any_order),
        cmocka_unit_test(reads_other_writers),
        cmocka_unit_test(keeps_every_rule),
        cmocka_unit_test(refuses_what_is_no_such_file),
        cmocka_unit_test(widens_every_half),
        cmocka_unit_test(large_doubles_are_told),
        cmocka_unit_test(narrows_to_nearest),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
