/* The house stands as it was drawn: who includes whom, and the caps on files, functions, lines and
 * parameters. */
#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { FILE_LINES = 600, SHADER_LINES = 250, FUNCTION_LINES = 80, COLUMNS = 110, PARAMETERS = 6 };

/* ---- The rooms -------------------------------------------------------------------------------- */

/* What each room may include, besides itself and include/strata. `tool` is included by nobody, and makes
 * build-time programs of the library's front end. */
static const struct {
    const char *room, *sees;
} rooms[] = {
    { "core", "" },
    { "cpu", "core" },
    { "vulkan", "core" },
    { "ops", "vulkan cpu core" },
    { "graph", "ops vulkan cpu core" },
    { "model", "graph ops vulkan cpu core" },
    { "sight", "graph ops vulkan cpu core" },
    { "check", "graph ops vulkan cpu core data rates" },
    { "data", "core" },
    { "rates", "core" },
    { "train", "sight model check graph ops vulkan cpu core data rates" },
    { "experiment", "train sight model check graph ops vulkan cpu core data rates" },
    { "cli", "" },
    { "tool", "vulkan core" },
};
enum { N_ROOMS = sizeof rooms / sizeof *rooms };

static int find_room(const char *name, size_t length)
{
    for (int i = 0; i < N_ROOMS; i++)
        if (strlen(rooms[i].room) == length && strncmp(rooms[i].room, name, length) == 0) return i;
    return -1;
}

static bool listed(const char *list, const char *word, size_t length)
{
    for (const char *s = list; *s; s += strcspn(s, " "), s += strspn(s, " "))
        if (strcspn(s, " ") == length && strncmp(s, word, length) == 0) return true;
    return false;
}

/* Is this header of others for these rooms only? */
static const char *reserved_for(const char *header)
{
    if (strncmp(header, "volk", 4) == 0 || strncmp(header, "vulkan/vulkan", 13) == 0 ||
        strncmp(header, "glslang", 7) == 0)
        return "vulkan";
    if (strncmp(header, "stb", 3) == 0) return "data sight";
    return NULL;
}

/* What is wrong with `room` including `header` ("" in quotes, or in angle brackets); NULL: nothing. */
static const char *wrong_arrow(const char *room, const char *header, bool quoted)
{
    static char why[200];
    const char *only = reserved_for(header), *slash = strchr(header, '/');
    if (only && !listed(only, room, strlen(room))) {
        snprintf(why, sizeof why, "%s is for %s only", header, only);
        return why;
    }
    if (!quoted || !slash || only) return NULL;
    size_t length = (size_t)(slash - header);
    if (strncmp(header, "strata/", 7) == 0) return NULL;
    int from = find_room(room, strlen(room)), to = find_room(header, length);
    if (strcmp(room, "include") == 0)
        snprintf(why, sizeof why, "a public header includes %s", header);
    else if (to < 0 || from < 0)
        snprintf(why, sizeof why, "%s includes %s, of a room that is not in the plan", room, header);
    else if (from != to && !listed(rooms[from].sees, header, length))
        snprintf(why, sizeof why, "%s may not include %s", room, header);
    else
        return NULL;
    return why;
}

/* ---- Reading the tree ---------------------------------------------------------------------------- */

typedef void checker(const char *path, const char *text);

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)n + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)n, f), n);
    fclose(f);
    return text;
}

static int files_seen, faults;
static bool quiet; /* faults are only counted: they are planted */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

static void walk(const char *folder, checker *check)
{
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024];
        struct stat st;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat(path, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) walk(path, check);
        if (!ends_with(path, ".c") && !ends_with(path, ".h") && !ends_with(path, ".comp") &&
            !ends_with(path, ".glsl"))
            continue;
        char *text = read_whole(path);
        files_seen++;
        check(path, text);
        free(text);
    }
    closedir(d);
}

static void fault(const char *path, int line, const char *what)
{
    if (!quiet) print_error("%s:%d: %s\n", path + sizeof SOURCE_DIR, line, what);
    faults++;
}

/* The folder below src/, "include" or "tests". */
static void room_of(char *room, size_t size, const char *path)
{
    const char *s = path + sizeof SOURCE_DIR;
    if (strncmp(s, "src/", 4) == 0) s += 4;
    snprintf(room, size, "%.*s", (int)strcspn(s, "/"), s);
}

static void check_includes(const char *path, const char *text)
{
    char room[64], header[256];
    int line = 0;
    room_of(room, sizeof room, path);
    for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        char open;
        line++;
        if (sscanf(s, " # include %c%255[^\">\n]", &open, header) != 2 || (open != '"' && open != '<'))
            continue;
        const char *why = wrong_arrow(room, header, open == '"');
        if (why) fault(path, line, why);
    }
}

/* ---- Caps ------------------------------------------------------------------------------------------ */

