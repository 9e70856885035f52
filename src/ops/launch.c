/* Small things that every op's host side shares. */
#include <string.h>

#include "ops/op.h"

enum {
    LEAST_LANES = 16,       /* at 256 bits such stores mostly take longer than the driver's own */
    MUCH_STORED = 32 << 10, /* quads, from which on they make up for the time to compile them */
    MOST_EACH = 8,
    LEAST_EACH = 2,      /* quads of an invocation; with 1 they take longer */
    MOST_SUBGROUPS = 16, /* of a workgroup: a driver takes time for each workgroup, lavapipe 0.1 us */
    LEAST_GROUPS = 64,   /* workgroups that keep all cores busy */
    MOST_LINES = 64,     /* of a folded grid: 4 M workgroups */
    MOST_PAGES = 1 << 16 /* by fours: their number has 16 bits in shaders/lane_stores.glsl */
};
enum { SMALL_TEXELS = 1 << 20 }; /* devices that allow fewer (SwiftShader: 65536) load plain buffers faster */

void strata_grid(uint32_t groups[3], uint64_t items, uint32_t group)
{
    uint64_t n = (items + group - 1) / group;
    groups[0] = n <= STRATA_MAX_GROUPS ? (uint32_t)n : STRATA_MAX_GROUPS;
    groups[1] = (uint32_t)((n + groups[0] - 1) / (groups[0] ? groups[0] : 1));
    groups[2] = 1;
}

bool strata_grid_whole(uint32_t groups[3], uint64_t n)
{
    uint32_t lines = 1;
    while (n % lines || n / lines > STRATA_MAX_GROUPS)
        if (++lines > MOST_LINES) return false;
    groups[0] = (uint32_t)(n / lines);
    groups[1] = lines;
    groups[2] = 1;
    return true;
}

strata_status strata_images_per_slice(uint32_t *out, const strata_caps *caps, const strata_node *n,
                                      uint64_t bytes_per_image)
{
    uint64_t images = bytes_per_image ? caps->max_range / bytes_per_image : UINT32_MAX;
    /* Parts must begin at aligned offsets, so a part is a number of images whose bytes are a multiple of it.
     */
    uint64_t step = 1;
    while (step < STRATA_ALIGN && bytes_per_image * step % STRATA_ALIGN != 0) step *= 2;
    if (images >= step) images -= images % step;
    *out = images > UINT32_MAX ? UINT32_MAX : (uint32_t)images;
    if (images == 0 || (images < step && images < n->in[0]->shape.n))
        return strata_fail(STRATA_BAD_ARG, "%s: one image takes %llu bytes, %s binds at most %llu", n->name,
                           (unsigned long long)bytes_per_image, caps->name,
                           (unsigned long long)caps->max_range);
    return STRATA_OK;
}

static uint64_t image_bytes(strata_shape s, bool half)
{
    return strata_float_bytes(strata_shape_floats((strata_shape) { 1, s.h, s.w, s.c }), half);
}

strata_status strata_images_per_launch(uint32_t *out, strata_stream *s, const strata_node *n)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    uint64_t step = 1; /* images whose bytes are aligned in every tensor */
    *out = UINT32_MAX;
    for (uint32_t i = 0; i <= n->n_in; i++) {
        const strata_tensor *t = i < n->n_in ? n->in[i] : n->out;
        if (t->rows) continue;
        const uint64_t stored = image_bytes(t->shape, t->half);
        const uint64_t kept = t == n->out ? n->kept_bytes[0] / t->shape.n
                                          : 0; /* has 32 bits where this has 16 */
        uint32_t images = 0;
        STRATA_TRY(strata_images_per_slice(&images, caps, n, stored > kept ? stored : kept));
        if (images < *out) *out = images;
        while (step < STRATA_ALIGN && stored * step % STRATA_ALIGN != 0) step *= 2;
    }
    if (*out >= step) *out -= (uint32_t)(*out % step);
    if (*out < step && *out < n->in[0]->shape.n)
        return strata_fail(STRATA_BAD_ARG, "%s: wants %u images in a launch, %s binds %u", n->name,
                           (unsigned)step, caps->name, *out);
    return STRATA_OK;
}

bool strata_fits_texels(const strata_caps *caps, strata_slice s)
{
    const uint64_t quad = strata_quad_bytes(s.half);
    return caps->cpu_type && caps->max_texels >= SMALL_TEXELS &&
           (s.bytes + quad - 1) / quad <= caps->max_texels;
}

