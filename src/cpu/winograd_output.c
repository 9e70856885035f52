/* Reference for shaders/winograd_output.comp: same arguments, plain loops, sums in double. */
#include "core/thread.h"
#include "cpu/epilogue.h"
#include "cpu/winograd.h"
#include "winograd_output.args.h"

/* The float of y under pixel (h, w) of a tile, of channel 0; -1 outside of the image. */
static int64_t pixel_of(const struct winograd_output_args *a, uint32_t tile, uint32_t h, uint32_t w)
{
    const uint32_t line = tile / a->tiles_w, n = line / a->tiles_h;
    const uint32_t p = 4 * (line % a->tiles_h) + h, q = 4 * (tile % a->tiles_w) + w;
    if (p >= a->y_h || q >= a->y_w) return -1;
    return (((int64_t)n * a->y_h + p) * a->y_w + q) * 4 * a->y_quads;
}

static void write_pixels(void *context, uint32_t t)
{
    const struct winograd_output_args *a = context;
    const float *m = strata_slice_host(a->from), *bias = strata_slice_host(a->bias);
    float *y = strata_slice_host(a->to);
    const epilogue end = epilogue_of(a->start, strata_slice_host(a->table), 4 * (size_t)a->y_quads,
                                     strata_slice_host(a->z));
    for (uint32_t k = 0; k < 16; k++) {
        const int64_t to = pixel_of(a, a->tile_first + t, k / 4, k % 4);
        for (uint32_t c = 0; c < 4 * a->y_quads && to >= 0; c++) {
            double sum = end.start == START_BIAS ? (double)bias[c] : 0;
            if (end.start == START_OLD) sum = (double)y[to + c];
            for (uint32_t f = 0; f < 36; f++)
                sum += winograd_output[k / 4][f / 6] * winograd_output[k % 4][f % 6] *
                       (double)m[4 * ((size_t)f * a->m_step + (size_t)t * a->y_quads) + c];
            y[to + c] = epilogue_end(&end, sum, c, (size_t)to + c);
        }
    }
}

static void write_points(void *context, uint32_t t)
{
    const struct winograd_output_args *a = context;
    const float *dy = strata_slice_host(a->from);
    float *m = strata_slice_host(a->to);
    for (uint32_t f = 0; f < 36; f++)
        for (uint32_t c = 0; c < 4 * a->y_quads; c++) {
            double sum = 0;
            for (uint32_t k = 0; k < 16; k++) {
                const int64_t from = pixel_of(a, a->tile_first + t, k / 4, k % 4);
                if (from < 0 || c >= a->depth) continue;
                sum += winograd_output[k / 4][f / 6] * winograd_output[k % 4][f % 6] * (double)dy[from + c];
            }
            m[4 * ((size_t)f * a->m_step + (size_t)t * a->y_quads) + c] = (float)sum;
        }
}

void strata_cpu_winograd_output(const struct winograd_output_args *a, strata_pass pass)
{
    struct winograd_output_args copy = *a;
    strata_thread_for(a->tiles, pass == STRATA_BACKWARD_W ? write_points : write_pixels, &copy);
}