/* Characters of a line, not bytes: continuation bytes of UTF-8 do not count. */
static int columns(const char *s, size_t length)
{
    int n = 0;
    for (size_t i = 0; i < length; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

/* Parameters of the list that opens at `s`; *end out: where it closes. An array and the number of its
 * elements, named n_<something>, are one. */
static int parameters(const char *s, const char **end)
{
    int depth = 0, n = 1;
    const char *first = s + 1;
    for (; *s; s++) {
        if (*s == '(') depth++;
        if (*s == ')' && --depth == 0) break;
        if (*s == ',' && depth == 1) n++;
        if (n > 1 && depth == 1 && strncmp(s, " n_", 3) == 0) n--;
    }
    *end = s;
    return *first == ')' || strncmp(first, "void)", 5) == 0 ? 0 : n;
}

/* A declaration or definition begins in column 0 with a name and has "name(" in its line. */
static void check_parameters(const char *path, int line, const char *s, size_t length)
{
    char text[256];
    if ((!isalpha((unsigned char)s[0]) && s[0] != '_') || strncmp(s, "typedef", 7) == 0) return;
    snprintf(text, sizeof text, "%.*s", (int)length, s);
    const char *paren = strchr(text, '('), *end;
    if (!paren || paren == text || !(isalnum((unsigned char)paren[-1]) || paren[-1] == '_') ||
        strchr(text, '='))
        return;
    int n = parameters(s + (paren - text), &end);
    bool function = *end == ')' && (end[1] == ';' || end[1] == '\n' || end[1] == ' ');
    if (function && n > PARAMETERS) {
        char why[300];
        snprintf(why, sizeof why, "%d parameters, %d are the most: %.200s", n, PARAMETERS, text);
        fault(path, line, why);
    }
}

/* A file that has to pass a cap says why in its first lines, in these words. */
static bool excused(const char *text, const char *cap)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "Passes the cap on %s:", cap);
    const char *at = strstr(text, wanted);
    return at && at - text < 1000;
}

static void check_caps(const char *path, const char *text)
{
    char why[200];
    int line = 0, opened = 0;
    bool shader = strstr(path, "/shaders/") != NULL;
    for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        size_t length = strcspn(s, "\n");
        line++;
        if (columns(s, length) > COLUMNS) {
            snprintf(why, sizeof why, "%d columns, %d are the most", columns(s, length), COLUMNS);
            fault(path, line, why);
        }
        if (!shader) check_parameters(path, line, s, length);
        if (length == 1 && s[0] == '{') opened = line;
        if (length == 1 && s[0] == '}' && opened) {
            snprintf(why, sizeof why, "a function of %d lines, %d are the most", line - opened + 1,
                     FUNCTION_LINES);
            if (line - opened + 1 > FUNCTION_LINES && !excused(text, "functions")) fault(path, opened, why);
            opened = 0;
        }
    }
    int most = shader ? SHADER_LINES : FILE_LINES;
    snprintf(why, sizeof why, "%d lines, %d are the most", line, most);
    if (line > most && !excused(text, "files")) fault(path, line, why);
}

/* Mesa 22 leaves a loop as it is whose step is more than its end, and stores behind what it computes go lane
 * by lane: relu had 6 % of a copy's speed. */
static void check_unrolled(const char *path, const char *text)
{
    int line = 0;
    for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        const size_t length = strcspn(s, "\n");
        const char *loop = strstr(s, "[[unroll]] for (");
        line++;
        if (!loop || loop >= s + length) continue;
        const char *by_one = strstr(loop, "++)"), *halved = strstr(loop, "/= 2)");
        if ((!by_one || by_one >= s + length) && (!halved || halved >= s + length))
            fault(path, line, "an unrolled loop whose count goes neither by one nor by halves");
    }
}

/* ---- Tests --------------------------------------------------------------------------------------------- */

static void test_arrows_point_right(void **state)
{
    (void)state;
    files_seen = faults = 0;
    walk(SOURCE_DIR "/src", check_includes);
    walk(SOURCE_DIR "/include", check_includes);
    assert_true(files_seen > 20);
    assert_int_equal(faults, 0);
}

