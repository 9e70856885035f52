/* A model's description, made into a graph. */
#include "fuzz.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    strata_model *m = NULL;
    const strata_model_config config = { .model = fuzz_file("model.yaml", bytes, n),
                                         .input = { .n = 2 },
                                         .loss = true };
    strata_model_open(&m, &config);
    strata_model_close(m);
    return 0;
}
