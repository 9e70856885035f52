/* .pth files: what torch.save wrote is read bit for bit, whatever the views; what is no data is refused by
 * its name; every rule of archive and pickle is kept, and no damaged file is read past its end. */
#include "model/pth.h"

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

/* ---- An archive written by hand ------------------------------------------------------------------ */

typedef struct buffer {
    unsigned char bytes[8192];
    size_t n;
} buffer;

static void add(buffer *b, const void *bytes, size_t n)
{
    assert_true(b->n + n <= sizeof b->bytes);
    memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
}

/* Little-endian, of up to 22 bytes. */
static void add_number(buffer *b, uint64_t value, size_t size)
{
    const uint64_t wide[3] = { value };
    add(b, wide, size);
}

/* What is wrong with an archive; 0: nothing. */
enum {
    SOUND,
    COMPRESSED,
    ENCRYPTED,
    TWO_SIZES,
    TWICE,
    MISPLACED,
    BEHIND_END,
    LONG_NAME,
    LONG_MEMBER,
    MANY_MEMBERS,
    DIRECTORY_BEHIND_END,
    NO_END,
    ZIP64,
    ZIP64_BEHIND_END,
    ZIP64_EXTRA,
    ZIP64_EXTRA_CUT
};

typedef struct member {
    const char *name;
    const void *bytes;
    size_t n;
} member;

static void add_entry(buffer *b, const member *m, size_t at, int fault)
{
    const bool wide = fault == ZIP64_EXTRA || fault == ZIP64_EXTRA_CUT;
    add(b, "PK\1\2", 4);
    add_number(b, 0, 4);
    add_number(b, fault == ENCRYPTED, 2);
    add_number(b, fault == COMPRESSED ? 8 : 0, 2);
    add_number(b, 0, 8);
    add_number(b, wide ? UINT32_MAX : m->n + (fault == TWO_SIZES) + (fault == LONG_MEMBER ? 1 << 20 : 0), 4);
    add_number(b, wide ? UINT32_MAX : m->n + (fault == LONG_MEMBER ? 1 << 20 : 0), 4);
    add_number(b, strlen(m->name) + (fault == LONG_NAME ? 9999 : 0), 2);
    add_number(b, wide ? 20 : 0, 2);
    add_number(b, 0, 10);
    add_number(b, fault == BEHIND_END ? 1 << 30 : at + (fault == MISPLACED), 4);
    add(b, m->name, strlen(m->name));
    if (!wide) return;
    add_number(b, 1, 2);
    add_number(b, fault == ZIP64_EXTRA ? 16 : 17, 2);
    add_number(b, m->n, 8);
    add_number(b, m->n, 8);
}

static void add_end(buffer *b, size_t directory, uint32_t n, int fault)
{
    const size_t at = b->n;
    const bool wide = fault == ZIP64 || fault == ZIP64_BEHIND_END;
    if (wide) {
        add(b, "PK\6\6", 4);
        add_number(b, 44, 8);
        add_number(b, 0, 12);
        add_number(b, n, 8);
        add_number(b, n, 8);
        add_number(b, at - directory, 8);
        add_number(b, fault == ZIP64 ? directory : UINT64_MAX - 4, 8);
        add(b, "PK\6\7", 4);
        add_number(b, 0, 4);
        add_number(b, at, 8);
        add_number(b, 1, 4);
    }
    if (fault == NO_END) return;
    add(b, "PK\5\6", 4);
    add_number(b, 0, 4);
    add_number(b, n, 2);
    add_number(b, wide ? 0xffff : n + (fault == MANY_MEMBERS ? 60000 : 0), 2);
    add_number(b, at - directory, 4);
    add_number(b, wide ? UINT32_MAX : directory + (fault == DIRECTORY_BEHIND_END ? 1 << 30 : 0), 4);
    add_number(b, 0, 2);
}

