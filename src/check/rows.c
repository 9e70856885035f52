/* The op table: what the judge tries of every operation, at least one row for each, in the order of its name.
 * src/check/judge.h says how to write one. */
#include "check/judge.h"

/* Sums over the classes of a row: the softmax's, or the mean's. */
static uint64_t over_classes(const strata_node *n, strata_sum what)
{
    (void)what;
    return n->in[0]->shape.c;
}

/* Sums over a window, or over the windows that a pixel is in; neither is longer than the image. */
static uint64_t over_image(const strata_node *n, strata_sum what)
{
    (void)what;
    return (uint64_t)n->in[0]->shape.h * n->in[0]->shape.w;
}

/* The same where windows may outnumber pixels. */
static uint64_t over_outputs(const strata_node *n, strata_sum what)
{
    const strata_shape s = what == STRATA_SUM_OUT ? n->in[0]->shape : n->out->shape;
    return (uint64_t)s.h * s.w;
}

/* Sums of a convolution: over the window and the channels of a group, or over the pixels of the output. */
static uint64_t over_taps(const strata_node *n, strata_sum what)
{
    const strata_param *w = n->param[0];
    const uint64_t window = (uint64_t)w->r * w->s;
    switch (what) {
    case STRATA_SUM_OUT: return window * w->ci + 1;
    case STRATA_SUM_IN: return window * w->co / w->groups;
    default: return strata_pixels(n->out->shape);
    }
}

static uint64_t over_inputs(const strata_node *n, strata_sum what)
{
    return what == STRATA_SUM_OUT ? n->n_in : 1;
}

/* A channel's mean over the batch, on which every element of it depends. */
static uint64_t over_batch(const strata_node *n, strata_sum what)
{
    (void)what;
    return strata_pixels(n->in[0]->shape);
}

static const char narrow_channel[] =
    "the few values of one channel may lie close together and amplify more than the tensor's mean does";

static const char cancelling[] =
    "its transforms take differences of numbers up to 10 times as large: NMSE 1e-9 instead of 1e-11";

/* Below, at and above one workgroup of channels; several chunks of pixels. */
#define NORM_SIZES                                                                                           \
    "N=2 H=3 W=5 C=3; N=1 H=7 W=9 C=1; N=5 H=19 W=11 C=5; N=3 H=1 W=1 C=13; N=2 H=5 W=3 C=256; "             \
    "N=2 H=3 W=3 C=263; N=7 H=23 W=9 C=36"
/* Of the gradients of two values a channel nothing is left but what eps makes of them: it must be large. */
#define NORM_TWO_VALUES NORM_SIZES "; N=2 H=1 W=1 C=4"

enum { KINKS = STRATA_ROW_KINKS, TIES = STRATA_ROW_TIES | STRATA_ROW_NO_DIFFERENCES };

/* Odd and even images, less than a channel quad and more than a tile. */
#define STRIDED                                                                                              \
    "N=3 H=9 W=8 C=3 K=5; N=1 H=10 W=7 C=5 K=17; N=2 H=13 W=12 C=17 K=65; N=1 H=7 W=7 C=1 K=1; N=5 H=8 W=8 " \
    "C=16 "                                                                                                  \
    "K=32"
#define DEPTHWISE "N=2 H=5 W=4 C=3; N=1 H=8 W=7 C=16; N=3 H=9 W=9 C=5; N=1 H=11 W=13 C=5"

/* Small images in so many that a tile is one of their pixels, of as many rows as there are and of fewer, and
 * weights are summed over four at once, whole tiles of channels and cut ones; and images that those miss. One
 * has so many pixels that subgroups transpose the weights. */
#define BATCHES                                                                                              \
    "N=128 H=1 W=2 C=3 K=5; N=32 H=3 W=5 C=5 K=17; N=64 H=4 W=3 C=64 K=64; N=8 H=5 W=4 C=192 K=20; "         \
    "N=6 H=4 W=4 C=64 K=64; N=64 H=4 W=4 C=128 K=64; N=48 H=2 W=2 C=16 K=20; N=24 H=2 W=2 C=20 K=16; "       \
    "N=1 H=95 W=97 C=5 K=17"

/* Of tiles of 4 x 4: one that is not full, whole ones alone, rows of them cut short; fewer and more of them
 * than a workgroup takes. */
