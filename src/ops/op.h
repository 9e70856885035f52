/* What an operation is. One op is one stem in four places: shaders/<op>.comp, src/cpu/<op>.c, src/ops/<op>.c
 * and a row of src/check/rows.c. A node is one use of an op in a graph. */
#ifndef STRATA_OPS_OP_H
#define STRATA_OPS_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/shape.h"
#include "core/status.h"
#include "ops/device.h"

enum { STRATA_MAX_IN = 8, STRATA_MAX_PARAMS = 6, STRATA_MAX_KEPT = 3 };
enum { STRATA_LAVAPIPE = 13 }; /* a driver's id: VK_DRIVER_ID_MESA_LLVMPIPE */
enum { STRATA_GROUP = 64 };    /* GROUP of shaders/kernel.glsl, where no define says otherwise */

/* ---- Tensors ------------------------------------------------------------------------------ */

typedef struct strata_tensor {
    const char *name;
    strata_shape shape; /* logical; of one micro-batch */
    bool rows;          /* unpadded [n] of 32-bit values (labels, weights, losses), not an NHWC activation */
    bool half;          /* data and gradient have floats of 16 bits; their slices say so, too */
    strata_slice data;
    strata_slice grad; /* no slice: nobody wants this gradient */
} strata_tensor;

typedef enum strata_param_kind {
    STRATA_PARAM_VECTOR, /* [lanes(co)] f32: a bias, a gain, running statistics */
    STRATA_PARAM_FILTER  /* [r][s][ci][lanes(co)] f32, ci rounded up to 4 where groups == 1 */
} strata_param_kind;

typedef enum strata_param_init {
    STRATA_INIT_CONSTANT,        /* `scale` everywhere */
    STRATA_INIT_KAIMING_FAN_OUT, /* normal, std sqrt(2 / (r s co)): torchvision's ResNet convolutions */
    STRATA_INIT_KAIMING_FAN_IN,  /* normal, std sqrt(2 / fan in): fastai's head */
    STRATA_INIT_UNIFORM_FAN_IN, /* uniform in +-sqrt(1 / fan in): PyTorch's default for conv, linear and their
                                   biases */
    STRATA_INIT_NORMAL          /* normal with std `scale` */
} strata_param_init;

typedef struct strata_param {
    const char *name; /* in files: "layer1.0.conv1.weight" */
    const char *node; /* the node that owns it: "layer1.0.conv1" */
    strata_param_kind kind;
    bool running;          /* running statistics: kept and saved, never trained */
    bool norm, bias;       /* what --no-decay looks at */
    uint32_t co, ci, r, s; /* logical; ci is per group; all but co are 1 for a vector */
    uint32_t groups;
    uint32_t file_rank; /* 4: [co,ci,r,s], 2: [co, ci*r*s], 1: [co] */
    strata_param_init init;
    double scale;    /* of STRATA_INIT_CONSTANT and _NORMAL */
    uint64_t fan_in; /* for the init; of the layer's weight, also for its bias */
    uint32_t row;    /* of the rates table; its place among the trained parameters */
    strata_slice data;
    strata_slice grad; /* no slice: frozen, evaluation, or running statistics */
    strata_slice
        copy; /* data rounded to 16 bits, which kernels read in its place; no slice: they read data */
} strata_param;