/* Write an archive whose faults, other than of its end, are in the first member. */
static void write_archive(const member *m, uint32_t n, int fault)
{
    buffer b = { .n = 0 };
    size_t at[8];
    for (uint32_t i = 0; i < n; i++) {
        at[i] = b.n;
        add(&b, "PK\3\4", 4);
        add_number(&b, 0, 22);
        add_number(&b, strlen(m[i].name), 2);
        add_number(&b, 3, 2);
        add(&b, m[i].name, strlen(m[i].name));
        add(&b, "FB\0", 3); /* padding, as torch aligns the bytes */
        add(&b, m[i].bytes, m[i].n);
    }
    const size_t directory = b.n;
    for (uint32_t i = 0; i < n; i++) add_entry(&b, &m[i], at[i], i ? SOUND : fault);
    if (fault == TWICE) add_entry(&b, &m[0], at[0], SOUND);
    add_end(&b, directory, n + (fault == TWICE), fault);
    assert_int_equal(strata_file_write(path, b.bytes, b.n), STRATA_OK);
}

static const float values[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* An archive of this pickle and a storage "0" of 16 floats. */
static void write_pickle(const char *pickle, size_t n, int fault)
{
    const member list[] = { { "a/data.pkl", pickle, n }, { "a/data/0", values, sizeof values } };
    write_archive(list, 2, fault);
}

/* A text, a storage of 16 floats "0", a tensor of it, as torch.save pickles them. */
#define TEXT(length, s)      "X" length "\0\0\0" s
#define FLOAT_STORAGE        "ctorch\nFloatStorage\n"
#define STORAGE(type, count) "(" TEXT("\7", "storage") type TEXT("\1", "0") TEXT("\3", "cpu") "K" count "tQ"
#define REBUILD              "ctorch._utils\n_rebuild_tensor_v2\n"
#define HOOKS                                                                                                \
    "\x89"                                                                                                   \
    "ccollections\nOrderedDict\n)R"
#define VIEW(offset, size, stride) REBUILD "(" STORAGE(FLOAT_STORAGE, "\20") offset size stride HOOKS "tR"
#define DICT(value)                "\x80\2}" TEXT("\1", "w") value "s."

/* ---- What torch wrote --------------------------------------------------------------------------- */

static void reads_every_view(void **state)
{
    (void)state;
    strata_weights_file *got, *want;
    unsigned char a[1024], b[1024];
    assert_int_equal(strata_weights_open(&got, SOURCE_DIR "/tests/golden/views.pth"), STRATA_OK);
    assert_int_equal(strata_weights_open(&want, SOURCE_DIR "/tests/golden/views.safetensors"), STRATA_OK);
    assert_int_equal(got->n, want->n);
    assert_int_equal(got->n, 57);
    assert_string_equal(strata_weights_note(got, "taken from the entry"), "state_dict");
    assert_string_equal(strata_weights_note(got, "prefix removed"), "module.");
    assert_string_equal(got->tensor[0].name, "whole"); /* in the order of the dictionary */
    for (uint32_t i = 0; i < want->n; i++) {
        const strata_stored *w = &want->tensor[i], *g = strata_weights_find(got, w->name);
        if (!g) fail_msg("no %s", w->name);
        assert_int_equal(g->dtype, w->dtype);
        assert_true(strata_stored_same_shape(g, w));
        assert_int_equal(g->n_bytes, w->n_bytes);
        assert_true(w->n_bytes <= sizeof a);
        assert_int_equal(strata_weights_read(got, g, a), STRATA_OK);
        assert_int_equal(strata_weights_read(want, w, b), STRATA_OK);
        if (memcmp(a, b, (size_t)w->n_bytes) != 0) fail_msg("%s differs", w->name);
    }
    strata_weights_close(got);
    strata_weights_close(want);
}

/* ---- What is refused ------------------------------------------------------------------------------ */

#define ROW(pickle) pickle, sizeof(pickle) - 1

static const struct {
    const char *pickle;
    size_t n;
    const char *message; /* NULL: it is taken */
} pickles[] = {
    { ROW(DICT(VIEW("K\0", "K\4\x85", "K\1\x85"))), NULL },
    { ROW(DICT(VIEW("K\14", "K\4\x85", "K\1\x85"))), NULL },
    /* What would be executed. */
    { ROW("\x80\2cposix\nsystem\nX\4\0\0\0true\x85R."), "needs posix.system, which is refused" },
    { ROW("\x80\2c__builtin__\neval\nX\1\0\0\0"
          "1\x85R."),
      "needs __builtin__.eval, which is refused" },
    { ROW("\x80\2ctorch\nload\n."), "needs torch.load, which is refused" },
    { ROW("\x80\2ccollections\nOrderedDict2\n."), "OrderedDict2" },
    { ROW("\x80\2ccollections.OrderedDict\n\n."), "collections.OrderedDict" },
    { ROW("\x80\2c__main__\nOrderedDict\n."), "needs __main__.OrderedDict" },
    { ROW("\x80\2c\x1b[31mred\nx\n."), "?[31mred.x" },
    { ROW("\x80\2(iposix\nsystem\n."), "INST" },
    { ROW("\x80\2)\x81."), "NEWOBJ" },
    { ROW("\x80\2(o."), "OBJ" },
    { ROW("\x80\2\x82\1."), "EXT1" },
    { ROW("\x80\2X\5\0\0\0posixX\6\0\0\0system\x93."), "STACK_GLOBAL" },
    { ROW("\x80\2}2."), "DUP" },
    { ROW("\x80\2\xfe."), "an unknown instruction" },
    { ROW("\x80\4}."), "protocol 4" },
    { ROW("}."), "does not begin with a protocol" },
    { ROW(""), "does not begin with a protocol" },
    /* What is allowed in other places only. */
    { ROW("\x80\2ctorch\nFloatStorage\n)R."), "calls a storage type" },
    { ROW("\x80\2K\1)R."), "calls what is no function" },
    { ROW("\x80\2ccollections\nOrderedDict\n}R."), "calls what is no function" },
    { ROW("\x80\2ccollections\nOrderedDict\nK\1\x85R."), "filled afterwards" },
    { ROW("\x80\2K\1}b."), "attributes" },
    { ROW("\x80\2}K\1b."), "attributes" },
    { ROW("\x80\2X\3\0\0\0abcQ."), "not a storage" },
    { ROW("\x80\2"
          "(" TEXT("\6", "module") FLOAT_STORAGE "XK\1tQ."),
      "cut short" },
    { ROW("\x80\2"
          "(K\1K\1K\1K\1K\1tQ."),
      "not a storage" },
    { ROW("\x80\2" REBUILD ")R."), "a tensor wants a storage" },
    { ROW("\x80\2" REBUILD "(K\1K\1K\1K\1K\1K\1tR."), "a tensor wants a storage" },
    { ROW(DICT(VIEW("J\377\377\377\377", "K\4\x85", "K\1\x85"))), "wants a storage and an offset" },
    { ROW(DICT(VIEW("K\0", "J\377\377\377\377\x85", "K\1\x85"))), "wants a size and a stride" },
    { ROW(DICT(VIEW("K\0", "K\4\x85", "J\377\377\377\377\x85"))), "wants a size and a stride" },
    { ROW(DICT(VIEW("K\0", "K\4\x85", "K\1K\1\x86"))), "wants a size and a stride" },
    { ROW(DICT(VIEW("K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"))), "at most 8" },
    /* The stack, marks and the memo. */
    { ROW("\x80\2."), "its stack is empty" },
    { ROW("\x80\2(."), "its stack is empty" },
    { ROW("\x80\2t."), "no mark" },
    { ROW("\x80\2u."), "no mark" },
    { ROW("\x80\2(u."), "its stack is empty" },
    { ROW("\x80\2](K\1K\1u."), "another kind" },
    { ROW("\x80\2}(K\1u."), "another kind" },
    { ROW("\x80\2}K\1a."), "another kind" },
    { ROW("\x80\2)K\1a."), "another kind" },
    { ROW("\x80\2K\1\x86."), "its stack is empty" },
    { ROW("\x80\2h\1."), "not numbered" },
    { ROW("\x80\2j\377\377\377\377."), "not numbered" },
    { ROW("\x80\2}r\377\377\377\377."), "more values than it has bytes" },
    { ROW("\x80\2q\1."), "its stack is empty" },
    { ROW("\x80\2}"), "cut short" },
    { ROW("\x80\2X\377\377\377\377abc."), "a text is cut short" },
    { ROW("\x80\2ctorch"), "cut short" },
    { ROW("\x80\2J\1"), "cut short" },
    { ROW("\x80\2\x8a\11\1\2\3\4\5\6\7\10\11."), "more than 64 bits" },
    /* No state dict. */
    { ROW("\x80\2}."), "no state dict" },
    { ROW("\x80\2K\1."), "no state dict" },
    { ROW("\x80\2}X\5\0\0\0modelK\1s."), "no state dict" },
    { ROW("\x80\2}"
          "K\1" VIEW("K\0", "K\4\x85", "K\1\x85") "s."),
      "name is not a text" },
    { ROW("\x80\2}X\2\0\0\0a\0" VIEW("K\0", "K\4\x85", "K\1\x85") "s."), "name is not a text" },
    { ROW("\x80\2}" TEXT("\1", "w") VIEW("K\0", "K\4\x85", "K\1\x85") "s" TEXT("\1", "w")
              VIEW("K\0", "K\4\x85", "K\1\x85") "s."),
      "two tensors are named 'w'" },
    /* Views that do not lie in their storage. */
    { ROW(DICT(VIEW("K\15", "K\4\x85", "K\1\x85"))), "'w' of [4] does not lie in its storage of 16" },
    { ROW(DICT(VIEW("K\0", "K\21\x85", "K\1\x85"))), "does not lie in its storage" },
    { ROW(DICT(VIEW("K\0", "K\4\x85", "K\6\x85"))), "does not lie in its storage" },
    { ROW(DICT(VIEW("\x8a\10\377\377\377\377\377\377\377\177", "K\4\x85", "K\1\x85"))), "does not lie" },
    { ROW(DICT(VIEW("K\0", "K\3\x85", "\x8a\10\377\377\377\377\377\377\377\177\x85"))), "does not lie" },
    { ROW(DICT(VIEW("K\0", "K\5\x85", "\x8a\10\0\0\0\0\0\0\0\100\x85"))), "does not lie" },
    { ROW(DICT(VIEW("K\0", "J\377\377\377\177J\377\377\377\177\x86", "K\0K\0\x86"))), "too many elements" },
    { ROW(DICT(VIEW("K\0", "\x8a\5\0\0\0\0\1\x8a\5\0\0\0\0\1\x86", "K\0K\0\x86"))), "too many elements" },
    { ROW(DICT(REBUILD "(" STORAGE(FLOAT_STORAGE, "\17") "K\0K\1\x85K\1\x85" HOOKS "tR")),
      "wanted 15 of F32" },
    { ROW(DICT(REBUILD "(" STORAGE("ctorch\nLongStorage\n", "\20") "K\0K\1\x85K\1\x85" HOOKS "tR")),
      "wanted 16 of I64" },
    { ROW("\x80\2}" TEXT("\1", "w") REBUILD "((" TEXT("\7", "storage")
              FLOAT_STORAGE TEXT("\5", "../..") "NK\20tQ"
                                                "K\0K\1\x85K\1\x85" HOOKS "tRs."),
      "no member data/../.." },
};

static void refuses_by_name(void **state)
{
    (void)state;
    strata_pth *f;
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++) {
        write_pickle(pickles[i].pickle, pickles[i].n, SOUND);
        const strata_status status = strata_pth_open(&f, path);
        if (!pickles[i].message) {
            if (status != STRATA_OK) fail_msg("row %zu: %s", i, strata_message());
        } else {
            if (status != STRATA_FILE) fail_msg("row %zu was taken, not '%s'", i, pickles[i].message);
            assert_message(pickles[i].message);
            assert_message(path);
        }
        strata_pth_close(f);
    }
}

