#include "data/labels.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/csv.h"

enum { COLUMNS = 32, MOST_CLASSES = 65536 };

static strata_status no_memory(const char *path)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for the labels of %s", path);
}

/* ---- Reading ---------------------------------------------------------------------------------- */

typedef struct reading {
    label_table *table;
    strata_csv csv;
    const char **word; /* [n_labels] the label behind each place of table->label */
    uint32_t room;
    uint32_t columns, labels, valid; /* of the header; which of them; no is_valid: 0 */
} reading;

static strata_status read_head(reading *r)
{
    label_table *t = r->table;
    const char *field[COLUMNS];
    uint32_t n;
    STRATA_TRY(strata_csv_next(&r->csv, field, COLUMNS, &n));
    if (n < 2)
        return strata_fail(STRATA_FILE,
                           "%s:%u: wanted a header and lines FILE,\"LABEL LABEL ...\", came %s%.60s%s",
                           t->path, (unsigned)r->csv.line, n ? "one field '" : "nothing", n ? field[0] : "",
                           n ? "'" : "");
    r->columns = n;
    t->head = strata_arena_text(&t->arena, field[0]);
    if (!t->head) return no_memory(t->path);
    for (uint32_t i = 1; i < n; i++)
        if (strcasecmp(field[i], "is_valid") == 0) r->valid = i;
    r->labels = r->valid == 1 ? 2 : 1;
    if (n <= r->labels)
        return strata_fail(STRATA_FILE, "%s:%u: wanted a column of labels, came is_valid alone", t->path,
                           (unsigned)r->csv.line);
    t->parts = r->valid != 0;
    return STRATA_OK;
}

static strata_status add_word(reading *r, const char *word, size_t length)
{
    label_table *t = r->table;
    if (t->n_labels == r->room) {
        r->room = r->room ? 2 * r->room : 1024;
        const char **grown = r->room < UINT32_MAX / 4 ? realloc(r->word, r->room * sizeof *grown) : NULL;
        if (!grown) return no_memory(t->path);
        r->word = grown;
    }
    r->word[t->n_labels] = strata_arena_text_n(&t->arena, word, length);
    return r->word[t->n_labels++] ? STRATA_OK : no_memory(t->path);
}

static strata_status read_valid(bool *valid, const reading *r, const char *text)
{
    static const char *const words[] = { "true", "1", "false", "0" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *valid = i < 2;
            return STRATA_OK;
        }
    return strata_fail(STRATA_FILE, "%s:%u: is_valid wants true, false, 1 or 0, got '%s'", r->table->path,
                       (unsigned)r->csv.line, text);
}

static strata_status read_row(reading *r, const char *const *field, uint32_t n)
{
    static const char blanks[] = " \t\r\n";
    label_table *t = r->table;
    const unsigned line = r->csv.line;
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 1024;
        label_row *grown = t->room < UINT32_MAX / 4 ? realloc(t->row, t->room * sizeof *grown) : NULL;
        if (!grown) return no_memory(t->path);
        t->row = grown;
    }
    if (!*field[0] || n <= r->labels || n <= r->valid)
        return strata_fail(STRATA_FILE, "%s:%u: wanted FILE,\"LABEL LABEL ...\"%s, came %s", t->path, line,
                           r->valid ? " and is_valid" : "", *field[0] ? "fewer fields" : "no file");
    for (uint32_t i = r->columns; i < n; i++)
        if (*field[i])
            return strata_fail(STRATA_FILE,
                               "%s:%u: wanted %u fields, as the header has, came '%s' behind them: several "
                               "labels are one field, \"LABEL LABEL ...\"",
                               t->path, line, (unsigned)r->columns, field[i]);
    label_row *row = &t->row[t->n];
    *row = (label_row) { .file = strata_arena_text(&t->arena, field[0]), .line = line, .first = t->n_labels };
    if (!row->file) return no_memory(t->path);
    for (const char *at = field[r->labels] + strspn(field[r->labels], blanks); *at;
         at += strspn(at, blanks)) {
        const size_t length = strcspn(at, blanks);
        STRATA_TRY(add_word(r, at, length));
        at += length;
    }
    row->n = t->n_labels - row->first;
    if (row->n == 0)
        return strata_fail(STRATA_FILE, "%s:%u: %s has no label: give it one, or leave its line away",
                           t->path, line, row->file);
    t->many = t->many || row->n > 1;
    t->n++;
    return r->valid ? read_valid(&row->valid, r, field[r->valid]) : STRATA_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static strata_status sort_labels(const label_table *t, const label_row *row)
{
    uint32_t *label = t->label + row->first;
    qsort(label, row->n, sizeof *label, by_number);
    for (uint32_t i = 1; i < row->n; i++)
        if (label[i] == label[i - 1])
            return strata_fail(STRATA_FILE, "%s:%u: %s has the label '%s' twice", t->path,
                               (unsigned)row->line, row->file, t->class_name[label[i]]);
    return STRATA_OK;
}

