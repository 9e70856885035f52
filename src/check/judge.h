/* The op table and its judge: every operation on a device against the CPU reference, and the reference
 * against central differences. Run by the tests and by strata_doctor.
 *
 * The bound. A backward-stable kernel gives the exact answer to inputs that were moved by a relative error of
 * about sqrt(K) 2^-24, K being the terms of its longest sum. How far such a move shifts the answer is
 * measured: the reference runs again with every input, parameter and upstream gradient multiplied by 1 + e z
 * (z = +-1, e = 2^-14), and S = rms(answer moved - answer) / e over the tensor; for a sum that is the root of
 * sum (a b)^2. So an element may be off by
 *
 *     JUDGE_FACTOR sqrt(K) 2^-24 (S + |reference|)
 *
 * and over the tensor sum (error^2) / sum (reference^2 + S^2) stays below JUDGE_NMSE. A row may ask for a
 * looser one and then says why.
 *
 * Results of 16 bits are rounded once more, on both sides: they may be another 2^-10 of themselves apart (or
 * 2^-24, where numbers of 16 bits end), but seldom, as what they are rounded from is much nearer. Sums that
 * are e apart come out a last place h apart as often as e / h, so their squared error is h e on average: with
 * h some 7e-4 of a number and e the 3e-5 of it that Winograd's looser bound allows, 2e-8 of the squares at
 * most, which is JUDGE_HALF_NMSE. Of a kernel that truncates every second is h apart, for 1e-7: a looser row
 * adds what its sums may be apart, JUDGE_NMSE looser^2, and does not multiply. */
#ifndef STRATA_CHECK_JUDGE_H
#define STRATA_CHECK_JUDGE_H

#include "ops/op.h"
#include "strata/doctor.h"

/* ---- Rows ---------------------------------------------------------------------------------- */

/* Terms of the longest sum behind one element of: the output, an input's gradient, a parameter's gradient. */
typedef enum strata_sum { STRATA_SUM_OUT, STRATA_SUM_IN, STRATA_SUM_PARAM } strata_sum;
typedef uint64_t strata_terms(const strata_node *n, strata_sum what);

enum {
    /* Not smooth everywhere (relu, max pooling). For central differences the inputs are distinct points of a
     * lattice whose kinks lie between them. */
    STRATA_ROW_KINKS = 1,
    /* Inputs are rounded to integers, so equal ones meet (which of two equal maxima gets the gradient is part
     * of an op). The bound is then measured by moving upstream gradients and parameters only. */
    STRATA_ROW_TIES = 2,
    /* Every input is the same tensor, as in add(x, x): gradients of all but the first are added. */
    STRATA_ROW_SAME = 4,
    /* No central differences: another row of the op has them, or they do not apply. */
    STRATA_ROW_NO_DIFFERENCES = 8,
    /* Sums over images are split where launches are, so a device that binds less gives parameter gradients of
     * other bits. */
    STRATA_ROW_SPLITS = 16,
    /* And everything else of the op depends on such sums: batch statistics. */
    STRATA_ROW_SPLITS_ALL = 32,
    /* Activations, their gradients and filters have floats of 16 bits; set by the judge, not in the table. */
    STRATA_ROW_HALF = 64
};

/* A row. Dimensions are capitals, to which the judge gives sizes (1, 3, 4, 5, primes, around 64); also "2C"
 * and plain numbers.
 *   inputs          "x:N,H,W,C"  an activation; "x:N,C" is [N,1,1,C]
 *                   "label:N<K"  rows [N] of i32 in [0, K);  "weight:N"  rows [N] of f32
 *                   "t:N,K@0..1" values in [0, 1] instead of [-range, range]
 *   options         "kernel=3 out=2K": a value that is a capital, with or without a factor, becomes its size
 *   differentiable  the inputs whose gradient is judged; every parameter that is trained is, too
 *   then            "relu": ops that the node takes in, as a plan lets it (graph/fuse.h); NULL: none. "add"
 *                   is of the last input. With a "batch_norm" the node is judged in evaluation mode alone.
 *                   Backward reads the reference's output on all devices: at a kink rounding may turn a
 *                   gradient
 *   sizes           NULL: the judge's. Else cases separated by ';': "N=2 H=9 W=9 C=3; N=1 H=8 W=8 C=16"
 * A case that the op refuses with STRATA_BAD_SHAPE is skipped; a row with fewer than two cases left fails. */