static void honours_strides(void **state)
{
    (void)state;
    strata_pth *f;
    float out[6];
    const char pickle[] = DICT(VIEW("K\1", "K\3K\2\x86", "K\1K\5\x86"));
    const float want[6] = { 1, 6, 2, 7, 3, 8 };
    write_pickle(pickle, sizeof pickle - 1, SOUND);
    assert_int_equal(strata_pth_open(&f, path), STRATA_OK);
    assert_int_equal(strata_pth_read(f, &f->tensor[0], out), STRATA_OK);
    assert_memory_equal(out, want, sizeof want);
    strata_pth_close(f);
}

static void keeps_the_rules_of_archives(void **state)
{
    (void)state;
    static const char *const messages[] = {
        [COMPRESSED] = "'a/data.pkl' is compressed (method 8)",
        [ENCRYPTED] = "'a/data.pkl' is encrypted",
        [TWO_SIZES] = "two sizes",
        [TWICE] = "two members are named 'a/data.pkl'",
        [MISPLACED] = "not where the directory says",
        [BEHIND_END] = "lies behind the end",
        [LONG_NAME] = "cut short",
        [LONG_MEMBER] = "lies behind the end",
        [MANY_MEMBERS] = "impossible size",
        [DIRECTORY_BEHIND_END] = "its directory lies behind its end",
        [NO_END] = "no end record",
        [ZIP64] = NULL,
        [ZIP64_BEHIND_END] = "its directory lies behind its end",
        [ZIP64_EXTRA] = NULL,
        [ZIP64_EXTRA_CUT] = "an extra field is cut short",
    };
    strata_pth *f;
    const char pickle[] = DICT(VIEW("K\0", "K\4\x85", "K\1\x85"));
    for (int fault = SOUND; fault <= ZIP64_EXTRA_CUT; fault++) {
        write_pickle(pickle, sizeof pickle - 1, fault);
        const strata_status status = strata_pth_open(&f, path);
        if (status != (messages[fault] ? STRATA_FILE : STRATA_OK))
            fail_msg("fault %d: %d, %s", fault, (int)status, strata_message());
        if (messages[fault]) assert_message(messages[fault]);
        strata_pth_close(f);
    }
}

