/* A model: a description (YAML, from the zoo or a file) made into a graph for one batch shape, with initial
 * weights and layer groups. */
#ifndef STRATA_MODEL_MODEL_H
#define STRATA_MODEL_MODEL_H

#include "graph/plan.h"
#include "model/stored.h"

struct strata_weights_file; /* model/weights_file.h */

typedef struct strata_model_config {
    const char *model;       /* a name of the zoo, or a path that ends in .yaml or .yml */
    const char *stem, *head; /* NULL or "": the description's defaults */
    const char *groups;    /* a scheme of the description ("fastai"), or "stage", "block", "layer"; a file, or
                           its text (model/group_list.h); NULL or "": the description's first scheme, where
                           it has none "stage" */
    strata_shape input;    /* n: the micro-batch; h = w = c = 0: the description's image */
    uint32_t classes;      /* 0: the description's */
    bool loss;             /* add a loss over the last layer: softmax cross-entropy of a label */
    bool mixed;            /* its target is a share of each class */
    bool sigmoid;          /* it is sigmoid cross-entropy of any number of labels */
    bool new_head;         /* a transfer leaves the last layer as it is: its classes are others */
    bool class_weights;    /* the softmax's classes count by weights of the step's input */
    float label_smoothing; /* of softmax alone */
} strata_model_config;

typedef struct strata_model {
    strata_arena arena;       /* owns the texts below */
    const char *name, *about; /* about: one line for people, "" without */
    uint32_t classes;
    bool new_head;           /* as configured */
    strata_graph *graph;     /* owned */
    const char *scheme;      /* of the groups: "fastai"; "own" where they come from a file or its text */
    const char *groups_text; /* that text on one line, itself a value of `groups`; NULL where there is none */
    uint32_t n_groups;
    const char *const *group_name; /* [n_groups], input side first */
    const uint32_t *group_of_row;  /* [graph->n_rows] the group of each trained parameter */
} strata_model;

/* Owner: caller; release with strata_model_close. On failure *out is NULL.
 * Errors: STRATA_BAD_ARG for an unknown model, stem, head, group scheme (with the nearest name), and for what
 * a description gets wrong (file:line); STRATA_BAD_SHAPE where the image is too small for the network. */
strata_status strata_model_open(strata_model **out, const strata_model_config *config);
void strata_model_close(strata_model *m);

/* Fill one parameter's initial values, in file order [strata_param_count]; a pure function of (seed, its
 * number in the graph, its description). `number`: its index in graph->param. */
void strata_model_init(float *values, const strata_param *param, uint32_t number, uint64_t seed);

/* Set every parameter of a plan to its initial values. */
strata_status strata_model_init_plan(const strata_model *m, strata_plan *p, uint64_t seed);

/* The tensor a parameter is in files; without its bytes. */
strata_stored strata_param_stored(const strata_param *p);

/* What a weights file gave each parameter. */
typedef enum strata_taken {
    STRATA_TAKEN,
    STRATA_MISSING,
    STRATA_WRONG_SHAPE, /* it keeps its values */
    STRATA_UNEXPECTED,  /* a tensor of the file that the network has no parameter for */
    STRATA_RESIZED,     /* the first convolution, for another number of channels */
    STRATA_NEW_HEAD,    /* it would fit, and is of other classes: it keeps its values */
    STRATA_TAKENS
} strata_taken;
typedef void strata_taken_report(void *context, const char *tensor, strata_taken what, const char *shapes);

/* Read weights by name into a plan, from a .safetensors or .pth file.
 *   strict   anything missing or of another shape is an error (STRATA_BAD_SHAPE naming the first and both
 *            shapes)
 *   report   may be NULL; called for each tensor */
strata_status strata_model_load(const strata_model *m, strata_plan *p, const char *path, bool strict,
                                strata_taken_report *report, void *context);

/* Begin with the weights of another task: parameters that the file lacks keep their values, and so does the
 * last layer where it has another number of classes or the model wants a new head. The first convolution
 * takes filters for m channels over for n: for one channel their sum, else channel c those of c mod m,
 * times m / n, so that a grey image is seen as before.
 * Errors: STRATA_BAD_SHAPE for any other parameter of another shape, before anything is written, and where
 * the file has nothing for this network. */
strata_status strata_model_transfer(const strata_model *m, strata_plan *p, const char *path,
                                    strata_taken_report *report, void *context);

/* The same without a plan: open the file, with the same errors; then read over a parameter's first values, in
 * file order, what it has for them, if anything.
 * Owner: caller; strata_weights_close. On failure *out is NULL. */
strata_status strata_model_transfer_open(struct strata_weights_file **out, const strata_model *m,
                                         const char *path);
strata_status strata_model_transfer_read(float *values, const strata_model *m, struct strata_weights_file *f,
                                         const strata_param *p);

/* Write all parameters and running statistics under torchvision's names, OIHW, f32, with `batches` as the
 * I64 scalars num_batches_tracked, and `notes` [n] as metadata, atomically. Neither time, host nor path is in
 * it: equal weights and notes give equal bytes. */
strata_status strata_model_save(const strata_model *m, strata_plan *p, const char *path, uint64_t batches,
                                const strata_note *notes, uint32_t n_notes);

/* ---- The zoo ----------------------------------------------------------------------------- */

/* Names of the models that ship, sorted; *n out. */
const char *const *strata_zoo_names(uint32_t *n);
/* A description's text; NULL: no such model. */
const char *strata_zoo_text(const char *name);

#endif
