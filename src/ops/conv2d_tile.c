/* Which kernel a convolution takes on a device: variants, tile shapes, defines and grids. */
#include "ops/conv2d.h"

#include <stdio.h>
#include <string.h>

enum {
    INTEL = 0x8086, /* vendor ids */
    AMD = 0x1002,
    NVIDIA = 0x10de,
    APPLE = 0x106b,
    QUALCOMM = 0x5143,
    HONEYKRISP = 26, /* VK_DRIVER_ID_MESA_HONEYKRISP: Apple's GPUs on Linux, under Mesa's own vendor id */
    SMALL_PRODUCTS = 24 << 20,  /* below, it does not pay to compile the longer and faster kernel */
    FEW_PRODUCTS = 100 << 20,   /* some 2 ms */
    MUCH_STORED = 256 << 10,    /* floats: some 0.5 ms by the driver's stores before Mesa 25, 0.2 by lanes */
    LONG_PRODUCTS = 2000 << 20, /* a 3 x 3 convolution of ResNet-18 at 32 x 32 pixels and a batch of 64 */
};

static uint64_t ceiling(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/* The tiles for GPUs, from CONV2D_TILE32 on: what a workgroup sums, and an invocation in both directions. */
static const struct tile_shape {
    uint32_t rows, cols, block;
} shapes[] = { { 32, 32, 4 }, { 64, 64, 4 }, { 64, 64, 8 }, { 128, 64, 8 }, { 128, 128, 8 } };

bool conv2d_is_tile(uint32_t variant) { return variant >= CONV2D_TILE32 && variant <= CONV2D_TILE128; }
static const struct tile_shape *shape_of(conv2d_variant v) { return &shapes[v - CONV2D_TILE32]; }
static uint32_t invocations(const struct tile_shape *t) { return t->rows * t->cols / (t->block * t->block); }

/* 16 of the sum for every row and column, see conv2d_tile.glsl. */
static uint32_t tile_bytes(const struct tile_shape *t) { return 16 * 4 * (t->rows + t->cols); }

static bool fits(const strata_caps *caps, const struct tile_shape *t)
{
    return caps->vulkan && caps->max_group >= invocations(t) && caps->shared_bytes >= tile_bytes(t);
}

/* Is a kernel of this window short enough to be written out? */
static bool fits_registers(const conv2d_window *w)
{
    const int step = w->step_w < 0 ? -w->step_w : w->step_w;
    return w->taps_h > 0 && w->taps_w > 0 && w->taps_h * w->taps_w <= 49 &&
           (CONV2D_STRIP - 1) * w->mul_w + (int)(w->taps_w - 1) * step < 24;
}

static bool is_depthwise(const conv2d_size *z) { return z->groups > 1 && z->depth == 1 && z->width == 1; }

bool conv2d_admits(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i)
{
    const conv2d_options *o = n->options;
    const conv2d_size z = conv2d_size_of(n);
    if (conv2d_is_tile(i)) return z.groups == 1 && fits(caps, shape_of((conv2d_variant)i));
    switch (i) {
    case CONV2D_PLAIN: return true;
    case CONV2D_DEPTHWISE: return is_depthwise(&z);
    case CONV2D_WINDOW:
        return caps->vulkan && is_depthwise(&z) &&
               fits_registers(&(conv2d_window) { .taps_h = o->kernel[0],
                                                 .taps_w = o->kernel[1],
                                                 .mul_w = (int32_t)o->stride[1],
                                                 .step_w = (int32_t)o->dilation[1] });
    case CONV2D_SUBGROUP:
        return caps->vulkan && caps->cpu_type && z.groups == 1 && !o->norm &&
               (caps->subgroup == 4 || caps->subgroup == 8 || caps->subgroup == 16);
    case CONV2D_WINOGRAD: return conv2d_winograd_admits(caps, n, pass);
    case CONV2D_WINOGRAD2: return conv2d_winograd2_admits(caps, n, pass);
    default: return false;
    }
}

uint64_t conv2d_scratch(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i)
{
    if (i == CONV2D_WINOGRAD) return conv2d_winograd_scratch(caps, n, pass);
    if (i == CONV2D_WINOGRAD2) return conv2d_winograd2_scratch(caps, n, pass);
    if (pass != STRATA_BACKWARD_W) return 0;
    if (!conv2d_is_tile(i) && i != CONV2D_DEPTHWISE && i != CONV2D_WINDOW) return 0;
    const uint32_t chunks = caps->vulkan         ? conv2d_weight_chunks(caps, n, (conv2d_variant)i)
                            : i == CONV2D_WINDOW ? conv2d_most_window_chunks(n)
                                                 : conv2d_most_weight_chunks(n, CONV2D_PARTIALS_GPU);
    return chunks > 1 ? 4 * conv2d_size_of(n).floats * chunks : 0;
}

static bool is_apple(const strata_caps *caps)
{
    return caps->vendor_id == APPLE || caps->driver_id == HONEYKRISP;
}

/* The largest tile to take unmeasured. 128 x 64 and 8 x 8 are the fastest where they fill the device (39
 * TFLOP/s of the 64 that an H100 multiplies and adds at best, where 64 x 64 and 4 x 4 have 31 and 32 x 32
 * have 28), and AMD's and NVIDIA's compilers keep them in registers; Intel's spill some in 128 x 64, none in
 * 128 x 128, whose invocations load less each (tests/portability). For others no code was seen, so blocks of
 * 4 x 4 are what they get: on Apple's and Qualcomm's GPUs in tiles of 64 x 64, the largest that ggml's Vulkan
 * backend has for them; on Arm's, whose workgroups and registers are few, and on those of makers that nobody
 * here knows in tiles of 32 x 32. --tune tries the larger ones on all. */
static uint32_t largest_tile(const strata_caps *caps)
{
    if (caps->cpu_type || caps->vendor_id == AMD || caps->vendor_id == NVIDIA) return CONV2D_TILE128X64;
    if (caps->vendor_id == INTEL) return CONV2D_TILE128;
    return is_apple(caps) || caps->vendor_id == QUALCOMM ? CONV2D_TILE64 : CONV2D_TILE32;
}

/* The largest of some tiles that gives every core one. */
static uint32_t fitting_tile(const strata_caps *caps, uint64_t rows, uint64_t cols)
{
    const uint32_t cores = caps->cores ? caps->cores : CONV2D_CORES_UNKNOWN;
    const uint32_t order[] = { largest_tile(caps), CONV2D_TILE64, CONV2D_TILE32 };
    for (uint32_t i = 0; i < 3; i++) {
        const struct tile_shape *t = shape_of((conv2d_variant)order[i]);
        const uint64_t tiles = ceiling(rows, t->rows) * ceiling(cols, t->cols);
        if (fits(caps, t) && (order[i] == CONV2D_TILE32 || 10 * tiles >= 9 * (uint64_t)cores))
            return order[i];
    }
    return CONV2D_PLAIN;
}

/* Input gradients are launched for each phase of the stride; weight gradients are cut into chunks, so that
 * every tile fills the device. */
static uint32_t choose_tile(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    const conv2d_options *o = n->options;
    const conv2d_size z = conv2d_size_of(n);
    if (z.groups != 1) return CONV2D_PLAIN;
    if (pass == STRATA_BACKWARD_X)
        return fitting_tile(caps, strata_pixels(n->in[0]->shape) / (o->stride[0] * o->stride[1]), z.to_cols);
    if (pass != STRATA_BACKWARD_W) return fitting_tile(caps, strata_pixels(n->out->shape), z.cols);
    const uint64_t chunks = strata_pixels(n->out->shape) / 128;
    return fitting_tile(caps, (uint64_t)z.taps * z.rows * (chunks ? chunks : 1), z.cols > 64 ? z.cols : 1);
}

uint32_t conv2d_prefer_exact(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    if (conv2d_admits(caps, n, pass, CONV2D_SUBGROUP)) return CONV2D_SUBGROUP;
    if (!caps->cpu_type && conv2d_admits(caps, n, pass, CONV2D_WINDOW)) return CONV2D_WINDOW;
    if (caps->vulkan && conv2d_admits(caps, n, pass, CONV2D_DEPTHWISE)) return CONV2D_DEPTHWISE;
    return choose_tile(caps, n, pass);
}

uint32_t conv2d_prefer(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    if (conv2d_winograd_pays(caps, n, pass)) return CONV2D_WINOGRAD;
    return conv2d_winograd2_pays(caps, n, pass) ? CONV2D_WINOGRAD2 : conv2d_prefer_exact(caps, n, pass);
}

/* Floats of a row that a lane takes, at least a word of them. A round of one row costs about one instruction
 * to hand a value of x on and two for each float, idle lanes included. */
static uint32_t choose_wide(uint32_t lanes, uint32_t cols, bool half)
{
    uint32_t best = 4;
    uint64_t least = UINT64_MAX;
    for (uint32_t wide = 4; wide > half; wide /= 2) {
        uint64_t cost = ceiling(cols, lanes * wide) * (1 + 2 * wide);
        if (cost < least) least = cost, best = wide;
    }
    return best;
}

bool conv2d_stores_lanes(const strata_caps *caps) { return strata_store_lanes(caps) == 16; }

/* Are the sums of a tile to be stored lane by lane? Before Mesa 25 (with shuffles) a kernel takes a second
 * longer to compile with such stores, which pays where the driver's take long: where rows lie as they are
 * computed, from MUCH_STORED on. A step of ResNet-18, 64 x 64, batch 8, takes a fifth less time by them
 * there, one of ResNet-50, batch 16, a sixth. Elsewhere only long launches make up for it, or many. */
static bool stores_pay(const strata_caps *caps, const conv2d_problem *p, bool in_line)
{
    if (!conv2d_stores_lanes(caps)) return false;
    if (!caps->shuffle || (in_line && (double)p->rows * p->cols >= MUCH_STORED)) return true;
    return p->products > (p->exact ? FEW_PRODUCTS : LONG_PRODUCTS);
}

/* The images whose one pixel a tile of at most `tall` rows is best: so it leaves out the padding, but what it
 * reads lies far apart, and with fewer rows it does less for each weight that it loads. 0: none. At 64 rows
 * on Mesa 25, and on 22.3, a Xeon takes 23 and 18 % less time for [64,4,4,512] so, 7 and 2 for [64,8,8,256],
 * a tenth more for [64,32,32,64]; a Zen 5 as long for [64,8,8,256] forward, 12 and 17 % more for its input
 * gradient. */
static uint32_t images_abreast(const strata_caps *caps, const conv2d_problem *p, uint32_t tall)
{
    static const double least[] = { 1 / 5.0, 1 / 4.0, 2 / 5.0 }; /* of the products with the padding */
    uint32_t rows = 4 * caps->subgroup;
    for (uint32_t i = 0; i < 3; i++, rows /= 2)
        if (rows <= tall && p->images % rows == 0 && p->outside >= least[i]) return rows;
    return 0;
}

static conv2d_tile subgroup_tile(const strata_caps *caps, uint32_t rows, const conv2d_problem *p)
{
    static const char *const out[] = { "", "float", "vec2", "", "vec4" };
    const uint32_t lanes = caps->subgroup, wide = choose_wide(lanes, p->cols, p->half);
    const uint32_t abreast = p->depth ? images_abreast(caps, p, rows) : 0;
    if (abreast) rows = abreast;
    conv2d_tile t = { .rows = rows, .cols = lanes * wide, .abreast = abreast ? rows : 1 };
    char depth[16] = "", subgroup[STRATA_SUBGROUP_DEFINES];
    if (p->depth > 0 && p->depth < 4)
        snprintf(depth, sizeof depth, " DEPTH=%u", p->depth);
    else if (p->ragged)
        snprintf(depth, sizeof depth, " RAGGED=1");
    const bool edge = p->rows % rows != 0; /* the kernel of weights knows how to end behind the last row */
    const bool flat = p->depth > 0 && p->flat && !abreast;
    const bool whole = stores_pay(caps, p, p->depth == 0 || flat) && wide == 4 && !p->half &&
                       (!edge || p->depth == 0) && p->cols % t.cols == 0;
    const bool parts = !whole && !p->half && strata_by_address(caps);
    const char *const stored = parts ? " PARTS=1" : !whole ? "" : edge ? " EDGE=1" : flat ? " FLAT=1" : "";
    strata_subgroup_defines(subgroup, caps, whole || parts);
    snprintf(t.defines, sizeof t.defines, "%s ROWS=%u WIDE=%u OUT=%s%s%s%s%s%s%s", subgroup, rows, wide,
             out[wide], p->texel ? " TEXEL=1" : "", depth, p->turned ? " TURNED=1" : "",
             p->old ? " OLD=1" : "", p->apart ? " APART=1" : "", stored);
    return t;
}

/* Blocks of 8 x 8 spill hundreds of registers on Intel where all terms are in line, and makers that are not
 * known may be like it. AMD's and NVIDIA's compilers keep them, and a loop costs: 11 points of 75 %
 * multiply-adds of all instructions there (navi21, 128 x 64), a sixth of the time on an H100, and 15 of 55 in
 * blocks of 4 x 4 on Intel, which spill nowhere. Qualcomm's refuse kernels that are too long (which is why
 * ggml keeps cooperative matrices off them), and a refused kernel is worse than a slow one: there and on
 * makers that are not known those of 4 x 4 stay in a loop, too. Software devices take longer to compile the
 * long kernel than to run the other. */
bool conv2d_rolls(const strata_caps *caps, uint32_t block)
{
    if (caps->cpu_type) return true;
    if (caps->vendor_id == AMD || caps->vendor_id == NVIDIA) return false;
    return block > 4 || (caps->vendor_id != INTEL && !is_apple(caps));
}

static conv2d_tile shared_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p)
{
    const struct tile_shape *shape = shape_of(v);
    conv2d_tile t = { .rows = shape->rows, .cols = shape->cols };
    snprintf(t.defines, sizeof t.defines, "GROUP=%u TILE_ROWS=%u TILE_COLS=%u BLOCK=%u%s%s%s",
             invocations(shape), shape->rows, shape->cols, shape->block, p->whole ? " WHOLE=1" : "",
             p->ragged ? " RAGGED=1" : "", conv2d_rolls(caps, shape->block) ? " ROLLED=1" : "");
    return t;
}

