#include "train/introduce.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "train/rate_list.h"
#include "train/recipe.h"
#include "train/source.h"

static strata_status tell(const introduction *i, strata_event_kind kind, const char *format, ...)
    STRATA_FORMAT(3, 4);
static strata_status tell(const introduction *i, strata_event_kind kind, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    const int n = vsnprintf(NULL, 0, format, values);
    va_end(values);
    char *line = n < 0 ? NULL : malloc((size_t)n + 1);
    if (!line) return strata_fail(STRATA_NO_MEMORY, "no memory for a line about the run");
    va_start(values, format);
    vsnprintf(line, (size_t)n + 1, format, values);
    va_end(values);
    const strata_status status = i->say(i->context, kind, line);
    free(line);
    return status;
}

#define note(i, ...) tell(i, STRATA_EVENT_NOTE, __VA_ARGS__)

static strata_status say(void *context, const char *line)
{
    const introduction *i = context;
    return i->say(i->context, STRATA_EVENT_NOTE, line);
}

/* Where seed and fraction part the images, weights of another draw may have seen what this run holds out: its
 * scores would be too good. Weights do not keep which images they saw; of other classes they are another
 * task's. */
static strata_status introduce_draw(const introduction *i)
{
    const char *init = strata_recipe_get(i->recipe, "init");
    const strata_data *d = i->data;
    weights_source s;
    if (!*init || !d->drawn || !d->valid.n) return STRATA_OK;
    STRATA_TRY(source_open(&s, init, NULL));
    strata_status status = STRATA_OK;
    const char *draw = source_draw(&s.arena, i->recipe);
    if (!draw)
        status = strata_fail(STRATA_NO_MEMORY, "%s: no memory to tell how it was trained", init);
    else if (*s.drawn && strcmp(draw, s.drawn) != 0 && source_same_classes(&s, &d->train))
        status = note(
            i,
            "valid  drawn by %s; for the weights of --init by %s: if of the same pictures, some may "
            "have been trained on",
            draw, s.drawn);
    source_close(&s);
    return status;
}

/* Why a last layer that would fit was not taken: rows of other classes are worse than none. */
static strata_status introduce_head(const introduction *i)
{
    const strata_image_set *set = &i->data->train;
    weights_source s;
    if (!i->trainer->start.count[STRATA_NEW_HEAD]) return STRATA_OK;
    STRATA_TRY(source_open(&s, strata_recipe_get(i->recipe, "init"), NULL));
    strata_status status = STRATA_OK;
    for (uint32_t k = 0; s.class_names && k < set->classes && k < s.task.classes; k++) {
        if (strcmp(s.class_names[k], set->class_names[k]) == 0) continue;
        status = note(i,
                      "       class %u is '%.200s' to the weights, and '%.200s' in %s: the last layer begins "
                      "anew",
                      (unsigned)k, s.class_names[k], set->class_names[k], i->data->name);
        break;
    }
    source_close(&s);
    return status;
}

/* What --init gave: a line in all, one for each tensor that is not as in the file, and details. */
static strata_status introduce_start(const introduction *i)
{
    const trainer_start *s = &i->trainer->start;
    if (!s->lines.length) return STRATA_OK;
    STRATA_TRY(note(i, "init   %s: %u %s taken, %u resized, %u skipped, %u missing, %u surplus",
                    strata_recipe_get(i->recipe, "init"), (unsigned)s->count[STRATA_TAKEN],
                    strata_noun(s->count[STRATA_TAKEN], "tensor", "tensors"),
                    (unsigned)s->count[STRATA_RESIZED],
                    (unsigned)(s->count[STRATA_WRONG_SHAPE] + s->count[STRATA_NEW_HEAD]),
                    (unsigned)s->count[STRATA_MISSING], (unsigned)s->count[STRATA_UNEXPECTED]));
    for (const char *at = s->lines.s, *end; (end = strchr(at, '\n')); at = end + 1) {
        const bool taken = strncmp(at, trainer_start_word(STRATA_TAKEN), 5) == 0;
        STRATA_TRY(
            tell(i, taken ? STRATA_EVENT_DETAIL : STRATA_EVENT_NOTE, "       %.*s", (int)(end - at), at));
    }
    return STRATA_OK;
}

