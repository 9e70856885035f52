/* What conv2d and linear share: linear is the convolution whose window is its whole input. Private to the two
 * ops. */
#ifndef STRATA_OPS_CONV2D_H
#define STRATA_OPS_CONV2D_H

#include "ops/op.h"

typedef struct conv2d_options {
    uint32_t out, kernel[2], stride[2], pad[2], dilation[2], groups, bias;
    uint32_t
        kaiming; /* weights normal by torchvision's or fastai's rule, biases zero; else PyTorch's defaults */
    float std;   /* linear: weights normal with this standard deviation, biases zero; 0: not */
    uint32_t relu;           /* it took one in: what is stored is not below 0 */
    const strata_node *norm; /* it took one in, see take_norm; NULL */
} conv2d_options;

enum { CONV2D_WEIGHT, CONV2D_BIAS, CONV2D_NORM }; /* parameter slots; the last: of a norm's first */
enum { CONV2D_TABLE };                            /* kept: of a norm */
typedef enum conv2d_variant {
    CONV2D_PLAIN,
    CONV2D_DEPTHWISE,
    CONV2D_WINDOW, /* depthwise, written out for its window, with no more than every GPU has */
    CONV2D_TILE32, /* the tiles: in the order of conv2d_tile.c */
    CONV2D_TILE64,
    CONV2D_TILE64X8,
    CONV2D_TILE128X64,
    CONV2D_TILE128,
    CONV2D_SUBGROUP,
    CONV2D_WINOGRAD,
    CONV2D_WINOGRAD2
} conv2d_variant;
extern const char *const conv2d_variants[];

/* How a launch's sums begin, START_* of the shaders, and what ends them, END_*. */
enum { CONV2D_ZERO, CONV2D_BIASED, CONV2D_OLD, CONV2D_RELU = 4 };

/* Sizes that follow from a node. */
typedef struct conv2d_size {
    uint32_t taps, groups;
    uint32_t depth, width;      /* channels of a group of x and of y */
    uint32_t rows, cols;        /* stored rows of one tap of the weights, and floats of each */
    uint32_t to_rows, to_cols;  /* the same of the transposed weights */
    uint64_t floats, to_floats; /* of all taps */
    uint32_t pixels;            /* of one image of y */
} conv2d_size;
conv2d_size conv2d_size_of(const strata_node *n);

/* A sum over the pixels of y or its tiles, cut into chunks of a fixed size, so that its order depends on no
 * timing. `parts` chunks make a span, which is a power of two of images. */
typedef struct conv2d_chunks {
    uint32_t count, span, parts, chunk; /* the last three as the shaders take them */
    uint32_t images;                    /* of a span */
} conv2d_chunks;

enum { CONV2D_GRAIN = 4 }; /* pixels that the direct kernels take at a time */

/* At most `wanted` (at least 1) chunks of `images` images, each but the last of an image of whole grains, so
 * that one round at most is not full. */
conv2d_chunks conv2d_cut(uint32_t images, uint32_t pixels, uint32_t wanted, uint32_t grain);

/* A run of images of such a sum, as one launch takes it. */
typedef struct conv2d_run {
    strata_images images;
    uint32_t chunks, chunk_first; /* in it, and before it */
    bool first;                   /* not a continuation of a chunk */
} conv2d_run;
conv2d_run conv2d_run_of(strata_images part, const conv2d_chunks *c);

/* How many images a launch takes at most, given that `most` bind, so that no launch has both a piece of a
 * chunk and a whole one. `most` is a multiple of the power of two that alignment asks for. */
uint32_t conv2d_fit_to_chunks(uint32_t most, uint32_t images, const conv2d_chunks *c);

/* How a run's sums begin. With one chunk the result itself is written, which all later runs go on with. */
uint32_t conv2d_start_of(const conv2d_run *r, const conv2d_chunks *c, bool add);

/* to[floats] (+)= the sum of c->count rows of so many floats at the begin of the scratch, in order. */
strata_status conv2d_add_chunks(strata_stream *s, const strata_node *n, strata_slice to, uint64_t floats,
                                const conv2d_chunks *c);