/* Stored rows of input channels and stored floats of a parameter on the device. */
static inline uint32_t strata_param_ci(const strata_param *p)
{
    return p->kind == STRATA_PARAM_FILTER && p->groups == 1 ? strata_lanes(p->ci) : p->ci;
}
static inline uint64_t strata_param_floats(const strata_param *p)
{
    return (uint64_t)p->r * p->s * strata_param_ci(p) * strata_lanes(p->co);
}
/* What a kernel reads of it, and of its first `floats`. */
static inline strata_slice strata_param_read(const strata_param *p, uint64_t floats)
{
    const strata_slice all = p->copy.block ? p->copy : p->data;
    return strata_slice_part(all, 0, strata_float_bytes(floats, all.half));
}
/* Bytes of an activation, a gradient of one, or rows. */
static inline uint64_t strata_tensor_bytes(const strata_tensor *t)
{
    return t->rows ? 4 * (uint64_t)t->shape.n : strata_float_bytes(strata_shape_floats(t->shape), t->half);
}
/* Logical floats: what a file holds and what counts as parameters. */
static inline uint64_t strata_param_count(const strata_param *p)
{
    return (uint64_t)p->co * p->ci * p->r * p->s;
}

/* Between file order (OIHW, [strata_param_count]) and device order ([strata_param_floats], pads written as
 * zero). */
void strata_param_pack(const strata_param *p, float *device, const float *file);
/* The output channels [first, end) of `file` alone; pads are left alone. */
void strata_param_pack_rows(const strata_param *p, float *device, const float *file, uint32_t first,
                            uint32_t end);
void strata_param_unpack(const strata_param *p, float *file, const float *device);

/* ---- Nodes ---------------------------------------------------------------------------------- */

typedef struct strata_op strata_op;

typedef struct strata_node {
    const strata_op *op;
    const char *name; /* "layer1.0.conv1" */
    uint32_t index;   /* in the graph; keys its dropout masks */
    uint32_t last;    /* in the graph: of the last node that it took in; its own index without one */
    void *options;    /* the op's options struct, filled from its fields */
    strata_tensor *in[STRATA_MAX_IN];
    uint32_t n_in;
    strata_tensor *out;
    strata_param *param[STRATA_MAX_PARAMS]; /* by the op's own numbering; NULL where it has none */
    strata_slice kept[STRATA_MAX_KEPT];     /* live from forward to backward; sizes said in infer */
    uint64_t kept_bytes[STRATA_MAX_KEPT];
    uint64_t scratch_bytes;  /* the largest scratch any of its passes wants, whatever the variant */
    uint32_t backward_reads; /* STRATA_READS_*: the op's; its infer and take_in may add to them */

    /* Filled by the plan before launches are recorded. */
    strata_slice scratch;       /* shared by all nodes; contents do not outlive one pass call */
    bool add_in[STRATA_MAX_IN]; /* the gradient of in[i] is added to, not assigned; where one tensor comes in
                                   twice, its first place is the first to be written */
    bool add_param;             /* parameter gradients are added to: a later micro-batch */
    bool frozen_stats;          /* batch norm: use running statistics in training too, do not move them */
} strata_node;

/* One option of an op, as model files spell it. */
typedef enum strata_field_type {
    STRATA_FIELD_UINT,  /* uint32_t */
    STRATA_FIELD_PAIR,  /* uint32_t[2] (height, width); one number gives both */
    STRATA_FIELD_FLOAT, /* float */
    STRATA_FIELD_BOOL   /* uint32_t, 0 or 1 */
} strata_field_type;

typedef struct strata_field {
    const char *name;
    strata_field_type type;
    size_t offset;   /* in the options struct */
    double fallback; /* the default; ignored where required */
    bool required;
    double low, high; /* inclusive range */
} strata_field;

/* What an op's infer may ask for. Names and memory come from the graph's arena. */
typedef struct strata_builder strata_builder;

/* Declare a parameter of node `n` named "<node>.<suffix>" and put it at n->param[slot]. The caller fills the
 * fields of *like that describe it (kind .. fan_in); name, node, row are set here. */
strata_status strata_builder_param(strata_builder *b, strata_node *n, uint32_t slot, const char *suffix,
                                   const strata_param *like);

/* Which of its tensors an op's backward pass reads: what the plan must keep until then. */
enum { STRATA_READS_IN0 = 1, STRATA_READS_IN1 = 2, STRATA_READS_ALL_IN = 0xff, STRATA_READS_OUT = 0x100 };
/* Among those: it also writes over out->grad, which nobody reads after it. */
enum { STRATA_SPOILS_GRAD = 0x200 };

