/* A table of rates. */
#include "fuzz.h"
#include "rates/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const groups[] = { "stem", "body", "head" };
    rates_table t = { 0 };
    if (rates_table_read(&t, fuzz_file("rates.csv", bytes, n), groups, 3) == STRATA_OK) {
        rates_table_at(&t, 0);
        rates_table_at(&t, UINT64_MAX);
    }
    rates_table_free(&t);
    return 0;
}
