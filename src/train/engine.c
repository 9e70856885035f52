#include "train/engine.h"

#include <string.h>

#include "train/recipe.h"

static strata_optimizer optimizer(const strata_recipe *r)
{
    if (recipe_is(r, "opt", "sgd")) return STRATA_SGD;
    if (recipe_is(r, "opt", "lars")) return STRATA_LARS;
    if (recipe_is(r, "opt", "lamb")) return STRATA_LAMB;
    return recipe_is(r, "opt", "adam") ? STRATA_ADAM : STRATA_ADAMW;
}

strata_status engine_model(strata_model **out, const strata_recipe *r, const engine_config *c)
{
    const strata_model_config model = {
        .model = strata_recipe_get(r, "model"),
        .stem = strata_recipe_get(r, "stem"),
        .head = strata_recipe_get(r, "head"),
        .groups = strata_recipe_get(r, "groups"),
        .input = { c->images, c->task.h, c->task.w, c->task.c },
        .classes = c->task.classes,
        .loss = true,
        .sigmoid = recipe_is(r, "loss", "sigmoid"),
        .new_head = recipe_is(r, "init-head", "new"),
        .mixed = c->train && c->augment && strata_augment_mixes(c->augment),
        .class_weights = c->train && *strata_recipe_get(r, "class-weights"),
        .label_smoothing = (float)recipe_number(r, "label-smoothing"),
    };
    return strata_model_open(out, &model);
}

/* What the launches of a plan run by, as a resumed run is told by its record. */
static void put_launches(strata_text *out, const strata_plan *p)
{
    const strata_recorded *r;
    for (int part = 0; part < STRATA_PARTS; part++)
        for (uint32_t s = 0; s < p->part[part].n; s++)
            for (uint32_t i = 0; (r = strata_stream_recorded(p->part[part].segment[s], i)); i++)
                strata_text_format(out, "%s%s:%s=%s", out->length ? "," : "", r->label ? r->label : "",
                                   strata_pass_name(r->pass), r->variant ? r->variant : "");
}

/* The variants that are forced, and those that tuning chose for the tensors as they will be stored. A smaller
 * last batch takes those of the others: the record of a run has no others for whoever resumes it. */
static strata_status choose_variants(engine *e, const strata_recipe *r, const engine_config *c,
                                     const strata_plan_config *plan)
{
    const char *forced = strata_recipe_get(r, "variants"); /* of a resumed run: all of its launches */
    STRATA_TRY(strata_variants_check(forced));
    /* Without training, too: which sums are direct must not depend on the batch, as scores may not. */
    if (recipe_is(r, "exact", "true") || !c->train) strata_text_append(&e->given, "exact,", strlen("exact,"));
    strata_text_append(&e->given, forced, strlen(forced));
    if (e->given.failed) return strata_fail(STRATA_NO_MEMORY, "the list of variants");
    strata_text_append(&e->variants, e->given.s, e->given.length);
    if (c->share)
        put_launches(&e->variants, c->share->plan);
    else if (c->train && !recipe_is(r, "tune", "off")) {
        const strata_tune_config tune = { .train = true,
                                          .full = recipe_is(r, "tune", "full"),
                                          .forced = e->given.s };
        strata_plan_types(e->model->graph, plan);
        STRATA_TRY(strata_tune(&e->variants, &e->tuned, e->device, e->model->graph, &tune));
    }
    return e->variants.failed ? strata_fail(STRATA_NO_MEMORY, "the list of variants") : STRATA_OK;
}

static strata_status open_plan(engine *e, const strata_recipe *r, const engine_config *c)
{
    strata_plan_config plan = {
        .train = c->train,
        .optimizer = optimizer(r),
        .momentum = recipe_number(r, "momentum") > 0,
        .clip_norm = (float)recipe_number(r, "clip-norm"),
        .trust_coefficient = (float)recipe_number(r, "trust"),
        .trust_clip = (float)recipe_number(r, "trust-clip"),
        .micro_batches = c->micro_batches,
        .share = c->share ? c->share->plan : NULL,
        .recompute = recipe_is(r, "recompute", "true"),
        .half = recipe_is(r, "precision", "fp16"),
        .no_fuse = recipe_is(r, "no-fuse", "true"),
        .augment = c->augment,
    };
    STRATA_TRY(choose_variants(e, r, c, &plan));
    if (e->variants.length) plan.variants = e->variants.s;
    return strata_plan_open(&e->plan, e->model->graph, e->device, &plan);
}