/* The most chunks whose partial sums fit in so much scratch. */
uint32_t conv2d_most_weight_chunks(const strata_node *n, uint64_t bytes);
uint32_t conv2d_most_window_chunks(const strata_node *n); /* of CONV2D_WINDOW */
enum {
    CONV2D_PARTIALS = 16 << 20,    /* bytes of scratch that the chunks of a weight gradient may take */
    CONV2D_PARTIALS_GPU = 64 << 20 /* the same with the tiles for GPUs, which want more workgroups */
};

/* How many chunks a weight gradient is cut into. */
uint32_t conv2d_weight_chunks(const strata_caps *caps, const strata_node *n, conv2d_variant v);
bool conv2d_is_tile(uint32_t variant);
uint32_t conv2d_most_bias_chunks(const strata_node *n);

/* The taps of one side (0: height) of the window that touch x from any pixel of y: [out[0], out[1]), both 0
 * if none does. The others lie in the padding for every pixel. */
void conv2d_live_taps(uint32_t out[2], const strata_node *n, int side);

/* The tile and defines of a launch of one of the fast variants: `rows` x `cols` floats to a workgroup. */
typedef struct conv2d_tile {
    uint32_t rows, cols;
    uint32_t abreast; /* gather for subgroups: 1, or `rows` where a tile is one pixel of so many images */
    bool strips;     /* an invocation takes a strip of pixels of a line (gather), or several taps (weights) */
    uint32_t shares; /* weights by strips: invocations that share the taps of a quad of a chunk */
    uint32_t lines[3]; /* gather: the grid where it has a dimension for lines and one for images; else 0 */
    char defines[200];
} conv2d_tile;

/* The window of one channel, where a kernel may be written out for it. */
typedef struct conv2d_window {
    uint32_t taps_h, taps_w; /* 0: it may not */
    int32_t mul_w, step_w;   /* columns of x from pixel to pixel, and from tap to tap */
    uint32_t line;           /* pixels of a line */
    int32_t first_w; /* the column that the first tap of a line's first pixel reads, maybe outside x */
    uint32_t x_w;    /* columns of x */
    bool biased;     /* sums begin with the bias */
    bool cut;        /* weights: chunks may begin or end within a strip */
} conv2d_window;
enum {
    CONV2D_STRIP = 4,          /* pixels of a strip at most */
    CONV2D_CORES_UNKNOWN = 32, /* what a device that does not say is taken to have */
    CONV2D_NVIDIA = 4,         /* VK_DRIVER_ID_NVIDIA_PROPRIETARY */
    CONV2D_MANY_CORES = 100    /* NVIDIA's cards with as many have caches of 40 MB and more */
};

/* Pixels of a strip on lines of so many. */
uint32_t conv2d_strip(uint32_t line);

/* What a tile is chosen for: a result of `rows` rows and `cols` stored columns. */
typedef struct conv2d_problem {
    uint64_t rows;
    uint32_t cols;
    double products;    /* multiplications of the launch; 0 where nobody asks */
    bool exact;         /* all convolutions are direct: more launches share a kernel */
    uint32_t depth;     /* channels of a group; 0: the sum is over pixels */
    uint32_t images;    /* gather: of the launch */
    double outside;     /* gather for subgroups: the share of the products that are with the padding */
    bool texel, ragged; /* both inputs fit texel buffers; channels are padded */
    bool half;          /* the result is stored with 16 bits, two floats to a word */
    bool whole;         /* the sum of a tap is a multiple of 16 channels */
    bool flat;          /* row i is pixel i of the result, unless images lie abreast */
    bool apart;         /* weights: rounds are 4 pixels under a tap; rows of a tile are of one tap */
    bool turned;        /* gather for subgroups: the weights are those of FORWARD, see conv2d.comp */
    bool old;           /* sums begin with what is there: CONV2D_OLD */
    bool norm, sum;     /* gather: they end so, see shaders/epilogue.glsl */
    bool relu;
    conv2d_window window;
} conv2d_problem;
conv2d_tile conv2d_gather_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p);
conv2d_tile conv2d_weight_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p);

