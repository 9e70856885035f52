/* The one table of a run's options: the command line, recipe.yaml, --help and the man page are all made from it. */
#include "train/options.h"

#include <math.h>
#include <string.h>

#define INF HUGE_VAL

static const char *const on_off[] = { "true", "false", NULL };
static const char *const optimizers[] = { "sgd", "adam", "adamw", NULL };
static const char *const orders[] = { "shuffled", "sequential", NULL };
static const char *const augments[] = { "none", "flip", "crop", "flip-crop", NULL };
static const char *const lasts[] = { "drop", "keep", NULL };
static const char *const valids[] = { "auto", "none", NULL };
static const char *const losses[] = { "softmax", NULL };

/* key, value, default, topic, help; kind, range or choices */
const option_rule option_rules[] = {
    { { "data", "DATA", "", "data", "builtin:digits, a folder of IDX files (gzipped or not), or a CIFAR-10 binary folder" },
      OPTION_TEXT, 0, 0, NULL },
    { { "normalize", "mean=..,std=..", "", "data", "per channel, of pixels in [0,1]; default: measured on the training set" },
      OPTION_TEXT, 0, 0, NULL },
    { { "augment", "NAME", "", "data", "none, flip, crop (pad 4, crop back) or flip-crop; default: none, crop from 28 px on" },
      OPTION_CHOICE, 0, 0, augments },
    { { "order", "NAME", "shuffled", "data", "shuffled (by seed and epoch) or sequential" }, OPTION_CHOICE, 0, 0, orders },
    { { "last", "NAME", "drop", "data", "the last partial batch of an epoch: drop or keep" }, OPTION_CHOICE, 0, 0, lasts },
    { { "valid", "NAME", "auto", "data", "auto: validate after each epoch; none: never" }, OPTION_CHOICE, 0, 0, valids },

    { { "model", "NAME|FILE.yaml", "", "model", "a model of `strata models`, or a file; default: by the images' size" },
      OPTION_TEXT, 0, 0, NULL },
    { { "stem", "NAME", "", "model", "imagenet (7x7, stride 2, pooling) or small (3x3); default: the model file's" },
      OPTION_TEXT, 0, 0, NULL },
    { { "head", "NAME", "", "model", "linear or fastai; default: the model file's" }, OPTION_TEXT, 0, 0, NULL },
    { { "groups", "SCHEME", "", "model", "layer groups: fastai, stage, block or layer; default: fastai where defined, else stage" },
      OPTION_TEXT, 0, 0, NULL },
    { { "loss", "NAME", "softmax", "model", "softmax (cross-entropy over integer labels)" }, OPTION_CHOICE, 0, 0, losses },
    { { "label-smoothing", "X", "0", "model", "share of a label spread over all classes, in [0, 1)" }, OPTION_NUMBER, 0, 0.999999, NULL },
    { { "init", "FILE", "", "model", "start from the weights of a .safetensors file (torchvision's names)" }, OPTION_TEXT, 0, 0, NULL },

    { { "opt", "NAME", "adamw", "optimizer", "sgd, adam (L2 decay) or adamw (decoupled decay)" }, OPTION_CHOICE, 0, 0, optimizers },
    { { "lr", "SPEC", "", "optimizer", "X, a,b,c (a group each, input side first), lo:hi (geometric) or hi/k; default: by optimizer" },
      OPTION_TEXT, 0, 0, NULL },
    { { "momentum", "X", "0.9", "optimizer", "of sgd, in [0, 1)" }, OPTION_NUMBER, 0, 0.999999, NULL },
    { { "nesterov", NULL, "false", "optimizer", "Nesterov's form of sgd's momentum" }, OPTION_FLAG, 0, 0, on_off },
    { { "betas", "A,B", "0.9,0.999", "optimizer", "of adam and adamw, each in [0, 1)" }, OPTION_TEXT, 0, 0, NULL },
    { { "eps", "X", "1e-8", "optimizer", "of adam and adamw" }, OPTION_NUMBER, 0, 1, NULL },
    { { "weight-decay", "X", "", "optimizer", "per step; default: 1e-2 for adamw, 5e-4 for sgd, 0 for adam" }, OPTION_NUMBER, 0, INF, NULL },
    { { "no-decay", "LIST", "", "optimizer", "parameters without weight decay: norm, bias or norm,bias" }, OPTION_TEXT, 0, 0, NULL },
    { { "clip-norm", "X", "0", "optimizer", "scale gradients down to this global norm; 0: never" }, OPTION_NUMBER, 0, INF, NULL },

    { { "schedule", "NAME", "one-cycle", "schedule", "constant, one-cycle, one-cycle:fastai1 or one-cycle:torch, then ,key=value" },
      OPTION_TEXT, 0, 0, NULL },
    { { "epochs", "N", "", "schedule", "passes over the training set; default: by its size" }, OPTION_WHOLE, 1, 100000, NULL },
    { { "steps", "N", "", "schedule", "stop after N steps, whatever --epochs says" }, OPTION_WHOLE, 1, 1e12, NULL },
    { { "batch", "N", "64", "schedule", "images in a step" }, OPTION_WHOLE, 1, 65536, NULL },
    { { "micro-batch", "N", "", "schedule", "images in memory at once; a divisor of --batch, gradients are accumulated" },
      OPTION_WHOLE, 1, 65536, NULL },

    { { "seed", "N", "1", "run", "of weights, order, augmentation and dropout; same seed, build and device: same bits" },
      OPTION_WHOLE, 0, 9007199254740992.0, NULL },
    { { "run-dir", "DIR", "", "run", "the run's folder; default: runs/DATE_TIME-MODEL-DATA" }, OPTION_TEXT, 0, 0, NULL },
    { { "overwrite", NULL, "false", "run", "replace what an existing --run-dir holds" }, OPTION_FLAG, 0, 0, on_off },
    { { "save", "FILE", "", "run", "also write the final weights to this .safetensors file" }, OPTION_TEXT, 0, 0, NULL },
    { { "log-every", "N", "10", "run", "steps between lines of steps.jsonl" }, OPTION_WHOLE, 1, 1e9, NULL },
    { { "log-rates", NULL, "false", "run", "write every row of the rates table of every step to rates.csv" }, OPTION_FLAG, 0, 0, on_off },
    { { "checkpoint-every", "N", "0", "run", "steps between checkpoints; 0: at the end of each epoch only" }, OPTION_WHOLE, 0, 1e9, NULL },

    { { "device", "auto|N|NAME|cpu", "auto", "device", "see `strata devices`; cpu is the plain reference" }, OPTION_TEXT, 0, 0, NULL },
    { { "variants", "LIST", "", "device", "force kernels by name: NAME, or OP=NAME,OP.PASS=NAME" }, OPTION_TEXT, 0, 0, NULL },
    { { "shader-dir", "DIR", "", "device", "read the shaders from this folder instead of the library" }, OPTION_TEXT, 0, 0, NULL },
    { { "limits", "LIST", "", "device", "pretend to a smaller device: range=BYTES,group=N,shared=BYTES,texels=N,subgroup=0,memory=BYTES" },
      OPTION_TEXT, 0, 0, NULL },
    { { "validate", NULL, "false", "device", "run under the Vulkan validation layer and fail at its first message" }, OPTION_FLAG, 0, 0, on_off },
};

const uint32_t n_option_rules = sizeof option_rules / sizeof *option_rules;

const strata_option *strata_options(uint32_t *n)
{
    static strata_option table[sizeof option_rules / sizeof *option_rules]; /* the same bytes whoever fills it */
    for (uint32_t i = 0; i < n_option_rules; i++) table[i] = option_rules[i].option;
    *n = n_option_rules;
    return table;
}

int option_find(const char *key)
{
    if (strcmp(key, "lr-groups") == 0) key = "lr"; /* its second name */
    for (uint32_t i = 0; i < n_option_rules; i++)
        if (strcmp(option_rules[i].option.key, key) == 0) return (int)i;
    return -1;
}
