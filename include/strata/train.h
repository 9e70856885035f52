/* Training, evaluation and prediction.
 *
 * Two ways in: strata_run takes a recipe and makes a run folder, as `strata train` does; a strata_trainer
 * takes one step at a time on images that the caller supplies. */
#ifndef STRATA_TRAIN_H
#define STRATA_TRAIN_H

#include "strata/data.h"
#include "strata/device.h"
#include "strata/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- One step at a time ------------------------------------------------------------------- */

/* A trainer owns a network's weights, gradients and optimizer state on one device, which must outlive it. One
 * thread at a time may use it. */
typedef struct strata_trainer strata_trainer;

/* What the network is for; all at least 1. */
typedef struct strata_task {
    uint32_t h, w, c, classes;
    uint64_t steps;           /* of the whole run: what a schedule divides; 0: as the recipe's steps */
    uint64_t steps_per_epoch; /* what schedules in epochs count in; 0: not known, and they are refused */
} strata_task;

/* Make a trainer from the keys of a recipe: model, batch, micro-batch, opt, lr, schedule, seed, init, ...
 * Owner:  caller; release with strata_trainer_close. On failure *out is NULL.
 * Errors: STRATA_BAD_ARG, STRATA_BAD_SHAPE, STRATA_FILE, STRATA_DEVICE_MEMORY (the message says what would
 * fit). */
STRATA_API strata_status strata_trainer_open(strata_trainer **out, strata_device *device,
                                             const strata_recipe *recipe, const strata_task *task);
STRATA_API void strata_trainer_close(strata_trainer *t);

/* Take one optimizer step on one batch.
 *   pixels  [n, h, w, c] f32, row-major, normalised as the caller likes; the recipe's augment and sample are
 *           not of them
 *   labels  [n] i32, each in [0, classes); with the recipe's loss sigmoid [n, classes], 0 or 1
 *   n       images: 1 .. the recipe's batch
 *   loss    out: mean loss over the n images, in nats; each counts 1, whatever the recipe's class-weights
 *           say; may be NULL
 * Owner:  caller keeps both arrays; they are read before the call returns.
 * Waits:  for the device only if `loss` is not NULL, so ask on the steps you report.
 * Errors: STRATA_BAD_ARG, STRATA_DEVICE_LOST, STRATA_NOT_FINITE (loss asked for; the weights did not move).
 */
STRATA_API strata_status strata_trainer_step(strata_trainer *t, const float *pixels, const int32_t *labels,
                                             uint32_t n, float *loss);

/* A rule for learning rates of the caller's own, asked for each group at each step; the rate to take. A pure
 * function of its arguments, else a run that is resumed is not the same run. Frozen groups stay frozen.
 *   group     from the input side
 *   lr        what the recipe gives; the answer is finite and at least 0
 *   momentum  in: the recipe's momentum or beta1; out: in [0, 1). The last group's counts for all */
typedef double strata_rate_rule(void *context, uint64_t step, uint32_t group, double lr, double *momentum);

/* Set it from the next step on; NULL: the recipe alone. `context` is kept until the trainer is closed. */
STRATA_API void strata_trainer_set_rule(strata_trainer *t, strata_rate_rule *rule, void *context);

/* Run the network in evaluation mode, any number of images.
 *   pixels  [n, h, w, c] f32, as strata_trainer_step takes them
 *   labels  as strata_trainer_step takes them; NULL: losses are not wanted
 *   logits  out: [n, classes]; may be NULL.   losses  out: [n], nats; may be NULL
 * Waits:  for the device. The results do not depend on the batch size.
 * Errors: STRATA_BAD_ARG, STRATA_DEVICE_LOST. */
STRATA_API strata_status strata_trainer_evaluate(strata_trainer *t, const float *pixels,
                                                 const int32_t *labels, uint32_t n, float *logits,
                                                 float *losses);

/* Steps taken, and this trainer's peak of device memory in bytes. */
STRATA_API uint64_t strata_trainer_steps(const strata_trainer *t);
STRATA_API uint64_t strata_trainer_memory(const strata_trainer *t);

/* Write the weights (torchvision's names, OIHW, f32) to a safetensors file, atomically; read them from
 * one, or from a .pth file.  Waits.
 * Errors: STRATA_FILE; STRATA_BAD_SHAPE naming the tensor, wanted and came. */
STRATA_API strata_status strata_trainer_save(strata_trainer *t, const char *path);
STRATA_API strata_status strata_trainer_load(strata_trainer *t, const char *path);

/* Open the data that a recipe would train on, read as its keys size, channels, fit, ... say.
 *   source  as strata_data_load takes it
 * Owner:  caller; strata_data_close. On failure *out is NULL.
 * Errors: STRATA_BAD_ARG naming the key; those of strata_data_load. */