uint32_t conv2d_strip(uint32_t line) { return line > 2 ? CONV2D_STRIP : line; }

/* The grid of a kernel by strips in which lines and images have their own dimensions, where lines fill
 * workgroups of `group`: so no number is divided by theirs, which processors do one lane after another. */
static bool lines_of(uint32_t lines[3], const conv2d_problem *p, uint32_t group)
{
    const uint32_t line = p->window.line, each = conv2d_strip(line);
    const uint64_t places = ceiling(line, each) * (p->cols / 4), groups = ceiling(places, group);
    const uint64_t rows = p->rows / line / p->images;
    if (4 * groups * group > 5 * places || groups > STRATA_MAX_GROUPS || rows > STRATA_MAX_GROUPS ||
        p->images > STRATA_MAX_GROUPS)
        return false;
    lines[0] = (uint32_t)groups, lines[1] = (uint32_t)rows, lines[2] = p->images;
    return true;
}

/* Bits of a number below n: 4 at least, so that layers share a kernel. */
static uint32_t bits_below(uint32_t n)
{
    uint32_t bits = 4;
    while (n > 1U << bits) bits++;
    return bits;
}

/* The stores of shaders/lane_stores.glsl want whole strips, a subgroup either quads of one or some on a line.
 * Mesa 22.3, 512 bits, processor time with them and without: 3x3 of [32,32,32,32] forward 3.2 ms against 6.8,
 * input gradient 3.3 against 6.7; of stride 2 from [32,32,32,64] 1.9 against 3.9 and 4.8 against 11.2. */
