/* A CSV of pictures' labels, given to a list of pictures. */
#include "data/labels.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = { "train/a.jpg", "train/b.png", "valid/a.jpg",
                                         "c.d/e",       ".png",        "odd, \"name\".png" };
    image_file file[sizeof names / sizeof *names];
    image_list l = { .folder = "set", .file = file, .n = sizeof names / sizeof *names };
    label_table t;
    for (uint32_t i = 0; i < l.n; i++) file[i] = (image_file) { .path = names[i], .name = names[i] };
    if (label_table_read(&t, fuzz_file("labels.csv", bytes, n)) == STRATA_OK &&
        label_table_apply(&t, &l) == STRATA_OK)
        for (uint32_t i = 0; i < l.n; i++)
            for (uint32_t k = 0; k < l.file[i].n_labels; k++)
                if (l.file[i].labels[k] >= l.classes || (k && l.file[i].labels[k] <= l.file[i].labels[k - 1]))
                    abort();
    label_table_free(&t);
    l.file = NULL; /* not its own */
    image_list_free(&l);
    return 0;
}
