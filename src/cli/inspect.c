#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

/* A file is read to its end before anything is printed: a damaged one gives a message, not half a table. */
typedef struct row {
    char *name, *shape;
    strata_tensor_info info;
} row;

typedef struct pair {
    char *key, *value;
} pair;

typedef struct table {
    row *row;
    pair *note;
    size_t n, room, n_notes, note_room;
    bool failed;
} table;

/* Room for one more in a growing list; false without memory. */
static bool grow(void **list, size_t n, size_t *room, size_t size)
{
    if (n < *room) return true;
    const size_t wanted = *room ? 2 * *room : 64;
    void *more = realloc(*list, wanted * size);
    if (!more) return false;
    *list = more;
    *room = wanted;
    return true;
}

static void keep_tensor(void *context, const strata_tensor_info *info)
{
    table *t = context;
    void *list = t->row;
    if (t->failed || !grow(&list, t->n, &t->room, sizeof *t->row)) {
        t->failed = true;
        return;
    }
    t->row = list;
    row *r = &t->row[t->n++];
    *r = (row) { strdup(info->name), strdup(info->shape), *info }; /* dtypes are literals of the library */
    t->failed = !r->name || !r->shape;
}

static void keep_note(void *context, const char *key, const char *value)
{
    table *t = context;
    void *list = t->note;
    if (t->failed || !grow(&list, t->n_notes, &t->note_room, sizeof *t->note)) {
        t->failed = true;
        return;
    }
    t->note = list;
    pair *p = &t->note[t->n_notes++];
    *p = (pair) { strdup(key), strdup(value) };
    t->failed = !p->key || !p->value;
}

static void release(table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->row[i].name);
        free(t->row[i].shape);
    }
    for (size_t i = 0; i < t->n_notes; i++) {
        free(t->note[i].key);
        free(t->note[i].value);
    }
    free(t->row);
    free(t->note);
}

/* ---- Text ------------------------------------------------------------------------------------- */

static void print_notes(const table *t)
{
    for (size_t i = 0; i < t->n_notes; i++) {
        printf("%s  ", t->note[i].key);
        for (const char *c = t->note[i].value; *c; c++)
            if (*c == '\n')
                fputs(", ", stdout);
            else
                putchar(*c);
        putchar('\n');
    }
    if (t->n_notes) putchar('\n');
}

static int widest(const table *t, bool shapes)
{
    size_t most = 6;
    for (size_t i = 0; i < t->n; i++) {
        const size_t n = strlen(shapes ? t->row[i].shape : t->row[i].name);
        if (n > most) most = n;
    }
    return (int)(most < 200 ? most : 200);
}

static void print_text(const table *t)
{
    const int name = widest(t, false), shape = widest(t, true);
    uint64_t elements = 0, bytes = 0, not_finite = 0;
    print_notes(t);
    printf("%s%-*s  %-5s  %-*s  %10s  %10s  %10s  %10s  %10s%s\n", cli_style_begin(stdout, CLI_BOLD), name,
           "tensor", "dtype", shape, "shape", "elements", "mean", "std", "least", "largest",
           cli_style_end(stdout));
    for (size_t i = 0; i < t->n; i++) {
        const strata_tensor_info *info = &t->row[i].info;
        printf("%-*s  %-5s  %-*s  %10" PRIu64, name, t->row[i].name, info->dtype, shape, t->row[i].shape,
               info->elements);
        if (info->numeric)
            printf("  %10.3g  %10.3g  %10.3g  %10.3g", info->mean, info->std, info->least, info->largest);
        if (info->not_finite)
            printf("  %s%" PRIu64 " not finite%s", cli_style_begin(stdout, CLI_RED), info->not_finite,
                   cli_style_end(stdout));
        putchar('\n');
        elements += info->elements;
        bytes += info->bytes;
        not_finite += info->not_finite;
    }
    printf("%zu %s, %" PRIu64 " %s, %s", t->n, strata_noun(t->n, "tensor", "tensors"), elements,
           strata_noun(elements, "element", "elements"), cli_bytes(bytes).s);
    if (not_finite) printf(", %" PRIu64 " not finite", not_finite);
    putchar('\n');
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

static void print_json(const table *t, const char *path)
{
    printf("{\"file\": ");
    cli_json_text(path);
    printf(",\n \"metadata\": {");
    for (size_t i = 0; i < t->n_notes; i++) {
        cli_json_key(t->note[i].key, i == 0);
        cli_json_text(t->note[i].value);
    }
    printf("},\n \"tensors\": [");
    for (size_t i = 0; i < t->n; i++) {
        const strata_tensor_info *info = &t->row[i].info;
        printf("%s\n  {\"name\": ", i ? "," : "");
        cli_json_text(t->row[i].name);
        cli_json_key("dtype", false);
        cli_json_text(info->dtype);
        printf(", \"shape\": %s, \"elements\": %" PRIu64 ", \"bytes\": %" PRIu64, t->row[i].shape,
               info->elements, info->bytes);
        const double value[] = { info->mean, info->std, info->least, info->largest };
        static const char *const key[] = { "mean", "std", "least", "largest" };
        for (int k = 0; info->numeric && k < 4; k++) {
            cli_json_key(key[k], false);
            cli_json_number(value[k]);
        }
        if (info->numeric) printf(", \"not_finite\": %" PRIu64, info->not_finite);
        putchar('}');
    }
    printf("\n]}\n");
}

static strata_status run(cli_arguments *a)
{
    table t = { 0 };
    char *path;
    STRATA_TRY(cli_weights_path(&path, a->word[0]));
    strata_status status = strata_inspect(path, keep_tensor, keep_note, &t);
    if (status == STRATA_OK && t.failed)
        status = cli_fail(STRATA_NO_MEMORY, "%s: no memory for its table", path);
    if (status == STRATA_OK && cli_option_given(a, "json"))
        print_json(&t, path);
    else if (status == STRATA_OK)
        print_text(&t);
    release(&t);
    free(path);
    return status;
}

static const cli_option options[] = {
    { 0, "json", NULL, "as JSON" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_inspect = {
    .name = "inspect",
    .summary = "show what a .safetensors or .pth file holds",
    .synopsis = "RUN|FILE [--json]",
    .examples = "strata inspect runs/NAME\nstrata inspect resnet18-f37072fd.pth",
    .text = "Lists the tensors of a weights file, of a run's folder its best (else its last), with their "
            "type, shape and figures (of the finite elements), and the notes in its header. The whole file "
            "is read and checked. Of a .pth file the tensors of its state dict are listed; its pickle is "
            "read as data, and nothing in it is executed.",
    .options = options,
    .keys = "",
    .least = 1,
    .most = 1,
    .run = run,
};
