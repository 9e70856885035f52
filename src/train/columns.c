#include "train/columns.h"

#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/file.h"

static strata_status no_memory(const char *path)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its columns", path);
}

typedef struct fitting {
    strata_csv csv;
    strata_text text;   /* of the new table */
    char *names;        /* the new header, cut up; its fields: */
    const char **name;  /* [n_new] */
    const char **field; /* [room] of a row */
    uint32_t *from;     /* [n_new] the old column; n_old: none */
    uint32_t n_old, n_new, room;
} fitting;

static uint32_t count_fields(const char *line)
{
    uint32_t n = 1;
    for (; *line && *line != '\n'; line++) n += *line == ',';
    return n;
}

static void release(fitting *f)
{
    strata_csv_close(&f->csv);
    strata_text_free(&f->text);
    free(f->names);
    free((void *)f->name);
    free((void *)f->field);
    free(f->from);
}

/* Where each new column stands in the old table; and is every old one among them? */
static strata_status match(fitting *f, strata_text *added)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < f->n_new; i++) {
        uint32_t k = 0;
        while (k < f->n_old && strcmp(f->field[k], f->name[i]) != 0) k++;
        f->from[i] = k;
        found += k < f->n_old;
        if (k == f->n_old) strata_text_format(added, "%s%s", added->length ? ", " : "", f->name[i]);
    }
    for (uint32_t k = 0; k < f->n_old && found < f->n_old; k++) {
        uint32_t i = 0;
        while (i < f->n_new && strcmp(f->field[k], f->name[i]) != 0) i++;
        if (i == f->n_new)
            return strata_fail(STRATA_FILE,
                               "%s: this strata writes no column '%s': go on with the one that began the run",
                               f->csv.path, f->field[k]);
    }
    return added->failed ? no_memory(f->csv.path) : STRATA_OK;
}

static strata_status rewrite(fitting *f, const char *header)
{
    uint32_t n;
    strata_text_format(&f->text, "%s\n", header);
    for (;;) {
        STRATA_TRY(strata_csv_next(&f->csv, f->field, f->room, &n));
        if (n == 0) break;
        const bool fits = n == f->n_new && n > f->n_old;
        if (!fits && n != f->n_old)
            return strata_fail(STRATA_FILE, "%s:%u: wanted %u fields, as the header has, came %u",
                               f->csv.path, (unsigned)f->csv.line, (unsigned)f->n_old, (unsigned)n);
        for (uint32_t i = 0; i < f->n_new; i++) {
            const uint32_t k = fits ? i : f->from[i];
            if (i) strata_text_append(&f->text, ",", 1);
            if (k < n) strata_csv_put(&f->text, f->field[k]);
        }
        strata_text_append(&f->text, "\n", 1);
    }
    if (f->text.failed) return no_memory(f->csv.path);
    return strata_file_write(f->csv.path, f->text.s, f->text.length);
}

strata_status columns_fit(strata_text *added, const char *path, const char *header)
{
    strata_status status = STRATA_OK;
    fitting f = { .n_new = count_fields(header) };
    const size_t length = strlen(header);
    if (!strata_path_exists(path)) STRATA_GO(strata_file_write(path, "", 0));
    STRATA_GO(strata_csv_open(&f.csv, path));
    if (strncmp(f.csv.text, header, length) == 0 && f.csv.text[length] == '\n') goto done;
    f.n_old = count_fields(f.csv.text);
    f.names = malloc(length + 1);
    f.name = malloc(f.n_new * sizeof *f.name);
    f.from = malloc(f.n_new * sizeof *f.from);
    f.room = f.n_old > f.n_new ? f.n_old : f.n_new;
    f.field = malloc(f.room * sizeof *f.field);
    if (!f.names || !f.name || !f.from || !f.field) STRATA_GO(no_memory(path));
    memcpy(f.names, header, length + 1);
    f.n_new = 0;
    for (char *at = f.names, *end; at; at = end) {
        f.name[f.n_new++] = at;
        if ((end = strchr(at, ','))) *end++ = '\0';
    }
    STRATA_GO(strata_csv_next(&f.csv, f.field, f.n_old, &f.n_old));
    if (f.n_old) STRATA_GO(match(&f, added));
    STRATA_GO(rewrite(&f, header));
done:
    release(&f);
    return status;
}
