/* What is in a set: how many of each class, how large, and what is in both of its parts. */
#include "data/folder.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct content {
    uint64_t hash;
    uint32_t image, part;
} content;

static int by_content(const void *a, const void *b)
{
    const content *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

static void hash_all(content *out, const strata_data *d)
{
    for (uint32_t part = 0; part < 2; part++) {
        const strata_image_set *set = part ? &d->valid : &d->train;
        const size_t bytes = (size_t)set->h * set->w * set->c;
        for (uint32_t i = 0; i < set->n; i++)
            *out++ = (content) { d->file[part] ? d->file[part][i].hash
                                               : XXH64(set->pixels + i * bytes, bytes, 0),
                                 i, part };
    }
}

static void measure_files(strata_data_report *r, const strata_data *d)
{
    for (int part = 0; part < 2; part++)
        for (uint32_t i = 0; d->file[part] && i < (part ? d->valid : d->train).n; i++) {
            const image_file *f = &d->file[part][i];
            if (!r->h_least || f->h < r->h_least) r->h_least = f->h;
            if (!r->w_least || f->w < r->w_least) r->w_least = f->w;
            if (f->h > r->h_most) r->h_most = f->h;
            if (f->w > r->w_most) r->w_most = f->w;
        }
    if (r->h_least) return;
    r->h_least = r->h_most = d->train.h;
    r->w_least = r->w_most = d->train.w;
}

/* Runs of one content in sorted order: train's before valid's. */
static void find_duplicates(strata_data_report *r, strata_duplicate *out, const content *all, uint32_t n,
                            const strata_data *d)
{
    for (uint32_t first = 0, end; first < n; first = end) {
        uint32_t valid = n;
        for (end = first; end < n && all[end].hash == all[first].hash; end++) {
            if (all[end].part && valid == n) valid = end;
            if (!all[end].part && end > first) r->repeats++;
        }
        if (all[first].part || valid == n) continue;
        const uint32_t a = all[first].image, b = all[valid].image;
        out[r->n_duplicates++] = (strata_duplicate) { a, b, d->file[0] ? d->file[0][a].name : NULL,
                                                      d->file[1] ? d->file[1][b].name : NULL };
    }
    r->duplicate = out;
}

static int by_train(const void *a, const void *b)
{
    const strata_duplicate *x = a, *y = b;
    return (x->train > y->train) - (x->train < y->train);
}

strata_status strata_data_look(strata_data_report *r, const strata_data *d)
{
    const uint32_t n = d->train.n + d->valid.n, classes = d->train.classes;
    *r = (strata_data_report) { 0 };
    strata_arena *arena = calloc(1, sizeof *arena);
    content *all = malloc((n + 1) * sizeof *all);
    uint32_t *count = arena ? strata_arena_take(arena, 2 * (size_t)classes * sizeof *count) : NULL;
    strata_duplicate *duplicate = arena ? strata_arena_take(arena, (d->valid.n + 1) * sizeof *duplicate)
                                        : NULL;
    r->memory = arena;
    if (!arena || !all || !count || !duplicate) {
        free(all);
        strata_data_report_free(r);
        return strata_fail(STRATA_NO_MEMORY, "no memory for a report of %s", d->name);
    }
    for (uint32_t part = 0; part < 2; part++) {
        const strata_image_set *set = part ? &d->valid : &d->train;
        for (uint32_t i = 0; i < set->n; i++)
            for (uint32_t k = strata_image_class(set, i, 0); k < classes;
                 k = strata_image_class(set, i, k + 1))
                count[part * classes + k]++;
    }
    r->class_train = count;
    r->class_valid = count + classes;
    memcpy(r->mean, d->mean, sizeof r->mean);
    memcpy(r->std, d->std, sizeof r->std);
    measure_files(r, d);
    hash_all(all, d);
    qsort(all, n, sizeof *all, by_content);
    find_duplicates(r, duplicate, all, n, d);
    qsort(duplicate, r->n_duplicates, sizeof *duplicate, by_train);
    free(all);
    return STRATA_OK;
}

void strata_data_report_free(strata_data_report *r)
{
    if (r->memory) strata_arena_free(r->memory);
    free(r->memory);
    *r = (strata_data_report) { 0 };
}