/* The tile of one of a batch of products of matrices, for GPUs; its rows are 1 where the device has none. */
conv2d_tile conv2d_product_tile(const strata_caps *caps, uint64_t rows, uint32_t cols);

/* Are the sums of a tile for subgroups best stored lane by lane (shaders/lane_stores.glsl)? It packs two
 * floats in a double: below the widest vectors that widens them, and all sums would be spilled so. */
bool conv2d_stores_lanes(const strata_caps *caps);

/* Are the terms of a round of blocks of `block` x `block` to stay in a loop? */
bool conv2d_rolls(const strata_caps *caps, uint32_t block);

/* Workgroups: tiles of rows folded over x and y, tiles of columns times `splits` in z. */
void conv2d_tile_grid(uint32_t groups[3], const conv2d_tile *t, uint64_t rows, uint32_t cols,
                      uint32_t splits);

/* The shared parts of the two descriptors. infer: kernel, stride, .. are in the options. */
strata_status conv2d_infer(strata_builder *b, strata_node *n, uint32_t file_rank);
bool conv2d_admits(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i);
uint32_t conv2d_prefer(const strata_caps *caps, const strata_node *n, strata_pass pass);
strata_work conv2d_work(const strata_node *n, strata_pass pass);
uint32_t conv2d_prefer_exact(const strata_caps *caps, const strata_node *n, strata_pass pass);
uint64_t conv2d_scratch(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i);
strata_status conv2d_forward(strata_stream *s, const strata_node *n, strata_mode mode);
strata_status conv2d_backward(strata_stream *s, const strata_node *n);
bool conv2d_take_in(strata_node *n, const strata_node *next);
bool conv2d_take_norm(const strata_caps *caps, const char *forced, strata_node *n, const strata_node *norm);

/* "NORM=1 SUM=1 RELU=1": how sums end. */
const char *conv2d_ending(bool norm, bool sum, bool relu);

/* Parts of the backward pass, each recorded where its gradient is wanted. */
strata_status conv2d_backward_x(strata_stream *s, const strata_node *n);
strata_status conv2d_backward_w(strata_stream *s, const strata_node *n);
strata_status conv2d_backward_bias(strata_stream *s, const strata_node *n);

/* Is this a pass that Winograd's transforms are for: one group, 3 x 3 windows of stride and dilation 1, more
 * than one output of an image? */
bool conv2d_suits_winograd(const strata_node *n, strata_pass pass);

/* The passes by Winograd's F(4x4,3x3), which lie in as much scratch as said. */
bool conv2d_winograd_pays(const strata_caps *caps, const strata_node *n, strata_pass pass);
bool conv2d_winograd_admits(const strata_caps *caps, const strata_node *n, strata_pass pass);
uint64_t conv2d_winograd_scratch(const strata_caps *caps, const strata_node *n, strata_pass pass);
strata_status conv2d_winograd_forward(strata_stream *s, const strata_node *n);
strata_status conv2d_winograd_backward_x(strata_stream *s, const strata_node *n);
strata_status conv2d_winograd_backward_w(strata_stream *s, const strata_node *n);

/* The same by F(2x2,3x3), in one kernel. */
bool conv2d_winograd2_pays(const strata_caps *caps, const strata_node *n, strata_pass pass);
bool conv2d_winograd2_admits(const strata_caps *caps, const strata_node *n, strata_pass pass);
uint64_t conv2d_winograd2_scratch(const strata_caps *caps, const strata_node *n, strata_pass pass);
strata_status conv2d_winograd2_forward(strata_stream *s, const strata_node *n);
strata_status conv2d_winograd2_backward_x(strata_stream *s, const strata_node *n);
strata_status conv2d_winograd2_backward_w(strata_stream *s, const strata_node *n);

#endif
