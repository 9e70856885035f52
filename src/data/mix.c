#include "data/mix.h"

#include <math.h>

#include "core/random.h"

/* Random words of one image, four at a time. */
typedef struct words {
    uint32_t image, epoch, draw, next;
    uint64_t seed;
} words;

static strata_random4 take(words *w)
{
    return strata_philox(w->image, w->epoch, w->next++, w->draw, (uint32_t)w->seed,
                         STRATA_RANDOM_MIX ^ ((uint32_t)(w->seed >> 32) * 0x9E3779B9u));
}

static double open_unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

/* The logarithm of a number of the gamma distribution of shape `a`: Marsaglia and Tsang 2000; below 1 by a
 * power of a uniform number, whose logarithm does not underflow. */
static double log_gamma_draw(words *w, double a)
{
    const double boost = a < 1 ? log(open_unit(take(w).v[0])) / a : 0;
    const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const strata_random4 r = take(w);
        double x[2];
        strata_normal2(x, r.v[0], r.v[1]);
        const double v = pow(1 + c * x[0], 3);
        if (1 + c * x[0] > 0 && log(open_unit(r.v[2])) < x[0] * x[0] / 2 + d - d * v + d * log(v))
            return boost + log(d * v);
    }
}

static double beta_draw(words *w, double alpha)
{
    const double a = log_gamma_draw(w, alpha), b = log_gamma_draw(w, alpha);
    return 1 / (1 + exp(b - a));
}

static uint32_t below(uint32_t word, uint32_t n) { return (uint32_t)((uint64_t)word * n >> 32); }

/* [from, to) of a side cut about `centre`, clipped to the image. */
static void cut(uint32_t *from, uint32_t *to, uint32_t centre, double length, uint32_t side)
{
    const uint32_t half = (uint32_t)(length / 2);
    *from = centre > half ? centre - half : 0;
    *to = centre + half < side ? centre + half : side;
}

strata_mix strata_mix_draw(const strata_mix_rule *r, uint64_t seed, uint32_t epoch, uint32_t image,
                           uint32_t draw, uint32_t n)
{
    words w = { image, epoch, draw, 0, seed };
    const strata_random4 first = take(&w);
    strata_mix m = { .place = below(first.v[0], n), .box = { 0, 0, r->w, r->h } };
    const bool cuts = r->cutmix > 0 && (!(r->mixup > 0) || first.v[1] >> 31);
    const double own = beta_draw(&w, (double)(cuts ? r->cutmix : r->mixup));
    if (!cuts) { /* as fastai: the image itself is the larger part */
        m.share = m.in_box = (float)fmin(own, 1 - own);
        return m;
    }
    const double side = sqrt(1 - own);
    cut(&m.box[0], &m.box[2], below(first.v[2], r->w), side * r->w, r->w);
    cut(&m.box[1], &m.box[3], below(first.v[3], r->h), side * r->h, r->h);
    m.in_box = 1;
    m.share = (float)((double)(m.box[2] - m.box[0]) * (m.box[3] - m.box[1]) / ((double)r->w * r->h));
    return m;
}