static void refuses_other_files(void **state)
{
    (void)state;
    strata_weights_file *w;
    strata_pth *f;
    const member other[] = { { "word/document.xml", "<>", 2 } };
    const member script[] = { { "a/constants.pkl", "", 0 }, { "a/data.pkl", "", 0 } };
    const char pickle[] = DICT(VIEW("K\0", "K\4\x85", "K\1\x85"));
    const member big[] = { { "a/data.pkl", pickle, sizeof pickle - 1 }, { "a/byteorder", "big", 3 } };
    assert_int_equal(strata_pth_open(&f, "/nowhere.pth"), STRATA_FILE);
    assert_message("/nowhere.pth");
    write_archive(other, 1, SOUND);
    assert_int_equal(strata_weights_open(&w, path), STRATA_FILE);
    assert_message("none that torch.save wrote");
    write_archive(script, 2, SOUND);
    assert_int_equal(strata_weights_open(&w, path), STRATA_FILE);
    assert_message("TorchScript");
    write_archive(big, 2, SOUND);
    assert_int_equal(strata_weights_open(&w, path), STRATA_FILE);
    assert_message("byte order is 'big'");
    assert_int_equal(strata_file_write(path, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15), STRATA_OK);
    assert_int_equal(strata_weights_open(&w, path), STRATA_FILE);
    assert_message("old format");
    assert_int_equal(strata_file_write(path, "PK\3\4", 4), STRATA_OK);
    assert_int_equal(strata_weights_open(&w, path), STRATA_FILE);
    assert_message("no end record");
}

/* Open a damaged file; where that succeeds, read all of it. The sanitizers judge. */
static void read_all(void)
{
    strata_pth *f;
    if (strata_pth_open(&f, path) != STRATA_OK) return;
    for (uint32_t i = 0; i < f->n; i++) {
        if (f->tensor[i].n_bytes > 1 << 20) continue; /* a stride of 0 */
        char *out = malloc((size_t)f->tensor[i].n_bytes + 1);
        assert_non_null(out);
        strata_pth_read(f, &f->tensor[i], out);
        free(out);
    }
    strata_pth_close(f);
}

static char any_byte(char old, uint32_t x, uint32_t y)
{
    (void)old;
    (void)y;
    return (char)x;
}

static void survives_damage(void **state)
{
    (void)state;
    damage_each(SOURCE_DIR "/tests/golden/views.pth", path, 8, any_byte, read_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_view),    cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(honours_strides),     cmocka_unit_test(keeps_the_rules_of_archives),
        cmocka_unit_test(refuses_other_files), cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
