/* Reference for shaders/augment_draw.comp: same arguments, the same words, and the same bits: float for
 * float, operation for operation. */
#include <stdbool.h>

#include "core/random.h"
#include "core/sample.h"
#include "cpu/augment.h"
#include "augment_draw.args.h"

enum { FLIP = 1, CROP = 2 };

static strata_random4 draw(const struct augment_draw_args *a, uint32_t i, uint32_t k)
{
    const uint32_t *values = strata_slice_host(a->values);
    const strata_sample *s = (const strata_sample *)strata_slice_host(a->samples) + i;
    return strata_philox(s->image, values[4], k, s->draw, values[0],
                         STRATA_RANDOM_AUGMENT ^ (values[1] * 0x9E3779B9u));
}

static int below(uint32_t word, int n) { return (int)((uint64_t)word * (uint64_t)n >> 32); }

void strata_cpu_augment_draw(const struct augment_draw_args *a, strata_pass pass)
{
    (void)pass;
    augment_record *record = strata_slice_host(a->record);
    for (uint32_t i = 0; i < a->images; i++) {
        const strata_random4 first = draw(a, i, 0);
        const int free_y = (int)a->h - (int)a->out_h, free_x = (int)a->w - (int)a->out_w, pad = (int)a->pad;
        int y0 = free_y / 2, x0 = free_x / 2;
        if (a->what & CROP) {
            const int room_y = free_y + 2 * pad, room_x = free_x + 2 * pad;
            if (room_y > 0) y0 = free_y + pad - below(first.v[1], room_y + 1);
            if (room_x > 0) x0 = free_x + pad - below(first.v[2], room_x + 1);
        }
        const bool mirror = a->what & FLIP && first.v[0] >> 31;
        record[i] = (augment_record) {
            .a = mirror ? -1.0F : 1.0F, .c = (float)(mirror ? (int)a->w - 1 - x0 : x0), .e = 1, .f = (float)y0
        };
    }
}