static void test_wrong_arrows_are_seen(void **state)
{
    (void)state;
    static const struct {
        const char *room, *header;
        bool quoted, right;
    } tries[] = {
        { "core", "core/text.h", true, true },
        { "core", "ops/op.h", true, false },
        { "cpu", "vulkan/device.h", true, false },
        { "vulkan", "cpu/conv2d.h", true, false },
        { "graph", "ops/op.h", true, true },
        { "ops", "graph/graph.h", true, false },
        { "data", "graph/graph.h", true, false },
        { "train", "rates/spread.h", true, true },
        { "check", "train/loop.h", true, false },
        { "check", "data/data.h", true, true },
        { "model", "data/data.h", true, false },
        { "cli", "strata/train.h", true, true },
        { "cli", "core/status.h", true, false },
        { "cli", "cli/args.h", true, true },
        { "ops", "volk.h", false, false },
        { "vulkan", "volk.h", false, true },
        { "train", "stb/stb_image.h", false, false },
        { "data", "stb/stb_image.h", false, true },
        { "include", "core/status.h", true, false },
        { "include", "strata/status.h", true, true },
        { "graph", "tool/shaders.h", true, false },
        { "attic", "core/text.h", true, false },
        { "train", "vulkan/vulkan.h", false, false },
        { "train", "stdio.h", false, true },
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        if ((wrong_arrow(tries[i].room, tries[i].header, tries[i].quoted) == NULL) != tries[i].right)
            fail_msg("%s includes %s", tries[i].room, tries[i].header);
}

static void test_caps_are_kept(void **state)
{
    (void)state;
    files_seen = faults = 0;
    walk(SOURCE_DIR "/src", check_caps);
    walk(SOURCE_DIR "/include", check_caps);
    walk(SOURCE_DIR "/shaders", check_caps);
    walk(SOURCE_DIR "/tests", check_caps);
    assert_true(files_seen > 40);
    assert_int_equal(faults, 0);
}

static void test_unrolled_loops_go_by_one(void **state)
{
    (void)state;
    files_seen = faults = 0;
    walk(SOURCE_DIR "/shaders", check_unrolled);
    assert_true(files_seen > 40);
    assert_int_equal(faults, 0);
    quiet = true;
    check_unrolled("planted.comp", "    [[unroll]] for (uint b = 0; b < bits; b += 4)\n        sum++)\n");
    assert_int_equal(faults, 1);
    check_unrolled("planted.comp", "#define F [[unroll]] for (uint b = 0; b < 2; b++) G(b)\n");
    assert_int_equal(faults, 1);
    quiet = false;
}

/* Text that breaks one cap, and how often. */
static int faults_of(const char *path, const char *text)
{
    faults = 0;
    quiet = true;
    check_caps(path, text);
    quiet = false;
    return faults;
}

static void test_passed_caps_are_seen(void **state)
{
    (void)state;
    static char text[8000];
    const char *c = SOURCE_DIR "/src/planted.c", *comp = SOURCE_DIR "/shaders/planted.comp";
    memset(text, 'x', 111);
    assert_int_equal(faults_of(c, text), 1);
    text[110] = '\0';
    assert_int_equal(faults_of(c, text), 0);
    strcpy(text, "void f(int a, int b, int c, int d,\n       int e, int g, int h)\n{\n}\n");
    assert_int_equal(faults_of(c, text), 1);
    strcpy(text, "void f(int a, int b, void (*c)(int, int), int d, int e, int g);\n");
    assert_int_equal(faults_of(c, text), 0);
    strcpy(text, "void f(int *a, uint32_t n_a, int b, int c, int d, int e, int g);\n");
    assert_int_equal(faults_of(c, text), 0);
    for (int lines = 250; lines <= 601; lines += 117) {
        memset(text, 'x', sizeof text);
        for (int i = 0; i < lines; i++) text[2 * i + 1] = '\n';
        text[2 * lines] = '\0';
        assert_int_equal(faults_of(comp, text), lines > 250);
        assert_int_equal(faults_of(c, text), lines > 600);
    }
    memset(text, '\n', 600);
    memcpy(text, "int f(void)\n{", 13);
    strcpy(text + 13 + 79, "\n}\n");
    assert_int_equal(faults_of(c, text), 1);
    strcpy(text + 13 + 77, "\n}\n");
    assert_int_equal(faults_of(c, text), 0);
}

/* Does some file of src/ops launch this kernel? It then includes the arguments that the build makes of it. */
static const char *wanted_args;
static bool args_found;
static void find_args(const char *path, const char *text)
{
    (void)path;
    args_found = args_found || strstr(text, wanted_args) != NULL;
}

/* One op is one stem in four places. The build sees to the reference, test_rows to the rows. Only the
 * start-up test of a device is a kernel without an op. */
static void test_stems_have_their_places(void **state)
{
    (void)state;
    DIR *d = opendir(SOURCE_DIR "/shaders");
    assert_non_null(d);
    int stems = 0, missing = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024], args[300];
        struct stat st;
        int length = (int)strlen(e->d_name) - 5;
        if (!ends_with(e->d_name, ".comp") || strcmp(e->d_name, "selftest.comp") == 0) continue;
        stems++;
        snprintf(path, sizeof path, "%s/src/cpu/%.*s.c", SOURCE_DIR, length, e->d_name);
        snprintf(args, sizeof args, "#include \"%.*s.args.h\"", length, e->d_name);
        wanted_args = args;
        args_found = false;
        walk(SOURCE_DIR "/src/ops", find_args);
        if (stat(path, &st) != 0 || !args_found) {
            print_error("shaders/%s has no %s\n", e->d_name,
                        args_found ? "reference in src/cpu" : "launcher in src/ops");
            missing++;
        }
    }
    closedir(d);
    assert_true(stems > 0);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrows_point_right),   cmocka_unit_test(test_wrong_arrows_are_seen),
        cmocka_unit_test(test_caps_are_kept),        cmocka_unit_test(test_unrolled_loops_go_by_one),
        cmocka_unit_test(test_passed_caps_are_seen), cmocka_unit_test(test_stems_have_their_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
