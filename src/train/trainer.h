/* The trainer from inside: what the loop, checkpoints and tests use beside the public calls. */
#ifndef STRATA_TRAIN_TRAINER_H
#define STRATA_TRAIN_TRAINER_H

#include "core/text.h"
#include "rates/rates.h"
#include "train/engine.h"
#include "train/ratios.h"

/* What came back from one step. */
typedef struct trainer_result {
    uint64_t step; /* from 0 */
    uint32_t images;
    double loss;        /* mean over the batch, by the weights of classes, summed in double in image order */
    strata_state state; /* after the step; not_finite is 0 where the step was skipped for its scale alone */
    bool overflowed;    /* it was */
    /* [n_rows, 2] norms of each row's step and of its weights before it; NULL of a step that is not measured,
     * or was skipped: nothing tells how far it would have moved. Borrowed until the next result is taken. */
    const float *moved;
} trainer_result;

enum { TRAINER_RESULTS = 2 * STRATA_RING_SLOTS, TRAINER_NORMALIZE = 192 };

/* A micro-batch in flight. */
typedef struct trainer_part {
    uint64_t step;
    uint32_t images, step_images; /* real ones: in this micro-batch, in its step */
    bool last, measured;          /* of its step; that is measured */
    double weight;                /* of its step: what the sum of losses is divided by */
} trainer_part;

/* What the recipe says of every row of the rates table; read once, so that no step parses text. */
typedef struct trainer_rule {
    float beta2, eps;
    double decay, norm_decay, bias_decay;     /* weight decay: of weights, norm parameters, biases */
    double norm_rate, bias_rate;              /* factors of norm parameters' and of biases' rates */
    bool adam, lars, nesterov, decay_by_base; /* adam: two moments and corrections */
    bool trust, trust_all;                    /* trust ratios: of rows that decay, or of all */
    bool spare_norm, spare_bias;              /* no weight decay */
    bool train_frozen_norm, hold_stats;
} trainer_rule;

/* The last look at the weights. */
typedef struct trainer_look {
    float *weights;   /* the plan's range of them, owned; NULL: there was none yet */
    uint64_t step;    /* before which it was taken */
    uint32_t skipped; /* steps that had overflowed by then */
} trainer_look;

/* What a weights file gave, where there was one. */
typedef struct trainer_start {
    uint32_t count[STRATA_TAKENS];
    strata_text lines; /* "taken    conv1.weight [64,3,7,7]", one for each tensor */
} trainer_start;
const char *trainer_start_word(strata_taken what); /* "taken" */

struct strata_trainer {
    strata_device *device; /* borrowed */
    strata_recipe *recipe; /* own copy, every default resolved */
    strata_task task;
    uint32_t batch, micro, parts;      /* images in a step and in a micro-batch; micro-batches in a step */
    engine main, tail;                 /* tail: for a smaller last batch, opened when one comes */
    char normalize[TRAINER_NORMALIZE]; /* how its pixels were scaled, for the metadata; "": nobody said */
    const char *const *class_names;    /* [task.classes] likewise, borrowed; NULL */
    bool drawn;                        /* likewise: its seed and valid-fraction say what it is not shown */
    strata_rates *rates;
    strata_group_rate *group; /* [n_groups] of the step that was begun last */
    double momentum;
    trainer_rule rule;
    uint32_t frozen_nodes; /* nodes at the input side of which none learns in that step */
    bool *hold;            /* [n_nodes] batch norms that hold their running statistics in it */
    uint64_t look_every;   /* steps between two looks at the weights; 0: there are none */
    trainer_look look;
    trainer_start start;
    uint64_t *row_steps;  /* [n_rows] active steps each row has taken: Adam's t; where the device counts them,
                             those begun, until trainer_count_rows */
    uint64_t step;        /* steps begun */
    strata_state begun;   /* the device's state before the first step: as a checkpoint left it */
    engine *current;      /* with work in flight or a step begun */
    bool measure;         /* the step begun next, and those after it, are measured: what each row moves by */
    update_ratios ratios; /* of the measured steps that the loop took */
    bool open,
        fresh; /* the step begun last wants more micro-batches; the micro-batch begun last is its first */
    uint32_t sample; /* images of that step before the next micro-batch */
    trainer_part flight[STRATA_RING_SLOTS];
    uint64_t submitted, taken; /* micro-batches of `current` */
    double partial;            /* loss of the step whose micro-batches are coming back */
    trainer_result result[TRAINER_RESULTS];
    float *moved; /* [TRAINER_RESULTS, n_rows, 2] */
    uint32_t n_results, first_result;
};

