#include "rates/trust.h"

#include <math.h>

double trust_lars(double w_norm, double g_norm, double decay, double trust, double eps)
{
    if (!(w_norm > 0) || !(g_norm > 0)) return 1;
    return trust * w_norm / (g_norm + decay * w_norm + eps);
}

double trust_clip(double ratio, double lr) { return fmin(ratio / lr, 1); }

double trust_larc(double w_norm, double g_norm, double decay, double trust, double eps, double lr)
{
    return fmin(lr, lr * trust * w_norm / (g_norm + decay * w_norm + eps));
}

double trust_lamb(double w_norm, double u_norm, double most)
{
    if (!(w_norm > 0) || !(u_norm > 0)) return fmin(1, most);
    return fmin(w_norm / u_norm, most);
}