static void store_strips(conv2d_tile *t, const strata_caps *caps, const conv2d_problem *p)
{
    const uint32_t lanes = strata_lanes_of_slow_stores(caps), quads = p->cols / 4, line = p->window.line;
    const uint32_t strips = line / conv2d_strip(line);
    uint32_t lines[3];
    if (!lanes || p->half || p->old || (double)p->rows * p->cols < MUCH_STORED) return;
    if (line % conv2d_strip(line) || strips * quads % lanes || (quads % lanes && lanes % quads)) return;
    if (!lines_of(lines, p, lanes)) return;
    memcpy(t->lines, lines, sizeof lines);
    uint32_t n = strata_subgroup_defines(t->defines, caps, true);
    n += (uint32_t)snprintf(t->defines + n, sizeof t->defines - n, " BITS_X=%u BITS_Y=%u BITS_Z=%u ",
                            bits_below(lines[0]), bits_below(lines[1]), bits_below(lines[2]));
    if (quads < lanes) snprintf(t->defines + n, sizeof t->defines - n, "NARROW=%u ", quads);
}

/* A depthwise kernel of its window. Processors gain from it: [32,32,32,32] 3x3 on llvmpipe 22.3, 512 bits,
 * process time: forward 3.0 ms against 12.9, input gradient 3.2 against 12.7, weights 2.1 against 10.9. */
