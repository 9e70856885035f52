#include "rates/table.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "rates/grammar.h"

typedef struct csv {
    const char *path;
    char *at;
    uint32_t line;
    uint32_t *column; /* [n_columns - 1] where the values behind the step go */
    uint32_t n_columns;
} csv;

/* The next line, without its end; NULL: there is none. */
static char *next_line(csv *c)
{
    char *line = c->at;
    if (!*line) return NULL;
    char *end = line + strcspn(line, "\n");
    c->at = *end ? end + 1 : end;
    *end = '\0';
    if (end > line && end[-1] == '\r') end[-1] = '\0';
    c->line++;
    return line;
}

/* Cut the next cell off; NULL: the line is over. */
static char *next_cell(char **line)
{
    char *cell = *line;
    if (!cell) return NULL;
    *line = strchr(cell, ',');
    if (*line) *(*line)++ = '\0';
    return cell;
}

static strata_status header(csv *c, rates_table *t, const char *const *group)
{
    char *line = next_line(c), *cell = next_cell(&line);
    const uint32_t n = t->n_groups;
    if (!cell || strcmp(cell, "step") != 0)
        return strata_fail(STRATA_FILE, "%s:1: wants a header step,GROUP...[,momentum], got '%.64s'", c->path,
                           cell ? cell : "");
    uint32_t *seen = calloc(n + 1, sizeof *seen);
    c->column = calloc(n + 1, sizeof *c->column);
    strata_status status = seen && c->column ? STRATA_OK
                                             : strata_fail(STRATA_NO_MEMORY, "no memory for rates");
    for (c->n_columns = 1; status == STRATA_OK && (cell = next_cell(&line)); c->n_columns++) {
        uint32_t g = 0;
        while (g < n && strcmp(group[g], cell) != 0) g++;
        if (g == n && strcmp(cell, "momentum") != 0) {
            status = rates_unknown(c->path, "group", cell, group, n);
            status = strata_fail(STRATA_FILE, "%s", strata_message());
        } else if (seen[g]++) {
            status = strata_fail(STRATA_FILE, "%s:1: the column '%s' is there twice", c->path, cell);
        } else {
            c->column[c->n_columns - 1] = g;
        }
    }
    for (uint32_t g = 0; status == STRATA_OK && g < n; g++)
        if (!seen[g])
            status = strata_fail(STRATA_FILE, "%s:1: there is no column for the group '%s'", c->path,
                                 group[g]);
    if (status == STRATA_OK) t->momentum = seen[n];
    free(seen);
    return status;
}

static strata_status row(csv *c, rates_table *t, char *line)
{
    double v, *value = t->value + (size_t)t->n * (t->n_groups + 1);
    for (uint32_t i = 0; i < c->n_columns; i++) {
        const char *cell = next_cell(&line);
        rates_text text = { .option = c->path, .s = cell, .at = cell };
        const double high = i == 0 ? 1e15 : c->column[i - 1] == t->n_groups ? 0.999999 : FLT_MAX;
        if (!cell || !rates_number(&text, &v, 0, high) || *text.at || (i == 0 && floor(v) != v))
            return strata_fail(STRATA_FILE, "%s:%u: column %u wants %s in [0, %g], got '%.64s'", c->path,
                               (unsigned)c->line, (unsigned)i + 1, i ? "a number" : "a step", high,
                               cell ? cell : "");
        if (i == 0)
            t->step[t->n] = (uint64_t)v;
        else
            value[c->column[i - 1]] = v;
    }
    if (line)
        return strata_fail(STRATA_FILE, "%s:%u: wants %u columns, got more", c->path, (unsigned)c->line,
                           (unsigned)c->n_columns);
    if (t->n ? t->step[t->n] <= t->step[t->n - 1] : t->step[0] != 0)
        return strata_fail(STRATA_FILE, "%s:%u: steps ascend from 0, got %llu", c->path, (unsigned)c->line,
                           (unsigned long long)t->step[t->n]);
    t->n++;
    return STRATA_OK;
}

strata_status rates_table_read(rates_table *out, const char *path, const char *const *group,
                               uint32_t n_groups)
{
    strata_status status = STRATA_OK;
    char *text = NULL, *line;
    size_t bytes, rows = 1;
    csv c = { .path = path };
    *out = (rates_table) { .n_groups = n_groups };
    STRATA_GO(strata_file_read(&text, &bytes, path));
    for (size_t i = 0; i < bytes; i++) rows += text[i] == '\n';
    out->step = calloc(rows, sizeof *out->step);
    out->value = calloc(rows, (n_groups + 1) * sizeof *out->value);
    if (!out->step || !out->value || rows > UINT32_MAX)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for its %zu rows", path, rows));
    c.at = text;
    STRATA_GO(header(&c, out, group));
    while ((line = next_line(&c)))
        if (*line) STRATA_GO(row(&c, out, line));
    if (out->n == 0) STRATA_GO(strata_fail(STRATA_FILE, "%s: there are no rows below the header", path));
done:
    free(c.column);
    free(text);
    return status;
}

void rates_table_free(rates_table *t)
{
    free(t->step);
    free(t->value);
    *t = (rates_table) { 0 };
}

const double *rates_table_at(const rates_table *t, uint64_t step)
{
    uint32_t low = 0, high = t->n; /* the row is in [low, high) */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (t->step[middle] <= step)
            low = middle;
        else
            high = middle;
    }
    return t->value + (size_t)low * (t->n_groups + 1);
}
