/* The weights that a run begins with: drawn by its seed, and what a file has over them. */
#include "train/trainer.h"
#include "train/recipe.h"

static const char *const words[STRATA_TAKENS] = {
    [STRATA_TAKEN] = "taken",     [STRATA_RESIZED] = "resized",    [STRATA_WRONG_SHAPE] = "skipped",
    [STRATA_MISSING] = "missing", [STRATA_UNEXPECTED] = "surplus", [STRATA_NEW_HEAD] = "skipped",
};

const char *trainer_start_word(strata_taken what) { return words[what]; }

static void keep(void *context, const char *tensor, strata_taken what, const char *shapes)
{
    trainer_start *s = context;
    s->count[what]++;
    strata_text_format(&s->lines, "%-8s %s %s\n", words[what], tensor, shapes);
}

strata_status trainer_init(strata_trainer *t)
{
    const char *file = strata_recipe_get(t->recipe, "init");
    STRATA_TRY(
        strata_model_init_plan(t->main.model, t->main.plan, (uint64_t)recipe_number(t->recipe, "seed")));
    if (!*file) return STRATA_OK;
    STRATA_TRY(strata_model_transfer(t->main.model, t->main.plan, file, keep, &t->start));
    return t->start.lines.failed ? strata_fail(STRATA_NO_MEMORY, "%s: no memory to tell what is in it", file)
                                 : STRATA_OK;
}