/* The classes, and each row's by number. */
static strata_status number_labels(reading *r)
{
    label_table *t = r->table;
    t->class_name = malloc((t->n_labels + 1) * sizeof *t->class_name);
    t->label = malloc((t->n_labels + 1) * sizeof *t->label);
    if (!t->class_name || !t->label) return no_memory(t->path);
    memcpy(t->class_name, r->word, t->n_labels * sizeof *t->class_name);
    qsort(t->class_name, t->n_labels, sizeof *t->class_name, by_text);
    for (uint32_t i = 0; i < t->n_labels; i++)
        if (i == 0 || strcmp(t->class_name[i], t->class_name[t->classes - 1]) != 0)
            t->class_name[t->classes++] = t->class_name[i];
    if (t->classes > MOST_CLASSES)
        return strata_fail(STRATA_FILE, "%s: %u labels, at most %d are read", t->path, (unsigned)t->classes,
                           MOST_CLASSES);
    for (uint32_t i = 0; i < t->n_labels; i++) {
        const char **at = bsearch(&r->word[i], t->class_name, t->classes, sizeof *at, by_text);
        t->label[i] = (uint32_t)(at - t->class_name);
    }
    for (uint32_t i = 0; i < t->n; i++) STRATA_TRY(sort_labels(t, &t->row[i]));
    return STRATA_OK;
}

strata_status label_table_read(label_table *t, const char *path)
{
    const char *field[COLUMNS];
    strata_status status = STRATA_OK;
    uint32_t n;
    *t = (label_table) { .path = path };
    reading r = { .table = t };
    STRATA_TRY(strata_csv_open(&r.csv, path));
    STRATA_GO(read_head(&r));
    for (;;) {
        STRATA_GO(strata_csv_next(&r.csv, field, COLUMNS, &n));
        if (n == 0) break;
        STRATA_GO(read_row(&r, field, n));
    }
    if (t->n == 0) STRATA_GO(strata_fail(STRATA_FILE, "%s: there is no line behind the header", path));
    STRATA_GO(number_labels(&r));
done:
    strata_csv_close(&r.csv);
    free(r.word);
    return status;
}

void label_table_free(label_table *t)
{
    free(t->row);
    free(t->label);
    free(t->class_name);
    strata_arena_free(&t->arena);
    *t = (label_table) { 0 };
}

/* ---- Which picture is meant ---------------------------------------------------------------------- */

/* What a picture may be called: its path below the folder, or an end of that behind a slash. */
typedef struct known_name {
    const char *text;
    uint32_t length; /* without its ending where that is left out */
    uint32_t file;
    bool whole; /* all of the path */
} known_name;