/* A wrong variant is the driver's fault or ours, and what a report wants to hold: each is told. */
static strata_status introduce_tuning(const introduction *i)
{
    strata_text lines = { 0 };
    trainer_tuned(&lines, i->trainer);
    strata_status status = lines.failed ? strata_fail(STRATA_NO_MEMORY, "no memory for what tuning found")
                                        : STRATA_OK;
    for (const char *at = lines.s, *end; status == STRATA_OK && at && (end = strchr(at, '\n')); at = end + 1)
        status = note(i, "%.*s", (int)(end - at), at);
    strata_text_free(&lines);
    return status;
}

/* What decides the rates, in the words of the recipe, and what their spread comes to. */
static strata_status introduce_rates(const introduction *i)
{
    static const char *const blends[] = { "bleed", "freeze-until" };
    const strata_trainer *t = i->trainer;
    const strata_model *m = trainer_model(t);
    const double *peak = strata_rates_peak(t->rates);
    strata_text line = { 0 };
    strata_text_format(&line, "rates  %s, %s", strata_recipe_get(i->recipe, "opt"),
                       strata_recipe_get(i->recipe, "schedule"));
    for (int k = 0; k < 2; k++)
        if (*strata_recipe_get(i->recipe, blends[k]))
            strata_text_format(&line, ", %s %s", blends[k], strata_recipe_get(i->recipe, blends[k]));
    strata_text_format(&line, ", batch %u, %u %s, %" PRIu64 " %s", (unsigned)t->batch, (unsigned)i->epochs,
                       strata_noun(i->epochs, "epoch", "epochs"), t->task.steps,
                       strata_noun(t->task.steps, "step", "steps"));
    for (uint32_t g = 0; g < m->n_groups; g++)
        strata_text_format(&line, ", %s %.3g", m->group_name[g], peak[g]);
    const strata_status status = line.failed ? strata_fail(STRATA_NO_MEMORY, "no memory for the rates")
                                             : i->say(i->context, STRATA_EVENT_NOTE, line.s);
    strata_text_free(&line);
    return status;
}

strata_status introduce_run(const introduction *i)
{
    const strata_caps *c = strata_device_caps(i->trainer->device);
    const strata_data *d = i->data;
    const strata_model *m = trainer_model(i->trainer);
    STRATA_TRY(note(i, "strata " STRATA_VERSION " | %s%s%s%s | %s", c->name, c->vulkan ? " (" : "",
                    c->vulkan ? c->driver : "", c->vulkan ? ")" : "",
                    strata_recipe_get(i->recipe, "precision")));
    STRATA_TRY(note(i, "data   %s: %u train, %u valid, %u %s, %ux%ux%u", d->name, (unsigned)d->train.n,
                    (unsigned)d->valid.n, (unsigned)d->train.classes,
                    strata_noun(d->train.classes, "class", "classes"), (unsigned)d->train.h,
                    (unsigned)d->train.w, (unsigned)d->train.c));
    if (!d->valid.n && recipe_is(i->recipe, "valid", "auto"))
        STRATA_TRY(
            note(i, "valid  there is no image for validation: no epoch gets a score, none is the best"));
    if (d->seen_h)
        STRATA_TRY(note(i, "images %ux%u of them for the network", (unsigned)d->seen_h, (unsigned)d->seen_w));
    if (d->cache) STRATA_TRY(note(i, "cache  its pixels are mapped from %s", d->cache));
    if (d->uncached) STRATA_TRY(note(i, "cache  none, its pixels are held in memory: %s", d->uncached));
    for (uint32_t k = 0; k < d->n_skipped; k++) STRATA_TRY(note(i, "skip   %s", d->skipped[k].why));
    STRATA_TRY(note(i, "model  %s: %" PRIu64 " parameters in %u %s, %u %s (%s)", m->name,
                    strata_graph_param_count(m->graph), (unsigned)m->graph->n_rows,
                    strata_noun(m->graph->n_rows, "tensor", "tensors"), (unsigned)m->n_groups,
                    strata_noun(m->n_groups, "group", "groups"), m->scheme));
    STRATA_TRY(introduce_start(i));
    STRATA_TRY(introduce_head(i));
    STRATA_TRY(introduce_draw(i));
    STRATA_TRY(introduce_tuning(i));
    STRATA_TRY(note(i, "memory %.1f MiB on the device%s", (double)strata_trainer_memory(i->trainer) / 1048576,
                    i->trainer->parts > 1 ? "; batch norm statistics are of a micro-batch" : ""));
    STRATA_TRY(introduce_rates(i));
    introduction own = *i;
    STRATA_TRY(rate_list_introduce(i->trainer, say, &own));
    return note(i, "run    %s", i->folder);
}
