/* A folder of four IDX files, gzipped or not. */
#include "fuzz.h"
#include "strata/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = { "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte" };
    strata_data *data = NULL;
    for (int i = 0; i < 4; i++) {
        const uint8_t *piece;
        const size_t length = fuzz_cut(&piece, &bytes, &n);
        fuzz_file(names[i], piece, length);
    }
    strata_data_open(&data, fuzz_path(""));
    strata_data_close(data);
    return 0;
}
