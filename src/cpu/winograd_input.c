/* Reference for shaders/winograd_input.comp: same arguments, plain loops, sums in double. */
#include "core/thread.h"
#include "cpu/winograd.h"
#include "winograd_input.args.h"

/* One channel of a window, zero outside of the image and above the logical channels. */
static void read_window(double d[6][6], const struct winograd_input_args *a, uint32_t tile, uint32_t channel)
{
    const float *x = strata_slice_host(a->x);
    const uint32_t line = tile / a->tiles_w, n = line / a->tiles_h;
    const int64_t top = 4 * (int64_t)(line % a->tiles_h) - a->pad_h,
                  left = 4 * (int64_t)(tile % a->tiles_w) - a->pad_w;
    for (int64_t i = 0; i < 6; i++)
        for (int64_t j = 0; j < 6; j++) {
            const int64_t h = top + i, w = left + j;
            d[i][j] = 0;
            if (h < 0 || w < 0 || h >= a->x_h || w >= a->x_w || channel >= a->depth) continue;
            d[i][j] = (double)x[((n * (int64_t)a->x_h + h) * a->x_w + w) * 4 * a->x_quads + channel];
        }
}

static void transform_tile(void *context, uint32_t t)
{
    const struct winograd_input_args *a = context;
    float *v = strata_slice_host(a->v);
    for (uint32_t c = 0; c < 4 * a->x_quads; c++) {
        double d[6][6];
        read_window(d, a, a->tile_first + t, c);
        for (uint32_t f = 0; f < 36; f++) {
            double sum = 0;
            for (int h = 0; h < 6; h++)
                for (int w = 0; w < 6; w++)
                    sum += winograd_input[f / 6][h] * winograd_input[f % 6][w] * d[h][w];
            v[4 * ((size_t)f * a->v_step + (size_t)t * a->x_quads) + c] = (float)sum;
        }
    }
}

void strata_cpu_winograd_input(const struct winograd_input_args *a, strata_pass pass)
{
    (void)pass; /* all are one transform */
    struct winograd_input_args copy = *a;
    strata_thread_for(a->tiles, transform_tile, &copy);
}
