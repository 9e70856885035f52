#include "model/weights_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "model/pth.h"
#include "model/safetensors.h"

typedef enum kind { SAFETENSORS, PTH, NEITHER } kind;

/* A zip archive, or a pickle by itself, which pth.c refuses in its own words. A safetensors file whose header
 * is "PK\3\4" bytes long has the header's brace where an archive has its method. What is too short to tell is
 * left to safetensors.c. */
static kind kind_of(const char *path)
{
    char head[9] = "";
    FILE *file = fopen(path, "rb");
    if (!file) return SAFETENSORS;
    const size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    if (n == sizeof head && head[8] == '{') return SAFETENSORS;
    if (n >= 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "\x80\2", 2) == 0)) return PTH;
    return n == sizeof head ? NEITHER : SAFETENSORS;
}

strata_status strata_weights_open(strata_weights_file **out, const char *path)
{
    strata_status status = STRATA_OK;
    *out = NULL;
    if (strata_folder_exists(path))
        return strata_fail(STRATA_FILE, "%s is a folder: wanted a .safetensors or .pth file", path);
    const kind is = kind_of(path);
    strata_weights_file *f = calloc(1, sizeof *f);
    if (!f) return strata_fail(STRATA_NO_MEMORY, "%s: no memory to open it", path);
    if (is == PTH) {
        STRATA_GO(strata_pth_open(&f->pth, path));
        f->path = f->pth->path;
        f->tensor = f->pth->tensor;
        f->n = f->pth->n;
        f->note = f->pth->note;
        f->n_notes = f->pth->n_notes;
    } else {
        status = strata_safetensors_open(&f->safetensors, path);
        if (status == STRATA_FILE && is == NEITHER)
            strata_fail(status, "%s; wanted a .safetensors file, or a .pth that torch.save wrote",
                        strata_message());
        STRATA_GO(status);
        f->path = f->safetensors->path;
        f->tensor = f->safetensors->tensor;
        f->n = f->safetensors->n;
        f->note = f->safetensors->note;
        f->n_notes = f->safetensors->n_notes;
    }
    *out = f;
    f = NULL;
done:
    strata_weights_close(f);
    return status;
}

void strata_weights_close(strata_weights_file *f)
{
    if (!f) return;
    strata_safetensors_close(f->safetensors);
    strata_pth_close(f->pth);
    free(f);
}

const strata_stored *strata_weights_find(const strata_weights_file *f, const char *name)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (strcmp(f->tensor[i].name, name) == 0) return &f->tensor[i];
    return NULL;
}

const char *strata_weights_note(const strata_weights_file *f, const char *key)
{
    for (uint32_t i = 0; i < f->n_notes; i++)
        if (strcmp(f->note[i].key, key) == 0) return f->note[i].value;
    return NULL;
}

strata_status strata_weights_read(strata_weights_file *f, const strata_stored *t, void *out)
{
    return f->pth ? strata_pth_read(f->pth, t, out) : strata_safetensors_read(f->safetensors, t, out);
}

strata_status strata_weights_read_f32(strata_weights_file *f, const strata_stored *t, float *out)
{
    strata_status status = STRATA_OK;
    if (t->dtype == STRATA_DTYPE_F32) return strata_weights_read(f, t, out);
    if (!strata_dtype_is_float(t->dtype))
        return strata_fail(STRATA_FILE, "%s: tensor '%s' wants F32, F16, BF16 or F64, but is %s", f->path,
                           t->name, strata_dtype_name(t->dtype));
    void *raw = malloc(t->n_bytes ? (size_t)t->n_bytes : 1);
    if (!raw) return strata_fail(STRATA_NO_MEMORY, "%s: tensor '%s'", f->path, t->name);
    STRATA_GO(strata_weights_read(f, t, raw));
    const uint64_t lost = strata_widen(out, raw, t->dtype, strata_stored_count(t));
    if (lost)
        STRATA_GO(strata_fail(STRATA_FILE, "%s: %llu values of tensor '%s' are too large for F32", f->path,
                              (unsigned long long)lost, t->name));
done:
    free(raw);
    return status;
}
