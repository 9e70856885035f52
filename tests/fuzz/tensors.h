/* What the fuzzers of weights files share: what opens is read to its end. */
#ifndef STRATA_TESTS_FUZZ_TENSORS_H
#define STRATA_TESTS_FUZZ_TENSORS_H

#include "fuzz.h"
#include "model/weights_file.h"

enum { FUZZ_MOST = 1 << 20 }; /* bytes of a tensor: strides of 0 make gigabytes of nothing */

static inline void fuzz_tensors(const uint8_t *bytes, size_t n)
{
    strata_weights_file *f;
    if (strata_weights_open(&f, fuzz_file("weights", bytes, n)) != STRATA_OK) return;
    for (uint32_t i = 0; i < f->n; i++) {
        const strata_stored *t = &f->tensor[i];
        if (t->n_bytes > FUZZ_MOST) continue;
        void *raw = malloc((size_t)t->n_bytes + 1);
        float *values = malloc((size_t)strata_stored_count(t) * sizeof *values + 1);
        if (!raw || !values) abort();
        strata_weights_read(f, t, raw);
        strata_weights_read_f32(f, t, values);
        free(raw);
        free(values);
    }
    strata_weights_close(f);
}

#endif