static conv2d_tile strip_tile(const strata_caps *caps, const conv2d_problem *p)
{
    const conv2d_window *w = &p->window;
    const uint32_t each = conv2d_strip(w->line);
    conv2d_tile t = { .rows = 1, .cols = 4, .strips = true, .shares = 1 };
    char more[80] = "";
    if (p->depth == 0) {
        snprintf(more, sizeof more, " STRIDE_W=%d%s", w->mul_w, p->ragged ? " RAGGED=1" : "");
    } else {
        store_strips(&t, caps, p);
        const bool lines = t.lines[0] || lines_of(t.lines, p, STRATA_GROUP);
        snprintf(more, sizeof more, " MUL_W=%d STEP_W=%d%s%s%s", w->mul_w, w->step_w,
                 w->biased ? " BIASED=1" : "", w->line % each ? "" : " WHOLE=1", lines ? " LINES=1" : "");
    }
    const size_t n = strlen(t.defines);
    snprintf(t.defines + n, sizeof t.defines - n, "DEPTHWISE=1%s EACH=%u TAPS_H=%u TAPS_W=%u%s%s",
             p->texel ? " TEXEL=1" : "", each, w->taps_h, w->taps_w, more, p->old ? " OLD=1" : "");
    return t;
}

/* Columns of a strip that are inside x in all strips of a line: [inner[0], inner[1]). */
static void inner_columns(int inner[2], const conv2d_window *w)
{
    const int each = (int)conv2d_strip(w->line), strips = (int)ceiling(w->line, (uint64_t)each);
    const int reach = (int)(w->taps_w - 1) * w->step_w, span = reach < 0 ? -reach : reach;
    const int first = w->first_w + (reach < 0 ? reach : 0), last = first + (strips - 1) * each * w->mul_w;
    const int columns = (each - 1) * w->mul_w + span + 1;
    inner[0] = first < 0 ? -first : 0;
    inner[1] = (int)w->x_w - last < columns ? (int)w->x_w - last : columns;
    if (inner[1] <= inner[0]) inner[0] = inner[1] = 0;
}

