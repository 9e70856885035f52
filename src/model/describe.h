/* A model's description: what its YAML file says, checked for form but not for sense. The operations judge
 * their options and shapes when the graph is built.
 *
 *   name: resnet18
 *   about: one line for people
 *   image: [224, 224, 3]             height, width, channels where the data does not say
 *   classes: 1000                    the same
 *   choices: {stem: [imagenet, small]}   the first is the default
 *   groups: {fastai: {stem: [conv1, bn1, layer1], head: [fc]}}   schemes of layer groups, the first is the
 * default layers:
 *     - {op: conv2d, name: conv1, out: 64, kernel: 7, when: stem=imagenet}
 *     - {op: add, name: sum, in: [conv1, other]}
 *     - {op: linear, name: fc, out: $classes}
 *
 * A layer reads the one before it unless `in` names others; `input` is the image. All other keys are options
 * of its operation. `when` leaves it out unless the choice was made. */
#ifndef STRATA_MODEL_DESCRIBE_H
#define STRATA_MODEL_DESCRIBE_H

#include "core/arena.h"
#include "graph/graph.h"

enum { CHOICE_STEM, CHOICE_HEAD, CHOICES };
extern const char *const model_choice_names[CHOICES];

typedef struct model_layer {
    const char *op, *name; /* name "": made from the operation */
    const char *const *in; /* [n_in]; none: the layer before */
    uint32_t n_in;
    strata_setting *setting; /* [n_settings] */
    uint32_t n_settings;
    uint32_t when_choice; /* CHOICES: always there */
    const char *when_value;
    uint32_t line;
} model_layer;

typedef struct model_group {
    const char *name;
    const char *const *prefix; /* [n_prefixes] of layer names, ending at a dot or the name's end */
    uint32_t n_prefixes;
} model_group;

typedef struct model_scheme {
    const char *name;
    model_group *group; /* [n_groups], input side first */
    uint32_t n_groups;
    uint32_t line;
} model_scheme;

typedef struct model_description {
    const char *path; /* for messages */
    const char *name, *about;
    uint32_t image[3]; /* height, width, channels; 0: not said */
    uint32_t classes;  /* 0: not said */
    struct {
        const char *const *value; /* [n], the first is the default */
        uint32_t n;
    } choice[CHOICES];
    model_scheme *scheme; /* [n_schemes] */
    uint32_t n_schemes;
    model_layer *layer; /* [n_layers] */
    uint32_t n_layers;
} model_description;

/* Read a description.
 *   path  borrowed by *out; for messages
 *   text  [n] bytes
 * Owner:  `arena` owns what *out points to.
 * Errors: STRATA_FILE for what is no YAML, STRATA_BAD_ARG for what it says; both with the line. */
strata_status model_describe(model_description *out, strata_arena *arena, const char *path, const char *text,
                             size_t n);

/* Does `name` begin with `prefix`, up to a dot or its end? "layer1" stands for "layer1.0.conv1", not for
 * "layer10". */
bool model_prefix(const char *name, const char *prefix);

#endif