strata_status engine_open(engine *e, strata_device *d, const strata_recipe *recipe,
                          const engine_config *config)
{
    strata_status status = STRATA_OK;
    *e = (engine) { .device = d };
    STRATA_GO(engine_model(&e->model, recipe, config));
    STRATA_GO(open_plan(e, recipe, config));
    return STRATA_OK;
done:
    engine_close(e);
    return status;
}

void engine_close(engine *e)
{
    strata_ring_close(e->train);
    strata_ring_close(e->evaluate);
    strata_plan_close(e->plan);
    strata_model_close(e->model);
    strata_text_free(&e->variants);
    strata_text_free(&e->given);
    strata_text_free(&e->tuned.wrong);
    *e = (engine) { 0 };
}

uint64_t engine_memory(const engine *e)
{
    if (!e->plan) return 0;
    uint64_t ring = STRATA_RING_SLOTS * (e->plan->in.bytes + e->plan->result.bytes);
    return e->plan->device_bytes + ring * (e->plan->config.train ? 2 : 1);
}

strata_status engine_train_ring(engine *e)
{
    if (e->train) return STRATA_OK;
    const strata_plan *p = e->plan;
    return strata_ring_open(&e->train, e->device, p->in,
                            strata_slice_part(p->result, 0, p->result_train_bytes));
}

strata_status engine_evaluate_ring(engine *e)
{
    if (e->evaluate) return STRATA_OK;
    return strata_ring_open(&e->evaluate, e->device, e->plan->in, e->plan->result);
}

engine_input engine_parts(const engine *e, void *in)
{
    const strata_plan *p = e->plan;
    const bool labels = p->graph->target->rows;
    const bool mixes = p->config.train && p->config.augment && strata_augment_mixes(p->config.augment);
    char *at = in;
    return (engine_input) {
        .values = (void *)(at + p->in_step),
        .rates = (void *)(at + p->in_rates),
        .labels = labels ? (void *)(at + p->in_target) : NULL,
        .targets = labels ? NULL : (void *)(at + p->in_target),
        .weights = (void *)(at + p->in_weights),
        .class_weights = p->graph->class_weight ? (void *)(at + p->in_class_weights) : NULL,
        .pixels = p->config.augment ? NULL : (void *)(at + p->in_pixels),
        .stored = p->config.augment ? (void *)(at + p->in_pixels) : NULL,
        .samples = p->config.augment ? (void *)(at + p->in_samples) : NULL,
        .others = mixes ? (void *)(at + p->in_others) : NULL,
        .other_samples = mixes ? (void *)(at + p->in_other_samples) : NULL,
    };
}

void engine_weigh(const engine *e, const engine_input *in, const float *weight)
{
    const uint32_t classes = e->model->graph->logits->shape.c;
    for (uint32_t k = 0; in->class_weights && k < classes; k++) in->class_weights[k] = weight ? weight[k] : 1;
}

/* Row i of an input's targets. */
static void put_target(const engine_input *in, uint32_t i, const int32_t *labels, uint32_t classes)
{
    const uint32_t lanes = strata_lanes(classes);
    for (uint32_t k = 0; k < lanes; k++)
        in->targets[(size_t)i * lanes + k] = labels && k < classes ? (float)labels[(size_t)i * classes + k]
                                                                   : 0;
}

void engine_put(const engine *e, const engine_input *in, const float *pixels, const int32_t *labels,
                uint32_t n, float weight)
{
    const strata_shape s = e->model->graph->input->shape;
    const size_t dots = (size_t)s.h * s.w, lanes = strata_lanes(s.c);
    for (size_t i = 0; i < n * dots; i++) {
        memcpy(in->pixels + i * lanes, pixels + i * s.c, s.c * sizeof(float));
        for (size_t c = s.c; c < lanes; c++) in->pixels[i * lanes + c] = 0;
    }
    engine_weigh(e, in, NULL);
    memset(in->pixels + n * dots * lanes, 0, (s.n - n) * dots * lanes * sizeof(float));
    for (uint32_t i = 0; i < s.n; i++) {
        const int32_t *given = i < n ? labels : NULL;
        if (in->labels) in->labels[i] = given ? given[i] : 0;
        if (in->targets) put_target(in, i, given, e->model->graph->logits->shape.c);
        in->weights[i] = i < n ? weight : 0;
    }
}
