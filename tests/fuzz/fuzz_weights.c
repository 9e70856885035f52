/* A CSV of the weights of classes. */
#include "fuzz.h"
#include "train/class_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = { "bird", "cat", "dog, small" };
    static const int32_t labels[] = { 0, 2, 2 };
    const strata_image_set set = { .n = 3, .classes = 3, .labels = labels, .class_names = names };
    float weight[3];
    if (class_weights_read(weight, &set, fuzz_file("weights.csv", bytes, n)) != STRATA_OK) return 0;
    for (int k = 0; k < 3; k++)
        if (!(weight[k] >= 0 && weight[k] <= 1e6f)) abort();
    if (!(weight[0] > 0 || weight[2] > 0)) abort();
    return 0;
}