#define WINDOWS                                                                                              \
    "N=3 H=4 W=3 C=3 K=5; N=1 H=10 W=4 C=8 K=16; N=2 H=13 W=11 C=17 K=131; N=1 H=3 W=1 C=1 K=1; "            \
    "N=6 H=15 W=17 C=70 K=36"

/* Of sums that end in something else: for lanes of one, two and four floats, in whole tiles and cut ones. */
#define ENDINGS                                                                                              \
    "N=3 H=5 W=4 C=3 K=5; N=2 H=9 W=8 C=64 K=64; N=2 H=11 W=13 C=17 K=36; N=1 H=7 W=7 C=5 K=131; "           \
    "N=64 H=2 W=2 C=8 K=20"

enum { ENDED = STRATA_ROW_SPLITS | STRATA_ROW_NO_DIFFERENCES };

const strata_row strata_rows[] = {
    /* op, inputs, options, differentiable */
    { "adaptive_avg_pool", "x:N,H,W,C", "size=1", "x", .range = 2, .terms = over_image },
    { "adaptive_avg_pool", "x:N,H,W,C", "size=3,2", "x", .range = 2, .terms = over_image },
    { "adaptive_avg_pool", "x:N,H,W,C", "size=7,9", "x", .range = 2, .terms = over_outputs },
    { "adaptive_max_pool", "x:N,H,W,C", "size=3,2", "x", .range = 2, .flags = KINKS },
    { "adaptive_max_pool", "x:N,H,W,C", "size=9,7", "x", .range = 2, .terms = over_outputs, .flags = TIES },
    { "add", "x:N,H,W,C z:N,H,W,C", "", "x z", .range = 2, .terms = over_inputs },
    { "add", "x:N,H,W,C z:N,H,W,C v:N,H,W,C", "", "z v", .range = 2, .terms = over_inputs },
    { "add", "x:N,H,W,C z:N,H,W,C", "", "x", .range = 2, .terms = over_inputs, .flags = STRATA_ROW_SAME },
    { "avg_pool", "x:N,H,W,C", "kernel=2", "x", .range = 2, .terms = over_image },
    { "avg_pool", "x:N,H,W,C", "kernel=3,4 stride=2,3 pad=1,2 ceil_mode=true count_include_pad=false", "x",
      .range = 2, .terms = over_image },
    { "avg_pool", "x:N,H,W,C", "kernel=3,4 stride=2,3 pad=1,2 ceil_mode=true", "x", .range = 2,
      .terms = over_image },
    { "avg_pool", "x:N,H,W,C", "kernel=3 stride=1 pad=1", "x", .range = 2, .terms = over_image },
    { "batch_norm", "x:N,H,W,C", "", "x", .range = 2, .terms = over_batch, .flags = STRATA_ROW_SPLITS_ALL,
      .sizes = NORM_SIZES, .looser = 4, .reason = narrow_channel },
    { "batch_norm", "x:N,H,W,C z:N,H,W,C", "", "x z", .range = 2, .terms = over_batch,
      .flags = STRATA_ROW_SPLITS_ALL, .sizes = NORM_SIZES, .looser = 4, .reason = narrow_channel },
    { "batch_norm", "x:N,H,W,C", "relu=true", "x", .range = 2, .terms = over_batch,
      .flags = STRATA_ROW_SPLITS_ALL | STRATA_ROW_NO_DIFFERENCES, .sizes = NORM_SIZES, .looser = 4,
      .reason = narrow_channel },
    { "batch_norm", "x:N,H,W,C z:N,H,W,C", "relu=true affine=false", "x z", .range = 2, .terms = over_batch,
      .flags = STRATA_ROW_SPLITS_ALL | STRATA_ROW_NO_DIFFERENCES, .sizes = NORM_SIZES, .looser = 4,
      .reason = narrow_channel },
    { "batch_norm", "x:N,H,W,C", "affine=false eps=0.01 momentum=0.3", "x", .range = 2, .terms = over_batch,
      .flags = STRATA_ROW_SPLITS_ALL, .sizes = NORM_TWO_VALUES, .looser = 4, .reason = narrow_channel },
    { "batch_norm", "x:N,H,W,C@999.0..1001", "zero_init=true momentum=1", "x", .terms = over_batch,
      .sizes = "N=4 H=5 W=3 C=3; N=2 H=17 W=13 C=5",
      .flags = STRATA_ROW_SPLITS_ALL | STRATA_ROW_NO_DIFFERENCES },
    { "batch_norm", "x:N,C", "", "x", .range = 2, .terms = over_batch, .flags = STRATA_ROW_SPLITS_ALL,
      .sizes = "N=3 C=1; N=67 C=7; N=9 C=260", .looser = 4, .reason = narrow_channel },
    { "bce_loss", "x:N,K t:N,K@0..1", "", "x", .range = 8, .terms = over_classes },
    { "concat", "x:N,H,W,C z:N,H,W,3 v:N,H,W,2C", "", "x z v", .range = 2 },
    { "concat", "x:N,H,W,4 z:N,H,W,C", "", "x z", .range = 2 },
    { "concat", "x:N,H,W,C z:N,H,W,K v:N,H,W,1 t:N,H,W,8 u:N,H,W,5", "", "z t u", .range = 2 },
    { "concat", "x:N,H,W,C z:N,H,W,C", "", "x", .range = 2, .flags = STRATA_ROW_SAME },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .looser = 10, .loose_variant = "winograd", .reason = cancelling },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=0,2 bias=false", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .looser = 10, .loose_variant = "winograd", .reason = cancelling,
      .sizes = WINDOWS },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1 bias=false", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .looser = 10, .loose_variant = "winograd", .reason = cancelling,
      .sizes = BATCHES },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1 stride=2", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .sizes = BATCHES },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=2 dilation=2 stride=1,3", "x", .range = 1,
      .terms = over_taps, .flags = STRATA_ROW_SPLITS, .sizes = BATCHES },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1 stride=2 bias=false", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .sizes = STRIDED },
    { "conv2d", "x:N,H,W,C", "out=K kernel=1", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS },
    { "conv2d", "x:N,H,W,C", "out=K kernel=1 stride=2 bias=false", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .sizes = STRIDED },
    { "conv2d", "x:N,H,W,C", "out=K kernel=7 stride=2 pad=3 bias=false", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS,
      .sizes = "N=1 H=16 W=16 C=3 K=64; N=2 H=9 W=14 C=3 K=5; N=2 H=11 W=7 C=1 K=16" },
    { "conv2d", "x:N,H,W,C", "out=K kernel=5,2 stride=1,3 pad=4,0 dilation=2,1", "x", .range = 1,
      .terms = over_taps, .flags = STRATA_ROW_SPLITS, .sizes = STRIDED },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 stride=2 pad=3 dilation=2", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .sizes = STRIDED },
    { "conv2d", "x:N,H,W,3C", "out=3K kernel=3 pad=1 groups=3", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .sizes = "N=2 H=5 W=4 C=1 K=2; N=1 H=6 W=7 C=3 K=1; N=3 H=4 W=4 C=4 K=8" },
    { "conv2d", "x:N,H,W,2C", "out=2K kernel=3,2 stride=2 groups=2 bias=false", "x", .range = 1,
      .terms = over_taps, .flags = STRATA_ROW_SPLITS,
      .sizes = "N=2 H=5 W=4 C=5 K=3; N=1 H=8 W=7 C=2 K=6; N=1 H=9 W=9 C=16 K=8" },
    { "conv2d", "x:N,H,W,C", "out=C kernel=3 pad=1 groups=C", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS, .sizes = DEPTHWISE },
    { "conv2d", "x:N,H,W,C", "out=C kernel=3 pad=1 stride=2 groups=C bias=false", "x", .range = 1,
      .terms = over_taps, .flags = STRATA_ROW_SPLITS, .sizes = DEPTHWISE },
    { "conv2d", "x:N,H,W,C", "out=C kernel=2,3 pad=1,3 stride=1,3 dilation=1,2 groups=C", "x", .range = 1,
      .terms = over_taps, .flags = STRATA_ROW_SPLITS, .sizes = DEPTHWISE },
    { "conv2d", "x:N,H,W,C", "out=C kernel=5,2 pad=3,1 stride=2,3 groups=C", "x", .range = 1,
      .terms = over_taps, .flags = STRATA_ROW_SPLITS, .sizes = DEPTHWISE },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3,2 pad=1", "x", .range = 1, .terms = over_taps, .flags = ENDED,
      .then = "relu", .sizes = ENDINGS },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1,0", "x", .range = 1, .terms = over_taps, .flags = ENDED,
      .then = "relu", .looser = 10, .loose_variant = "winograd", .reason = cancelling, .sizes = ENDINGS },
    { "conv2d", "x:N,H,W,C", "out=C kernel=3 pad=1,0 groups=C bias=false", "x", .range = 1,
      .terms = over_taps, .flags = ENDED, .then = "relu", .sizes = DEPTHWISE },
    { "conv2d", "x:N,H,W,C", "out=K kernel=3,1 pad=1,0", "", .range = 1, .terms = over_taps, .flags = ENDED,
      .then = "batch_norm", .sizes = ENDINGS },
    { "conv2d", "x:N,H,W,C z:N,H,W,K", "out=K kernel=1,3 pad=0,1 bias=false", "", .range = 1,
      .terms = over_taps, .flags = ENDED, .then = "batch_norm add relu", .sizes = ENDINGS },
    { "conv2d", "x:N,H,W,C z:N,H,W,K", "out=K kernel=3 pad=1 bias=false", "", .range = 1, .terms = over_taps,
      .flags = ENDED, .then = "batch_norm add relu", .looser = 10, .loose_variant = "winograd",
      .reason = cancelling, .sizes = ENDINGS },
    { "conv2d", "x:N,H,W,C z:N,H,W,C", "out=C kernel=3 pad=1 groups=C bias=false", "", .range = 1,
      .terms = over_taps, .flags = ENDED, .then = "batch_norm add", .sizes = DEPTHWISE },
    { "conv2d", "x:N,H,W,C", "out=C kernel=1,3 pad=1 groups=C", "", .range = 1, .terms = over_taps,
      .flags = ENDED, .then = "batch_norm relu", .sizes = DEPTHWISE },
    { "dropout", "x:N,H,W,C", "p=0.3", "x", .range = 2 },
    { "dropout", "x:N,H,W,C", "p=1", "x", .range = 2 },
    { "flatten", "x:N,H,W,C", "", "x", .range = 1 },
    { "gelu", "x:N,H,W,C", "", "x", .range = 4 },
    { "gelu", "x:N,H,W,C", "tanh=true", "x", .range = 4 },
    { "global_avg_pool", "x:N,H,W,C", "", "x", .range = 2, .terms = over_image },
    { "global_max_pool", "x:N,H,W,C", "", "x", .range = 2, .flags = KINKS },
    { "identity", "x:N,H,W,C", "", "x", .range = 1 },
    { "leaky_relu", "x:N,H,W,C", "slope=0.2", "x", .range = 4, .flags = KINKS },
    { "linear", "x:N,H,W,C", "out=K", "x", .range = 1, .terms = over_taps, .flags = STRATA_ROW_SPLITS },
    { "linear", "x:N,C", "out=K bias=false", "x", .range = 1, .terms = over_taps,
      .flags = STRATA_ROW_SPLITS },
    { "linear", "x:N,H,W,C", "out=K bias=false", "x", .range = 1, .terms = over_taps, .flags = ENDED,
      .then = "relu" },
    { "linear", "x:N,H,W,C", "out=K", "", .range = 1, .terms = over_taps, .flags = ENDED,
      .then = "batch_norm relu" },
    { "max_pool", "x:N,H,W,C", "kernel=3 stride=2 pad=1", "x", .range = 2, .flags = KINKS },
    { "max_pool", "x:N,H,W,C", "kernel=2,3 stride=1 dilation=2,1 ceil_mode=true", "x", .range = 2,
      .flags = KINKS },
    { "max_pool", "x:N,H,W,C", "kernel=2", "x", .range = 2, .flags = TIES },
    { "max_pool", "x:N,H,W,C", "kernel=3,5 stride=2,1 pad=1,2 ceil_mode=true", "x", .range = 2,
      .terms = over_image, .flags = TIES },
    { "relu", "x:N,H,W,C", "", "x", .range = 4, .flags = KINKS },
    { "relu", "x:N,H,W,C", "", "x", .range = 2, .flags = TIES },
    { "silu", "x:N,H,W,C", "", "x", .range = 4 },
    { "softmax_loss", "x:N,K label:N<K", "", "x", .range = 8, .terms = over_classes },
    { "softmax_loss", "x:N,K label:N<K weight:K@0.1..2", "smoothing=0.1", "x", .range = 8,
      .terms = over_classes },
    { "softmax_target_loss", "x:N,K t:N,K@0..1", "", "x", .range = 8, .terms = over_classes },
    { "softmax_target_loss", "x:N,K t:N,K@0..1 weight:K@0.1..2", "smoothing=0.1", "x", .range = 8,
      .terms = over_classes },
    { 0 },
};