/* The same for GPUs. The kernel for any window (DEPTHWISE) spends 650 to 720 instructions on a quad of 3 x 3
 * taps, most of them on where they lie; this 102 on navi21, 117 on tgl, 130 on ga102 (where pixels of one
 * line fill workgroups), and it loads half as much. Of weights, for a pixel and a tap, 11, 12 and 17 where
 * there were 68, 61 and some 75. A line outside x is left out by a branch, which a workgroup on one line
 * takes as one. */
static conv2d_tile window_tile(const conv2d_problem *p)
{
    const conv2d_window *w = &p->window;
    const uint32_t each = conv2d_strip(w->line);
    conv2d_tile t = { .rows = 1, .cols = 4, .strips = true, .shares = w->taps_h };
    char more[80] = "";
    int inner[2];
    inner_columns(inner, w);
    if (p->depth == 0)
        snprintf(more, sizeof more, " STRIDE_W=%d ONE_LINE=1%s%s", w->mul_w, w->cut ? "" : " WHOLE=1",
                 p->ragged ? " RAGGED=1" : "");
    else
        snprintf(more, sizeof more, " MUL_W=%d STEP_W=%d%s%s%s", w->mul_w, w->step_w,
                 w->biased ? " BIASED=1" : "", w->line % each ? "" : " WHOLE=1",
                 lines_of(t.lines, p, STRATA_GROUP) ? " LINES=1" : "");
    snprintf(t.defines, sizeof t.defines,
             "DEPTHWISE=1 EACH=%u TAPS_H=%u TAPS_W=%u INNER_FROM=%d INNER_TO=%d%s%s", each, w->taps_h,
             w->taps_w, inner[0], inner[1], more, p->old ? " OLD=1" : "");
    return t;
}

