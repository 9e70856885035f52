/* A weights file: a zip archive with a pickle. */
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_tensors(bytes, n);
    return 0;
}
