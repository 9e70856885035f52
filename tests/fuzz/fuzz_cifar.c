/* A CIFAR-10 folder: class names, a training batch, the test batch. */
#include "fuzz.h"
#include "strata/data.h"

enum { RECORD = 3073 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = { "batches.meta.txt", "data_batch_1.bin", "test_batch.bin" };
    static uint8_t batch[4 * RECORD];
    strata_data *data = NULL;
    for (int i = 0; i < 3; i++) {
        const uint8_t *piece;
        size_t length = fuzz_cut(&piece, &bytes, &n);
        if (i == 0) {
            fuzz_file(names[i], piece, length);
            continue;
        }
        /* A few bytes stand for whole records, so that most batches are of a size that is read. */
        const size_t records = length ? piece[0] % 4 : 0, whole = records * RECORD;
        memset(batch, 0, sizeof batch);
        for (size_t k = 1; k < length; k++) batch[k % 2 ? k * RECORD / 2 % sizeof batch : k] = piece[k];
        fuzz_file(names[i], batch, records ? whole : length);
    }
    strata_data_open(&data, fuzz_path(""));
    strata_data_close(data);
    return 0;
}