static int by_name(const void *a, const void *b)
{
    const known_name *x = a, *y = b;
    const int order = strncmp(x->text, y->text, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void put_names(known_name *out, uint32_t *n, const image_list *l, uint32_t file)
{
    const char *whole = l->file[file].name;
    for (const char *at = whole; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        const char *slash = strrchr(at, '/'), *dot = strrchr(slash ? slash : at, '.');
        out[(*n)++] = (known_name) { at, (uint32_t)strlen(at), file, at == whole };
        if (dot && dot != at && dot[-1] != '/')
            out[(*n)++] = (known_name) { at, (uint32_t)(dot - at), file, at == whole };
    }
}

/* All names, sorted; NULL without memory. */
static known_name *know_names(uint32_t *n, const image_list *l)
{
    size_t most = 1;
    for (uint32_t i = 0; i < l->n; i++) {
        most += 2;
        for (const char *at = l->file[i].name; (at = strchr(at, '/')); at++) most += 2;
    }
    known_name *name = most < UINT32_MAX ? malloc(most * sizeof *name) : NULL;
    *n = 0;
    for (uint32_t i = 0; name && i < l->n; i++) put_names(name, n, l, i);
    if (name) qsort(name, *n, sizeof *name, by_name);
    return name;
}

/* The picture of this name: l->n where there is none. A whole path wins over the ends of others.
 *   other  out: another one that it may be; l->n: none */
static uint32_t find(const image_list *l, const known_name *name, uint32_t n, const char *text,
                     uint32_t *other)
{
    const size_t length = strlen(text);
    const known_name key = { .text = text, .length = (uint32_t)length };
    const known_name *at = length < UINT32_MAX ? bsearch(&key, name, n, sizeof key, by_name) : NULL;
    uint32_t found = l->n;
    bool whole = false;
    *other = l->n;
    while (at && at > name && by_name(at - 1, &key) == 0) at--;
    for (; at && at < name + n && by_name(at, &key) == 0; at++) {
        if (at->file == found || (whole && !at->whole)) continue;
        *other = whole == at->whole ? found : l->n;
        found = at->file;
        whole = at->whole;
    }
    return found;
}

/* ---- Giving them out ------------------------------------------------------------------------------- */

static strata_status give(const label_table *t, image_list *l, const label_row *row, const known_name *name,
                          uint32_t n)
{
    uint32_t other;
    const uint32_t i = find(l, name, n, row->file, &other);
    if (i == l->n)
        return strata_fail(STRATA_FILE, "%s:%u: there is no picture '%s' in %s", t->path, (unsigned)row->line,
                           row->file, l->folder);
    if (other != l->n)
        return strata_fail(STRATA_FILE, "%s:%u: '%s' may be %s and %s: name its folder, too", t->path,
                           (unsigned)row->line, row->file, l->file[other].name, l->file[i].name);
    image_file *f = &l->file[i];
    if (f->line)
        return strata_fail(STRATA_FILE, "%s:%u: %s was in line %u already", t->path, (unsigned)row->line,
                           f->name, (unsigned)f->line);
    uint32_t *labels = strata_arena_take(&l->arena, row->n * sizeof *labels);
    if (!labels) return no_memory(t->path);
    memcpy(labels, t->label + row->first, row->n * sizeof *labels);
    f->line = row->line;
    f->labels = labels;
    f->n_labels = row->n;
    f->label = t->many ? 0 : labels[0];
    f->valid = row->valid;
    return STRATA_OK;
}

/* Leave out what has no line. */
static strata_status drop_others(const label_table *t, image_list *l)
{
    const char *first = NULL;
    uint32_t kept = 0, dropped = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->file[i].line) {
            l->file[kept++] = l->file[i];
            continue;
        }
        if (dropped++ == 0) first = l->file[i].name;
    }
    l->n = kept;
    return dropped ? image_list_leave_out(l, first, dropped, t->path) : STRATA_OK;
}

strata_status label_table_apply(const label_table *t, image_list *l)
{
    strata_status status = STRATA_OK;
    uint32_t n, other;
    known_name *name = know_names(&n, l);
    if (!name) return no_memory(t->path);
    for (uint32_t i = 0; i < t->n; i++) STRATA_GO(give(t, l, &t->row[i], name, n));
    const uint32_t head = find(l, name, n, t->head, &other);
    if (head != l->n && !l->file[head].line) /* a picture of another line may be called as the column is */
        STRATA_GO(strata_fail(STRATA_FILE, "%s:1: wanted a header, as file,labels, came the picture '%s'",
                              t->path, t->head));
    l->class_name = malloc((t->classes + 1) * sizeof *l->class_name);
    if (!l->class_name) STRATA_GO(no_memory(t->path));
    for (; l->classes < t->classes; l->classes++) {
        l->class_name[l->classes] = strata_arena_text(&l->arena, t->class_name[l->classes]);
        if (!l->class_name[l->classes]) STRATA_GO(no_memory(t->path));
    }
    l->many = t->many;
    STRATA_GO(drop_others(t, l));
done:
    free(name);
    return status;
}