/* The least work of a pass of a node, from its shapes: what its speed is told by. An algorithm that
 * multiplies less does not change it. */
typedef struct strata_work {
    double flops; /* additions, multiplications, comparisons, each counted as 1 */
    double bytes; /* read and written, each tensor once for each time that a sum has to be over before the
                     next begins */
} strata_work;

/* The mode of a forward pass. AGAIN: the training pass once more, with the same bits, from the same inputs
 * and parameters: what that pass kept is still there, and running statistics do not move. */
typedef enum strata_mode { STRATA_TRAIN, STRATA_EVALUATE_MODE, STRATA_AGAIN } strata_mode;

struct strata_op {
    const char *name; /* as model files spell it */
    uint32_t min_in, max_in;
    const strata_field *fields; /* ended by a NULL name; NULL: no options */
    size_t options_bytes;
    uint32_t backward_reads; /* STRATA_READS_*; infer may want more for a node */
    bool view;               /* out is the same memory as in[0]: no launches at all */
    bool split_backward;     /* has the passes BACKWARD_X and BACKWARD_W in place of BACKWARD */
    /* Bit i: forward may write out->data over in[i]->data, and backward, where it assigns, in[i]->grad over
     * out->grad. Both are of one shape, and an element of what is written over is used for the last time by
     * the invocation that writes there. */
    uint32_t in_place, grad_in_place;
    bool loss; /* out is rows [n] of per-sample losses; in[1] is the target; no upstream gradient */

    /* Variants by name, the plain one first, ended by NULL; NULL: one variant named "plain". */
    const char *const *variants;
    /* Can variant `i` run this node's pass on this device? NULL: always. */
    bool (*admits)(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i);
    /* The variant to take, by device, before any measurement. NULL: 0. It must be admitted. */
    uint32_t (*prefer)(const strata_caps *caps, const strata_node *n, strata_pass pass);
    /* The same among the variants that round no more than direct sums do. NULL: prefer does. */
    uint32_t (*prefer_exact)(const strata_caps *caps, const strata_node *n, strata_pass pass);

    /* Bytes of scratch that variant `i` wants in a pass on a device, where that is more than scratch_bytes;
     * 0: it is not. The more a device binds, the more it may be. NULL: 0. */
    uint64_t (*scratch)(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i);

    /* Check inputs and options; set n->out->shape, kept_bytes, scratch_bytes; declare parameters.
     * Errors: STRATA_BAD_SHAPE naming node, what it wants, what came. */
    strata_status (*infer)(strata_builder *b, strata_node *n);

    /* Let `n`, a copy of a node whose output is `next`'s input and nobody else's, do the work of `next` too:
     * change its options, add inputs, false where it cannot. Its output and place are the caller's to change.
     * NULL: it never can. */
    bool (*take_in)(strata_node *n, const strata_node *next);

    /* The same of a batch norm whose first input that output is, and which may have taken in others, for
     * evaluation alone: by its running statistics. No pass but forward in STRATA_EVALUATE_MODE is then `n`'s,
     * which borrows `norm`.
     *   forced  as strata_stream_force takes it. NULL: it never can. */
    bool (*take_norm)(const strata_caps *caps, const char *forced, strata_node *n, const strata_node *norm);

    /* Is in[0]'s gradient 0 wherever the node does not look, and is that most of it? Then backward, where it
     * adds to what others wrote, touches no more than the rest. NULL: it is not. */
    bool (*skips)(const strata_node *n);

    /* Record the launches of a pass. `forward` reads in and params, writes out and kept. `backward` reads
     * out->grad and writes in[i]->grad and param grads where those have a slice. Sliced along N above
     * caps->max_range. */
    strata_status (*forward)(strata_stream *s, const strata_node *n, strata_mode mode);
    strata_status (*backward)(strata_stream *s, const strata_node *n);

