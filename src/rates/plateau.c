#include "rates/plateau.h"

#include <math.h>

static bool better(const plateau *p, double value, double best)
{
    if (p->absolute) return p->larger ? value > best + p->threshold : value < best - p->threshold;
    return p->larger ? value > best * (1 + p->threshold) : value < best * (1 - p->threshold);
}

/* The whole history is gone through each time: it has an entry per epoch, and nothing to keep in step with a
 * checkpoint. A value that is not a number is never better, as there. */
double plateau_scale(const plateau *p, const rates_log *log, uint64_t first, uint64_t now)
{
    double scale = 1, best = p->larger ? -INFINITY : INFINITY;
    uint32_t bad = 0, pause = 0;
    for (uint32_t i = 0; log && i < log->n && log->event[i].step <= now; i++) {
        const rates_event *e = &log->event[i];
        if (e->kind != RATES_METRIC || e->group != (uint32_t)p->metric || e->step < first) continue;
        if (better(p, e->value, best)) {
            best = e->value;
            bad = 0;
        } else {
            bad++;
        }
        if (pause) {
            pause--;
            bad = 0;
        }
        if (bad <= p->patience) continue;
        scale = fmax(scale * p->factor, p->least);
        pause = p->cooldown;
        bad = 0;
    }
    return scale;
}
