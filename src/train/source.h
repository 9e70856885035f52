/* Where trained weights come from: a run folder, or a weights file, and all that is needed to use them. */
#ifndef STRATA_TRAIN_SOURCE_H
#define STRATA_TRAIN_SOURCE_H

#include "data/data.h"
#include "train/trainer.h"

/* A run folder gives its recipe, its data's shape and class names, and its best (else last) weights. A
 * weights file gives what Strata wrote into its metadata; the keys of a recipe that the caller sets win over
 * both. */
typedef struct weights_source {
    strata_arena arena;
    strata_recipe *recipe;
    const char *weights;            /* the file's path */
    strata_task task;               /* h, w, c, classes; 0 where nobody said */
    const char *const *class_names; /* [task.classes]; NULL where nobody said */
    const char *data;               /* what the run trained on; "" where nobody said */
    const char *data_was;           /* the fingerprint of that then; "" where nobody said */
    const char *read_was;           /* source_reading of its training; "" where nobody said */
    const char *drawn;              /* source_draw of its training; "" where nobody said */
    const char *model_was;          /* the fingerprint of the model's file then; "" where nobody said */
} weights_source;

/* Owner: caller; release with source_close.
 *   given  keys that win; may be NULL
 * Errors: STRATA_FILE naming the folder or file and what it lacks. */
strata_status source_open(weights_source *out, const char *what, const strata_recipe *given);
void source_close(weights_source *s);

/* Is the run's model still what it trained? One that the caller names is taken as it is.
 * Errors: STRATA_BAD_ARG naming the file and both fingerprints, STRATA_FILE. */
strata_status source_check_model(const weights_source *s);

/* Is it the run's own data, named by it or as it names it and read as it read it, and has it changed since?
 *   data  what was loaded
 *   name  whence */
strata_status source_data_changed(bool *out, const weights_source *s, const strata_data *data,
                                  const char *name);

/* Do the weights say that their classes are the data's? */
bool source_same_classes(const weights_source *s, const strata_image_set *set);

/* Decide if a run begins with the last layer of its --init, where the recipe leaves that to the names of the
 * classes. */
strata_status source_head(strata_recipe *r, const strata_data *d);

/* What a recipe draws a validation part by, where the data has none: "seed 1, valid-fraction 0.2, valid-by
 * path". Owner: `arena`. NULL without memory. */
const char *source_draw(strata_arena *arena, const strata_recipe *recipe);

/* What a recipe reads a data set by, beside the network's shape. Owner: `arena`. NULL without memory. */
const char *source_reading(strata_arena *arena, const strata_recipe *recipe);

/* Open the network of a source on the device its recipe names and load the weights, for evaluation of
 * `images` at once, which come as stored pixels that `augment` says how to take. */
strata_status source_engine(engine *out, strata_device **device, const weights_source *s, uint32_t images,
                            const strata_augment *augment);

/* With --validate the layer's complaints are a failure. Errors: STRATA_CHECK_FAILED with the first. */
strata_status source_complaints(const strata_device *device, const strata_recipe *recipe);

/* The notes that make a weights file of a trainer's network self-contained: recipe keys of the model, image,
 * classes, normalisation. names [classes] may be NULL. *n out.
 * Owner:  `arena`. NULL without memory. */
struct strata_note *source_notes(strata_arena *arena, const strata_trainer *t, const char *normalize,
                                 const char *const *names, uint32_t *n);

#endif