    /* What strata_node_work gives for FORWARD, EVALUATE, BACKWARD, BACKWARD_X and BACKWARD_W. NULL: one
     * operation for each element of the largest input or of the output. */
    strata_work (*work)(const strata_node *n, strata_pass pass);
};

/* The work of a pass of a planned node. An op has either BACKWARD or BACKWARD_X and BACKWARD_W, and before
 * those perhaps BACKWARD, what both of them need: the mask of a relu. What it lacks is no work. */
strata_work strata_node_work(const strata_node *n, strata_pass pass);

/* What an op's `work` begins with. Bytes of the node's tensors that the pass touches: inputs and output
 * forward; gradients, and what STRATA_READS_* says, backward. Flops: 0. */
strata_work strata_tensor_work(const strata_node *n, strata_pass pass);

/* Which of those passes a launch of this node belongs to: STATS to FORWARD, TRANSPOSE to BACKWARD_X. */
strata_pass strata_node_pass(const strata_node *n, strata_pass launch);

/* Every op, ended by NULL; and one by name (NULL: none). */
extern const strata_op *const strata_ops[];
const strata_op *strata_op_find(const char *name);

/* The index of the variant to record for a pass: the forced one where it is admitted, else the op's
 * preference. Forced by strata_stream_force: items with commas between, the last form the
 * strongest: "name" for every op, "op=name", "op.PASS=name", "node:PASS=name"; NULL forces nothing. The item
 * "exact" takes prefer_exact where nothing else is forced. */
uint32_t strata_op_variant(strata_stream *s, const strata_node *n, strata_pass pass);
uint32_t strata_op_choose(const strata_caps *caps, const char *forced, const strata_node *n,
                          strata_pass pass);
const char *strata_op_variant_name(const strata_op *op, uint32_t i);

/* Bytes of scratch that a node wants for the variants that strata_op_variant will take on this device.
 *   forced  as strata_stream_force takes it;  train  backward, too */
uint64_t strata_op_scratch(const strata_caps *caps, const char *forced, const strata_node *n, bool train);
/* The same for any variant on any device. */
uint64_t strata_op_most_scratch(const strata_node *n);
void strata_stream_force(strata_stream *s, const char *variants);

/* Are there such operations, passes and variants? Of "node:PASS=name", which an earlier run wrote, nothing is
 * asked. Errors: STRATA_BAD_ARG with what there is. */
strata_status strata_variants_check(const char *variants);
/* Does a list of forced variants hold the item "exact"? */
bool strata_op_wants_exact(const char *forced);
/* Does a list of forced variants speak of a pass of a node, with a variant that its op has? */
bool strata_op_is_forced(const char *forced, const strata_node *n, strata_pass pass);
const char *strata_stream_forced(const strata_stream *s);

/* The step buffer: values that change every step, read by kernels, never pushed. Its slice, or none in
 * evaluation. */
typedef struct strata_step_values {
    uint32_t seed_low, seed_high; /* of the run */
    uint32_t step;                /* optimizer steps before this one */
    uint32_t sample;              /* the number of this micro-batch's first sample within the step */
    uint32_t epoch;
    uint32_t reserved[3];
} strata_step_values;
void strata_stream_step_values(strata_stream *s, strata_slice values);
strata_slice strata_stream_step_slice(const strata_stream *s);

enum {
    STRATA_MAX_GROUPS = 65535
}; /* of one dimension of a grid: the least maxComputeWorkGroupCount of Vulkan */

/* Workgroups of a full grid of one dimension with `items` items, `group` to a workgroup, folded over x and y
 * at STRATA_MAX_GROUPS (flat_index in shaders/kernel.glsl). */
void strata_grid(uint32_t groups[3], uint64_t items, uint32_t group);
/* The same for `n` workgroups of which none leaves early, and none may be too many: a store by address
 * (shaders/lane_stores.glsl) asks nobody where its buffer ends. False where it does not come out even. */