/* As strata_trainer_open; with `augment` (copied) the trainer is given stored pixels, which the device makes
 * the network's input of; NULL: that input in f32. */
strata_status trainer_open(strata_trainer **out, strata_device *device, const strata_recipe *recipe,
                           const strata_task *task, const strata_augment *augment);

/* Begin a micro-batch of the next step: give out the memory to fill.
 *   images  real images of this micro-batch: the trainer's micro, or for a smaller last batch all of it
 *   last    it ends its step
 *   epoch   from 0, for the step's values
 * Rows past `images` must be filled too (engine_put does). Weights of images are 1 / (images of the whole
 * step).
 * Waits:  for the micro-batch STRATA_RING_SLOTS ago. */
strata_status trainer_begin(strata_trainer *t, uint32_t images, uint32_t step_images, bool last,
                            uint32_t epoch, engine_input *out);
/* The losses of the step begun last come times weights that sum up to this. */
void trainer_weigh(strata_trainer *t, double sum);
strata_status trainer_submit(strata_trainer *t);

/* The device's state, with no step in flight. Waits. */
strata_status trainer_state(const strata_trainer *t, strata_state *out);

/* Has the device done all that was submitted? */
strata_status trainer_idle(strata_trainer *t, bool *idle);

/* Make the recordings of a smaller last batch now, so that no step has to; what they take counts as the
 * trainer's memory. */
strata_status trainer_expect(strata_trainer *t, uint32_t images);

/* Take the oldest result; *got false where none has come. Waits: only if `wait`, for all that is in flight.
 */
strata_status trainer_take(strata_trainer *t, bool wait, trainer_result *out, bool *got);

/* The rates of a trainer whose recipe, task and model are there: open them; take those of the next step, and
 * count it for the rows that move; release. */
strata_status trainer_rates_open(strata_trainer *t);
void trainer_rates_begin(strata_trainer *t);
void trainer_rates_close(strata_trainer *t);

/* Bring row_steps up to date with a device that counts them, or the device up to date with row_steps; with no
 * step in flight. Waits. */
strata_status trainer_count_rows(strata_trainer *t);
strata_status trainer_put_rows(strata_trainer *t);

/* Nodes at the input side of which no parameter moves at these rates. group [n_groups]
 *   norms  norms of frozen groups are counted as frozen, too, whatever the recipe says */
uint32_t trainer_frozen_nodes(const strata_trainer *t, const strata_group_rate *group, bool norms);

/* Look at the weights before the step that begins next, and open the windows of groups that have settled.
 * With no step in flight. Waits. */
strata_status trainer_measure(strata_trainer *t);

/* Give the network its first weights: by seed, then from the recipe's `init`. */
strata_status trainer_init(strata_trainer *t);

/* Rates of the table's rows for the step begun last, for --log-rates. [n_rows] */
void trainer_rows(const strata_trainer *t, strata_rate *rows);

/* What a user who waits for tuning wants to read before it begins: a line; NULL with --tune off. */
const char *trainer_tuning(const strata_recipe *r);

/* What tuning found, as lines: how many shapes, then each variant that is wrong on the device. Nothing with
 * --tune off, or where a run's own record says the variants. */
void trainer_tuned(strata_text *out, const strata_trainer *t);

/* Groups and parameters of the network. */
const strata_model *trainer_model(const strata_trainer *t);

/* The name of the first thing that is not finite: the input, a parameter, a layer's output (each layer is run
 * again, so running statistics move), a gradient from the loss backwards. Call with no step in flight. Waits.
 */
strata_status trainer_first_not_finite(strata_trainer *t, const char **name);

/* Fill what the recipe leaves open by the task and the number of training images: model, epochs, lr, weight
 * decay, augmentation. */
strata_status trainer_resolve(strata_recipe *r, const strata_task *task, uint64_t images);

/* Is everything about a resolved recipe right that can be known without a device: model, batch, rates? A
 * groups file is read into the recipe, and rates by the size of weights are written out.
 * Errors: those of strata_trainer_open. */
strata_status trainer_check(strata_recipe *r, const strata_task *task);

/* Put the text of a groups file in the place of its path: from here on the recipe does not need the file. */
strata_status trainer_keep_groups(strata_recipe *r, const strata_model *m);

#endif
