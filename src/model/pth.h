/* PyTorch's .pth files, as torch.save writes them since 1.6: a zip archive with a pickle, and a member for
 * each storage. The pickle is read as data (model/pickle.h); nothing is executed.
 *
 *   NAME/data.pkl | NAME/data/0 ... little-endian storages | NAME/version | newer: NAME/byteorder, ...
 *
 * The tensors are those of the state dict: of the outermost dictionary where that holds tensors, else of its
 * entry "state_dict", "model" or "model_state_dict". A prefix that all names have because the network was
 * wrapped ("module.", "_orig_mod.") is removed. The notes say both. */
#ifndef STRATA_MODEL_PTH_H
#define STRATA_MODEL_PTH_H

#include <stdio.h>

#include "core/arena.h"
#include "model/stored.h"
#include "model/zip.h"

typedef struct strata_pth {
    strata_arena arena; /* owns what is below */
    FILE *file;
    const char *path;
    strata_zip zip;
    strata_stored *tensor; /* [n], in the order of the dictionary; n_bytes: without strides */
    struct pth_view *view; /* [n] where the elements are */
    uint32_t n;
    strata_note note[4]; /* [n_notes] */
    uint32_t n_notes;
} strata_pth;

/* Open a file, read its pickle and find every tensor's storage.
 * Owner:  caller; release with strata_pth_close. On failure *out is NULL.
 * Errors: STRATA_FILE naming the file and what is refused; also for files of other formats. */
strata_status strata_pth_open(strata_pth **out, const char *path);
void strata_pth_close(strata_pth *f);

/* Read a tensor's elements in row-major order, as they are stored.
 *   t    one of f->tensor
 *   out  [t->n_bytes] */
strata_status strata_pth_read(strata_pth *f, const strata_stored *t, void *out);

#endif