typedef struct strata_row {
    const char *op, *inputs, *options, *differentiable;
    float range;
    strata_terms *terms; /* NULL: 1, an element-wise op */
    unsigned flags;      /* STRATA_ROW_* */
    const char *sizes;
    double looser;             /* multiplies the bound; 0 counts as 1 */
    const char *loose_variant; /* the one variant that `looser` is for; NULL: all */
    const char *reason;        /* why looser; wanted where `looser` is set */
    const char *then;
} strata_row;

extern const strata_row strata_rows[]; /* ended by a NULL op */

/* ---- The judge ------------------------------------------------------------------------------ */

#define JUDGE_FACTOR    4.0
#define JUDGE_NMSE      1e-11
#define JUDGE_HALF_NMSE 2e-8 /* results that were truncated have 7e-8 to 2e-7 */

typedef enum strata_judge_depth {
    STRATA_JUDGE_QUICK,    /* one case a row */
    STRATA_JUDGE_MODERATE, /* three: strata doctor */
    STRATA_JUDGE_FULL      /* all */
} strata_judge_depth;

enum { STRATA_JUDGE_MAX_LAUNCHES = 256 };

/* All-zero but for the devices is valid. */
typedef struct strata_judge {
    strata_device *device;    /* judged; borrowed */
    strata_device *reference; /* a CPU reference device; borrowed */
    strata_device *twin;      /* a device that has to give the same bits, but for STRATA_ROW_SPLITS*; NULL */
    strata_judge_depth depth;
    bool half;           /* activations, their gradients and filters with 16 bits: another bound, see above */
    const char *sizes;   /* one case for every row instead of its own; NULL */
    const char *variant; /* this variant only; NULL: all that are admitted */
    void (*line)(void *context, const strata_doctor_line *line);
    void *context;

    /* Filled while judging. */
    uint32_t lines, failures;
    char first[512]; /* the first failure */
    struct {
        char stem[40];
        strata_pass pass;
    } launched[STRATA_JUDGE_MAX_LAUNCHES]; /* every kernel and pass that ran on the judged device */
    uint32_t n_launched;
} strata_judge;

/* Judge a row: every case, every variant, all passes, gradients assigned and added, evaluation mode, the same
 * bits twice, guard zones and read-only tensors untouched. Failures are counted and told through `line`, and
 * are no error.
 * Errors: the row itself is wrong (STRATA_BAD_ARG), or a device failed. */
strata_status strata_judge_row(strata_judge *j, const strata_row *row);

/* Judge the reference's gradients of a row by central differences of its forward pass; needs no `device`. */
strata_status strata_judge_differences(strata_judge *j, const strata_row *row);

/* Judge the gradient norm and the optimizers, which are no nodes. */
strata_status strata_judge_updates(strata_judge *j);

/* Judge what makes the network's input of stored pixels, which is no node either. */
strata_status strata_judge_augment(strata_judge *j);

/* Judge one training step of a small network: plan, ring, backward order, clipping, optimizer. */
strata_status strata_judge_step(strata_judge *j);

/* Note that the judged device ran a kernel; for checks that are not rows. judge: a strata_judge. */
void strata_judge_launched(void *judge, const strata_recorded *launch);

/* Tell one line and count it. For checks that are not rows. */
void strata_judge_tell(strata_judge *j, const strata_doctor_line *line);

#endif