bool strata_texels(strata_stream *s, const void *args, const strata_kernel *kernel)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const strata_slice *slice = args; /* every such struct begins with its slices */
    bool fit = true;
    for (uint32_t i = 0; i < kernel->layout->n_slices; i++) fit = fit && strata_fits_texels(caps, slice[i]);
    return fit;
}

uint32_t strata_store_lanes(const strata_caps *caps)
{
    const uint32_t n = caps->subgroup;
    const bool fit = caps->vulkan && caps->driver_id == STRATA_LAVAPIPE && caps->doubles;
    return fit && (n == 4 || n == 8 || n == 16) ? n : 0;
}

uint32_t strata_lanes_of_slow_stores(const strata_caps *caps)
{
    const uint32_t n = strata_store_lanes(caps);
    return n == 16 && caps->shuffle ? n : 0;
}

/* From Mesa 25 on (without shuffles) such stores have no branches, and are one instruction for 8 lanes where
 * the processor has it. */
bool strata_by_address(const strata_caps *caps)
{
    return strata_store_lanes(caps) != 0 && caps->addresses && !caps->shuffle;
}

uint32_t strata_subgroup_defines(char out[STRATA_SUBGROUP_DEFINES], const strata_caps *caps, bool stores)
{
    return (uint32_t)snprintf(out, STRATA_SUBGROUP_DEFINES, "GROUP=%u SG=%u SHUFFLE=%d%s", caps->subgroup,
                              caps->subgroup, caps->shuffle,
                              !stores                   ? ""
                              : strata_by_address(caps) ? " LANE_STORES=2"
                                                        : " LANE_STORES=1");
}

uint32_t strata_subgroups(const strata_caps *caps, uint64_t parts, uint32_t beside)
{
    const uint32_t fit = caps->subgroup ? caps->max_group / caps->subgroup : 1;
    uint32_t n = fit < MOST_SUBGROUPS ? fit : MOST_SUBGROUPS;
    while (n > 1 && (parts % n || parts / n * beside < LEAST_GROUPS)) n--;
    return n ? n : 1;
}

/* False where nothing is even. */
static bool cut_lanes(strata_elements *e, const strata_caps *caps, uint64_t quads, uint32_t stores)
{
    const uint32_t lanes = strata_store_lanes(caps);
    /* Lane by lane 32 stores spill more than they save. */
    uint32_t each = stores > 1 && !strata_by_address(caps) ? MOST_EACH / 2 : MOST_EACH;
    if (lanes < LEAST_LANES || quads < MUCH_STORED) return false;
    while (each >= LEAST_EACH && quads % (lanes * each)) each /= 2;
    if (each < LEAST_EACH) return false;
    const uint32_t subgroups = strata_subgroups(caps, quads / (lanes * each), 1);
    if (!strata_grid_whole(e->groups, quads / (lanes * each * subgroups))) return false;
    const uint32_t n = strata_subgroup_defines(e->defines, caps, true);
    const bool by_pages = quads % STRATA_FOUR_PAGES == 0 && quads / STRATA_FOUR_PAGES <= MOST_PAGES;
    snprintf(e->defines + n, sizeof e->defines - n, " SUBGROUPS=%u EACH=%u %s", subgroups, each,
             by_pages ? "PAGES=1 " : "");
    return true;
}

strata_elements strata_cut_elements(const strata_caps *caps, uint64_t quads, uint32_t stores, bool half)
{
    strata_elements e = { .defines = "" };
    if (half || !cut_lanes(&e, caps, quads, stores)) strata_grid(e.groups, quads, STRATA_GROUP);
    return e;
}

bool strata_images_next(strata_images *part, uint32_t n, uint32_t most)
{
    part->first += part->count;
    part->count = n - part->first < most ? n - part->first : most;
    return part->count > 0;
}

strata_slice strata_images_of(strata_slice s, strata_shape shape, strata_images part)
{
    uint64_t bytes = image_bytes(shape, s.half);
    return strata_slice_part(s, part.first * bytes, part.count * bytes);
}

const strata_op *strata_op_find(const char *name)
{
    for (const strata_op *const *op = strata_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0) return *op;
    return NULL;
}

const char *strata_op_variant_name(const strata_op *op, uint32_t i)
{
    return op->variants ? op->variants[i] : "plain";
}
