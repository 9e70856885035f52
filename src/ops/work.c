/* How much work a pass is: the yardstick of a measured time, from shapes alone. */
#include "ops/op.h"

static double tensor_bytes(const strata_tensor *t) { return (double)strata_tensor_bytes(t); }

static double elements(const strata_tensor *t)
{
    return t->rows ? (double)t->shape.n : (double)strata_pixels(t->shape) * t->shape.c;
}

static double param_bytes(const strata_node *n, bool grads)
{
    double bytes = 0;
    for (int i = 0; i < STRATA_MAX_PARAMS; i++) {
        const strata_param *p = n->param[i];
        if (p && (!grads || p->grad.block)) bytes += 4.0 * (double)strata_param_floats(p);
    }
    return bytes;
}

static double kept_bytes(const strata_node *n)
{
    double bytes = 0;
    for (int i = 0; i < STRATA_MAX_KEPT; i++) bytes += (double)n->kept_bytes[i];
    return bytes;
}

/* Gradients of inputs: those added to are read first. */
static double grad_bytes(const strata_node *n)
{
    double bytes = 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i]->grad.block) bytes += (n->add_in[i] ? 2 : 1) * tensor_bytes(n->in[i]);
    return bytes;
}

static double read_back_bytes(const strata_node *n)
{
    double bytes = n->backward_reads & STRATA_READS_OUT ? tensor_bytes(n->out) : 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->backward_reads & (1u << i)) bytes += tensor_bytes(n->in[i]);
    return bytes;
}

strata_work strata_tensor_work(const strata_node *n, strata_pass pass)
{
    strata_work w = { 0 };
    const double dy = n->op->loss ? 4.0 * n->out->shape.n : tensor_bytes(n->out);
    switch (pass) {
    case STRATA_FORWARD:
        w.bytes = kept_bytes(n);
        /* fall through */
    case STRATA_EVALUATE:
        for (uint32_t i = 0; i < n->n_in; i++) w.bytes += tensor_bytes(n->in[i]);
        w.bytes += tensor_bytes(n->out) + param_bytes(n, false);
        break;
    case STRATA_BACKWARD:
        w.bytes = dy + read_back_bytes(n) + kept_bytes(n) + grad_bytes(n) + param_bytes(n, true);
        break;
    case STRATA_BACKWARD_X: w.bytes = dy + param_bytes(n, false) + grad_bytes(n); break;
    case STRATA_BACKWARD_W: w.bytes = dy + read_back_bytes(n) + param_bytes(n, true); break;
    default: break;
    }
    return w;
}

static bool split(const strata_op *op) { return op->split_backward; }

strata_work strata_node_work(const strata_node *n, strata_pass pass)
{
    const bool parts = pass == STRATA_BACKWARD_X || pass == STRATA_BACKWARD_W;
    if (n->op->view || (parts && !split(n->op))) return (strata_work) { 0 };
    if (n->op->work) return n->op->work(n, pass);
    strata_work w = strata_tensor_work(n, pass);
    w.flops = elements(n->out);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (elements(n->in[i]) > w.flops) w.flops = elements(n->in[i]);
    return w;
}

strata_pass strata_node_pass(const strata_node *n, strata_pass launch)
{
    switch (launch) {
    case STRATA_STATS:
    case STRATA_STATS_FINISH: return STRATA_FORWARD;
    case STRATA_BACKWARD_STATS:
    case STRATA_BACKWARD_FINISH:
    case STRATA_REDUCE: return split(n->op) ? STRATA_BACKWARD_W : STRATA_BACKWARD;
    case STRATA_TRANSPOSE: return STRATA_BACKWARD_X;
    default: return launch;
    }
}