static conv2d_tile simple_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p)
{
    if (v == CONV2D_PLAIN) return (conv2d_tile) { .rows = 1, .cols = p->half ? 2 : 1 };
    if (v == CONV2D_WINDOW && fits_registers(&p->window)) return window_tile(p);
    if (caps->cpu_type && fits_registers(&p->window)) return strip_tile(caps, p);
    conv2d_tile t = { .rows = 1, .cols = 4 };
    snprintf(t.defines, sizeof t.defines, "DEPTHWISE=1%s%s", p->texel ? " TEXEL=1" : "",
             p->ragged ? " RAGGED=1" : "");
    return t;
}

static conv2d_tile gather_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p)
{
    if (conv2d_is_tile(v)) return shared_tile(caps, v, p);
    if (v != CONV2D_SUBGROUP) return simple_tile(caps, v, p);
    uint32_t tall = caps->subgroup * (p->products < SMALL_PRODUCTS ? 2 : 4);
    while (tall > caps->subgroup && p->rows <= tall / 2) tall /= 2;
    return subgroup_tile(caps, tall, p);
}

conv2d_tile conv2d_gather_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p)
{
    conv2d_tile t = gather_tile(caps, v, p);
    const size_t n = strlen(t.defines);
    const char *const ending = conv2d_ending(p->norm, p->sum, p->relu);
    snprintf(t.defines + n, sizeof t.defines - n, "%s%s", n && *ending ? " " : "", ending);
    return t;
}

conv2d_tile conv2d_weight_tile(const strata_caps *caps, conv2d_variant v, const conv2d_problem *p)
{
    if (conv2d_is_tile(v)) return shared_tile(caps, v, p);
    return v == CONV2D_SUBGROUP ? subgroup_tile(caps, 4 * caps->subgroup, p) : simple_tile(caps, v, p);
}

conv2d_tile conv2d_product_tile(const strata_caps *caps, uint64_t rows, uint32_t cols)
{
    const conv2d_problem p = { .rows = rows };
    /* 36 products at once; a tile of more rows than there are only costs. */
    const uint32_t v = fitting_tile(caps, rows * 36, cols);
    if (v == CONV2D_PLAIN) return (conv2d_tile) { .rows = 1, .cols = 4 };
    const bool low = rows <= 64 && v != CONV2D_TILE32;
    return shared_tile(caps, low ? CONV2D_TILE64 : (conv2d_variant)v, &p);
}

void conv2d_tile_grid(uint32_t groups[3], const conv2d_tile *t, uint64_t rows, uint32_t cols, uint32_t splits)
{
    if (t->rows == 1) { /* one invocation each */
        strata_grid(groups, rows * splits * (cols / t->cols), STRATA_GROUP);
        return;
    }
    const uint64_t tiles = ceiling(rows, t->rows), lines = ceiling(tiles, STRATA_MAX_GROUPS);
    groups[0] = (uint32_t)ceiling(tiles, lines);
    groups[1] = (uint32_t)lines;
    groups[2] = (uint32_t)ceiling(cols, t->cols) * splits;
}