STRATA_API strata_status strata_recipe_data(strata_data **out, const char *source,
                                            const strata_recipe *recipe, strata_cache_use cache);

/* Write a PNG of the first images that a run of this recipe would train on, after augmentation, in its order,
 * row by row; scaled back to what can be looked at.
 *   images  1 .. 1024, at most as many as there are
 * Errors: those of strata_recipe_data; STRATA_FILE where it cannot be written. */
STRATA_API strata_status strata_recipe_show(const char *source, const strata_recipe *recipe, const char *path,
                                            uint32_t images);

/* ---- Whole runs ------------------------------------------------------------------------------ */

/* Of one class; NaN where there is nothing to say. A class that is neither a label nor predicted anywhere has
 * none of the first three shares, one that is no label no average precision. */
typedef struct strata_class_score {
    const char *name;
    uint64_t labelled, predicted, right; /* images that have it, that it was predicted for, and both */
    double precision, recall, f_beta;    /* shares in [0, 1] */
    double average_precision;            /* over the images in the order of its probability */
} strata_class_score;

typedef struct strata_average {
    double precision, recall, f_beta;
} strata_average;

/* Which images were scored. */
typedef enum strata_scored {
    STRATA_SCORED_OWN,      /* what the data itself has for validation */
    STRATA_SCORED_HELD_OUT, /* drawn as in training: those that it held out, where the data is the same */
    STRATA_SCORED_OTHER,    /* drawn otherwise, or the run's data changed: some may have been trained on */
    STRATA_SCORED_UNKNOWN   /* drawn, and the weights do not say how they were in training: likewise */
} strata_scored;

/* What weights are worth on a set of images, each counted once. */
typedef struct strata_score {
    uint64_t images;
    strata_scored part; /* of strata_evaluate; in words: */
    const char *part_text;
    double loss;       /* mean, in nats; with the label smoothing of the run or the file */
    double top1, top5; /* share of images with a label of theirs among the 1 and 5 likeliest classes */
    bool sets; /* the loss is sigmoid: predicted are all classes whose probability is above `threshold`;
                          else the likeliest alone */
    double threshold, beta;
    strata_average macro;  /* means over the classes that have a value */
    strata_average micro;  /* of all classes' counts together */
    double samples_f_beta; /* of each image's classes, averaged over images, as fastai v1's fbeta */
    double mean_average_precision;
    uint32_t classes;
    const strata_class_score *of_class; /* [classes] */
    const int32_t *label; /* [images] the label, and the likeliest class (UINT32_MAX: NaN); NULL where an */
    const uint32_t *predicted; /* image has any number of labels */
    void *memory;              /* of all that */
} strata_score;
/* NULL is allowed, and a score that is zeroed. */
STRATA_API void strata_score_free(strata_score *s);

/* Write the confusion matrix as CSV, a row for each label, a column for each predicted class.
 * Errors: STRATA_BAD_ARG where an image has any number of labels; STRATA_FILE. */
STRATA_API strata_status strata_score_confusion(const strata_score *s, const char *path);

typedef enum strata_event_kind {
    STRATA_EVENT_NOTE,  /* text: a line for people (device, data, model, memory, rates, "resumed at step 30")
                         */
    STRATA_EVENT_STEP,  /* a step's result came back */
    STRATA_EVENT_EPOCH, /* an epoch ended and was validated */
    STRATA_EVENT_END,   /* the run is over; text: where its folder is */
    STRATA_EVENT_DETAIL /* text: a note that few want: a tensor that --init took as it is */
} strata_event_kind;

typedef struct strata_event {
    strata_event_kind kind;
    const char *text;
    uint64_t step, steps;             /* this one, from 0, and how many the run has */
    uint32_t epoch, epochs;           /* from 1 */
    uint64_t epoch_step, epoch_steps; /* of a step: its number in its epoch, from 0, and how many that has */
    double loss;                      /* of the step's batch */
    double train_loss, valid_loss, top1,
        top5;                  /* of the epoch: means, shares in [0, 1]; NaN where there is no validation */
    bool sets;                 /* the loss is sigmoid: an image has any number of classes */
    const strata_score *score; /* of the epoch: all that validation measured; NULL where there is none */
    const double *lr;          /* [n_groups], input side first */
    /* What happened to the rates before the step, or in the epoch, each with its step: "44 unfreeze stem; 44
     * unfreeze body"; of "freeze", "unfreeze", "trigger" (its window opens) and "reduce" (a plateau). "":
     * nothing. */
    const char *events;
    const char *const *group_name; /* [n_groups] */
    uint32_t n_groups;
    /* Measured on the device at logged steps, at the last of an epoch, and in the first 50 of a run but
     * under adam and adamw: by what share of its size the last of these steps moved the weights of a
     * group, and all parameters of a layer. NaN before the first, and of a group without weights. */
    const double *update;          /* [n_groups] */
    const double *layer_update;    /* [n_layers] */
    const char *const *layer_name; /* [n_layers] "conv1", "bn1", ... from the input side */
    uint32_t n_layers;
    double images_per_s, seconds; /* training throughput; time since the run began */
    double data_wait; /* of a step: the share of the epoch so far in which the device waited for images */
} strata_event;

