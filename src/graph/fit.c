#include "graph/fit.h"

#include "core/shape.h"

strata_status fit_item(const strata_plan *p, const place_item *largest)
{
    const strata_slice *s = largest->slice;
    const bool fixed = s == &p->weights || s == &p->grads || s == &p->moment1 || s == &p->moment2;
    if (fixed || p->graph->input->shape.n == 1) return STRATA_DEVICE_MEMORY;
    return strata_fail(STRATA_DEVICE_MEMORY, "%s; a smaller --batch or --micro-batch takes less",
                       strata_message());
}

/* Slices that have a size and no place. */
static void measure(const place_item *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) *items[i].slice = (strata_slice) { .bytes = items[i].bytes };
}

/* Which batch fits is told by what an image takes of all that grows with the batch. What does not, and the
 * scratch memory, which grows less, stays as it is; tensors begin at multiples of 256 bytes, whatever the
 * batch; and a 32nd is kept back, as smaller ones may leave other holes. */
static uint64_t batch_that_fits(const strata_plan *p, uint32_t n_items, uint64_t limit)
{
    const strata_slice *all[] = { &p->weights, &p->grads,  &p->moment1, &p->moment2, &p->running,  &p->copies,
                                  &p->owner,   &p->pieces, &p->trust,   &p->scratch, &p->row_steps };
    const uint64_t batch = p->graph->input->shape.n;
    uint64_t steady = (uint64_t)STRATA_ALIGN * n_items;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) steady += all[i]->bytes;
    if (steady >= limit || steady >= p->device_bytes) return 0;
    const uint64_t fits = (limit - steady) / ((p->device_bytes - steady) / batch + 1);
    return fits - (fits + 31) / 32; /* 0 stays 0 */
}

strata_status fit_plan(const strata_plan *p, const place_item *items, uint32_t n_items, uint64_t limit)
{
    measure(items, n_items);
    const uint32_t batch = p->graph->input->shape.n;
    const uint64_t fixed = p->weights.bytes + p->grads.bytes + p->moment1.bytes + p->moment2.bytes;
    const uint64_t fits = batch_that_fits(p, n_items, limit);
    const uint64_t images = (uint64_t)batch * (p->config.micro_batches ? p->config.micro_batches : 1);
    const char *name = strata_device_caps(p->device)->name;
    double wanted = (double)p->device_bytes / 1048576, there = (double)limit / 1048576;
    uint64_t micro = fits ? fits : 1;
    while (images % micro) micro--; /* a step is of whole micro-batches */
    if (batch == 1 || fixed > limit)
        return strata_fail(STRATA_DEVICE_MEMORY,
                           "the network wants %.1f MiB of device memory, %s has %.1f MiB; no "
                           "batch size would fit",
                           wanted, name, there);
    if (fits == 0)
        return strata_fail(STRATA_DEVICE_MEMORY,
                           "batch %u wants %.1f MiB of device memory, %s has %.1f MiB; a smaller --batch or "
                           "--micro-batch takes less",
                           (unsigned)batch, wanted, name, there);
    return strata_fail(
        STRATA_DEVICE_MEMORY,
        "batch %u wants %.1f MiB of device memory, %s has %.1f MiB: --batch %llu would fit, or "
        "--micro-batch %llu to keep the batch and accumulate its gradients",
        (unsigned)batch, wanted, name, there, (unsigned long long)fits, (unsigned long long)micro);
}
