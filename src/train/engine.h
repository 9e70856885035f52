/* A network on a device at one batch size: model, plan and rings. A trainer has one, and a second one where
 * the last batch of an epoch is smaller. */
#ifndef STRATA_TRAIN_ENGINE_H
#define STRATA_TRAIN_ENGINE_H

#include "core/sample.h"
#include "core/text.h"
#include "graph/tune.h"
#include "model/model.h"
#include "strata/recipe.h"
#include "strata/train.h"

typedef struct engine {
    strata_device *device; /* borrowed */
    strata_model *model;
    strata_plan *plan;
    strata_text variants, given;   /* those that the plan was given; of them, those that the recipe forces */
    strata_tune_report tuned;      /* zeros where nothing was */
    strata_ring *train, *evaluate; /* each opened when first used; at most one has work in flight */
} engine;

typedef struct engine_config {
    strata_task task;
    uint32_t images;        /* of a micro-batch */
    uint32_t micro_batches; /* in a step */
    bool train;
    const engine *share;           /* parameters are this one's; NULL */
    const strata_augment *augment; /* it is given stored pixels; NULL: the network's input in f32 */
} engine_config;

/* The network alone, as a recipe wants it; it needs no device. Owner: caller; strata_model_close. */
strata_status engine_model(strata_model **out, const strata_recipe *recipe, const engine_config *config);

/* Make the network that a recipe describes. Weights are zero. Owner: caller; release with engine_close. */
strata_status engine_open(engine *out, strata_device *d, const strata_recipe *recipe,
                          const engine_config *config);
void engine_close(engine *e);

/* Bytes of device memory, rings included; 0 of one that is closed. */
uint64_t engine_memory(const engine *e);

strata_status engine_train_ring(engine *e);
strata_status engine_evaluate_ring(engine *e);

/* The parts of a ring's input memory `in`. */
typedef struct engine_input {
    strata_step_values *values;
    strata_rate *rates;           /* [n_rows] */
    int32_t *labels;              /* [n]; NULL: the loss takes targets */
    float *targets;               /* [n, lanes(classes)] in [0, 1]; NULL: it takes labels */
    float *weights;               /* [n] of each image in the loss */
    float *class_weights;         /* [classes]; NULL: the network has none */
    float *pixels;                /* [n, h, w, lanes(c)]; NULL where the engine is given stored ones: */
    uint8_t *stored;              /* [n, strata_stored_bytes] */
    strata_sample *samples;       /* [n] */
    uint8_t *others;              /* [n, strata_stored_bytes] what is mixed into each; NULL: nothing is */
    strata_sample *other_samples; /* [n] theirs */
} engine_input;
engine_input engine_parts(const engine *e, void *in);

/* Set the weights of classes, where the network has them. weight [classes]; NULL: all are 1. */
void engine_weigh(const engine *e, const engine_input *in, const float *weight);

/* Of an engine that is given f32: copy n dense images [n,h,w,c] and labels to an input, rows past n as zeros
 * with weight 0; each of the n weighs `weight`.
 *   labels  [n]; of the loss sigmoid [n,classes], 0 or 1; NULL: none */
void engine_put(const engine *e, const engine_input *in, const float *pixels, const int32_t *labels,
                uint32_t n, float weight);

#endif