typedef struct strata_observer {
    void (*event)(void *context, const strata_event *e); /* may be NULL; called on the thread that runs */
    void *context;
    const volatile int *interrupt; /* may be NULL. When it becomes non-zero the run finishes its step, saves
                                      and returns STRATA_INTERRUPTED; before the first step there is no run
                                      yet, and one that is resumed stays as it is */
    strata_rate_rule
        *rule; /* may be NULL; as of strata_trainer_set_rule. A run that is resumed wants it again:
                               no folder keeps it */
    void *rule_context;
} strata_observer;

/* Train as a recipe says (its key `data` names the data) and keep a run folder. `command` is written into
 * run.json.
 * Errors: whatever goes wrong; what was written before stays, whole files only. */
STRATA_API strata_status strata_run(const strata_recipe *recipe, const char *command,
                                    const strata_observer *observer);

/* Continue the run in a folder from its last checkpoint (from step 0 without one). A finished run: STRATA_OK,
 * nothing changes. `device` NULL: as recorded.
 * Errors: as of strata_run; STRATA_BAD_ARG where recipe.yaml, or a file that it names, is not what the run
 * began with. */
STRATA_API strata_status strata_resume(const char *run_dir, const char *device,
                                       const strata_observer *observer);

/* How weights are evaluated; all-zero is valid. */
typedef struct strata_evaluate_config {
    const strata_recipe *recipe; /* keys that override what the run recorded (batch, device, ...); may be NULL
                                    for a run folder; a weights file wants the model's where it has none */
    const strata_observer *observer; /* its event is given a note, and one more where classes have other names
                                        than the run's; may be NULL */
    const char *confusion; /* a file that the score's confusion matrix will be written to: what stands in its
                              way is told before the work; NULL: none is wanted */
} strata_evaluate_config;

/* Evaluate a run folder's weights (best where there are, else last) or a weights file on a data set's
 * validation part.
 *   what    a run folder, or a weights file
 *   data    as `strata train DATA`; NULL: the run's own
 *   config  NULL: all defaults
 * Owner:  caller; release with strata_score_free. On failure *out is zeroed.
 * Errors: STRATA_FILE, STRATA_BAD_SHAPE where network and data do not fit, STRATA_BAD_ARG where a confusion
 *         matrix is wanted of images with any number of labels, those of strata_device_open. */
STRATA_API strata_status strata_evaluate(strata_score *out, const char *what, const char *data,
                                         const strata_evaluate_config *config);

/* The most likely classes of a picture. */
typedef struct strata_guess {
    uint32_t label;
    float probability;
    char name[64];
} strata_guess;

/* A network with its trained weights, ready for pictures. One thread at a time may use it. */
typedef struct strata_predictor strata_predictor;

/* Make one from a run folder or a weights file, as strata_evaluate takes them.
 * Owner:  caller; release with strata_predictor_close (NULL is allowed). On failure *out is NULL.
 * Errors: STRATA_FILE, also where nobody said for which images the weights are; those of
 *         strata_device_open. */
STRATA_API strata_status strata_predictor_open(strata_predictor **out, const char *what,
                                               const strata_recipe *recipe);
STRATA_API void strata_predictor_close(strata_predictor *p);

/* Of the loss sigmoid: the probability above which a class is a guess. NaN of softmax: every class is one. */
STRATA_API double strata_predictor_threshold(const strata_predictor *p);

/* Predict one picture (PNG, JPEG, BMP, GIF, TGA, PNM), fitted to the network's input.
 *   picture  the file's path
 *   guesses  out: [room], most likely first; *n out: how many, at most the number of classes; of the loss
 *            sigmoid at most those above the threshold
 * Waits:  for the device.
 * Errors: STRATA_FILE for a picture that cannot be read; STRATA_NOT_FINITE where the weights make no numbers
 *         of it. */
STRATA_API strata_status strata_predict(strata_predictor *p, const char *picture, strata_guess *guesses,
                                        uint32_t room, uint32_t *n);

#ifdef __cplusplus
}
#endif
#endif
