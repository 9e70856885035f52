/* Trust ratios: what a layer's step is multiplied by, of the norms of its weights and its gradient or update.
 * The formulas that the optimizer kernels are judged by. */
#ifndef STRATA_RATES_TRUST_H
#define STRATA_RATES_TRUST_H

/* LARS, as timm has it: trust |w| / (|g| + decay |w| + eps); 1 where either norm is 0. */
double trust_lars(double w_norm, double g_norm, double decay, double trust, double eps);

/* LARC's clipping of it: min(ratio / lr, 1), so that the layer's rate never passes lr. */
double trust_clip(double ratio, double lr);

/* fastai v2's Larc: the layer's rate min(lr, lr trust |w| / (|g| + decay |w| + eps)). */
double trust_larc(double w_norm, double g_norm, double decay, double trust, double eps, double lr);

/* LAMB: |w| / |u| of the update u, decay included where it is; 1 where either norm is 0; at most `most`. */
double trust_lamb(double w_norm, double u_norm, double most);

#endif
