/* A weights file: a header of JSON and the tensors behind it. */
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_tensors(bytes, n);
    return 0;
}