bool strata_grid_whole(uint32_t groups[3], uint64_t n);

/* How many images of `bytes_per_image` a bound slice may hold on this device; at least 1.
 * Errors: STRATA_BAD_ARG naming the node and the bytes, when one image alone is too large. */
strata_status strata_images_per_slice(uint32_t *out, const strata_caps *caps, const strata_node *n,
                                      uint64_t bytes_per_image);

/* How many images of all the node's activations, inputs and output, one launch may bind; at least 1. A kept
 * tensor with as many elements as the output fits with it.
 * Errors: as strata_images_per_slice. */
strata_status strata_images_per_launch(uint32_t *out, strata_stream *s, const strata_node *n);

/* A run of images of a batch. All `n` in runs of at most `most`:
 *   for (strata_images part = { 0 }; strata_images_next(&part, n, most);) ... */
typedef struct strata_images {
    uint32_t first, count;
} strata_images;
bool strata_images_next(strata_images *part, uint32_t n, uint32_t most);

/* Can a texel buffer hold this slice, and is it the faster load? And all slices of a kernel's arguments? Then
 * it is launched with TEXEL=1 (shaders/tensor.glsl). */
bool strata_fits_texels(const strata_caps *caps, strata_slice s);
bool strata_texels(strata_stream *s, const void *args, const strata_kernel *kernel);

/* The lanes of a subgroup whose stores are best written out, lane by lane (shaders/lane_stores.glsl); 0: a
 * plain store is. */
uint32_t strata_store_lanes(const strata_caps *caps);
/* The same where the driver's own stores are slow enough for kernels that do little beside them, too: before
 * Mesa 25, with the widest vectors. */
uint32_t strata_lanes_of_slow_stores(const strata_caps *caps);
/* Do such stores go to the address of a buffer? Then they may stand in branches. */
bool strata_by_address(const strata_caps *caps);

/* What shaders/subgroup.glsl wants to know where a workgroup is one subgroup, "GROUP=16 SG=16 SHUFFLE=1", and
 * with `stores` what shaders/lane_stores.glsl does. Returns the number of characters, all of which fit. */
enum { STRATA_SUBGROUP_DEFINES = 48 };
uint32_t strata_subgroup_defines(char out[STRATA_SUBGROUP_DEFINES], const strata_caps *caps, bool stores);

/* How many subgroups a workgroup is best made of, where `parts` are to be taken, one by each, `beside` times
 * over: as many as come out even and leave each core some workgroups. At least 1. */
uint32_t strata_subgroups(const strata_caps *caps, uint64_t parts, uint32_t beside);

/* Quads of four pages of 4 KiB: strips of PAGES are as many, or some of them (shaders/lane_stores.glsl). */
enum { STRATA_FOUR_PAGES = 1024 };

/* How a kernel that goes through `quads` one by one is launched: by the stores of shaders/lane_stores.glsl
 * where they pay and come out even, EACH quads to an invocation; else, without defines, one to each, and
 * those behind the last leave.
 *   stores  to how many tensors  half  one of them has 16 bits */
typedef struct strata_elements {
    uint32_t groups[3];
    char defines[STRATA_SUBGROUP_DEFINES + 40]; /* what more there are stand behind them */
} strata_elements;
strata_elements strata_cut_elements(const strata_caps *caps, uint64_t quads, uint32_t stores, bool half);

/* The part of an activation's slice that holds these images. "No tensor" stays so. */
strata_slice strata_images_of(strata_slice s, strata_shape shape, strata_images part);

/* Stored floats of one image, in quads: four channels of a pixel, what one invocation of an element-wise
 * kernel takes. */
static inline uint32_t strata_image_quads(strata_shape shape)
{
    return shape.h * shape.w * (strata_lanes(shape.c) / 4);
}

#endif
