/* The public view of a data set. */
#include "core/shape.h"
#include "data/data.h"

strata_data_info strata_data_describe(const strata_data *d)
{
    return (strata_data_info) {
        .name = d->name,
        .train = d->train.n,
        .valid = d->valid.n,
        .h = d->train.h,
        .w = d->train.w,
        .c = d->train.c,
        .classes = d->train.classes,
        .class_names = d->train.class_names,
        .fingerprint = d->fingerprint,
        .skipped = d->skipped,
        .n_skipped = d->n_skipped,
        .multi_label = d->train.targets != NULL,
        .cache = d->cache,
    };
}

strata_status strata_data_images(const strata_data *d, int valid, uint32_t first, uint32_t count,
                                 float *pixels, int32_t *labels)
{
    const strata_image_set *set = valid ? &d->valid : &d->train;
    const size_t image = (size_t)set->h * set->w * set->c;
    if (first > set->n || count > set->n - first)
        return strata_fail(STRATA_BAD_ARG, "%s has %u %s, wanted %u from number %u", d->name,
                           (unsigned)set->n, strata_noun(set->n, "image", "images"), (unsigned)count,
                           (unsigned)first);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = set->pixels + (first + i) * image;
        for (size_t k = 0; k < image; k++) {
            const double value = from[k] / (double)d->scale - (double)d->mean[k % set->c];
            pixels[i * image + k] = (float)(value / (double)d->std[k % set->c]);
        }
        if (!set->targets) labels[i] = set->labels[first + i];
        for (uint32_t k = 0; set->targets && k < set->classes; k++)
            labels[i * set->classes + k] = strata_image_is(set, first + (uint32_t)i, k);
    }
    return STRATA_OK;
}
