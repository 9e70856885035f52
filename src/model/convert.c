/* strata_convert: weights from one kind of file, or type of number, to another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"
#include "model/weights_file.h"
#include "strata/file.h"
#include "strata/weights.h"

static strata_status no_memory(const char *path)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its tensors", path);
}

static strata_status parse_dtype(strata_dtype *out, const char *name)
{
    if (!name || !*name || strcmp(name, "f32") == 0)
        *out = STRATA_DTYPE_F32;
    else if (strcmp(name, "f16") == 0)
        *out = STRATA_DTYPE_F16;
    else if (strcmp(name, "bf16") == 0)
        *out = STRATA_DTYPE_BF16;
    else
        return strata_fail(STRATA_BAD_ARG, "--dtype wants f32, f16 or bf16, got '%s'", name);
    return STRATA_OK;
}

static strata_status check_name(const char *to)
{
    static const char ending[] = ".safetensors";
    const size_t n = strlen(to), k = sizeof ending - 1;
    if (n > k && strcmp(to + n - k, ending) == 0) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG,
                       "%s: wanted a name that ends in .safetensors, which is what is written", to);
}

/* The new tensor's elements. Owner: caller; free(). */
static strata_status convert_tensor(strata_stored *t, void **bytes, strata_weights_file *f,
                                    strata_dtype dtype)
{
    strata_status status = STRATA_OK;
    const strata_stored *from = t;
    const uint64_t n = strata_stored_count(t);
    float *values = NULL;
    if (!strata_dtype_is_float(t->dtype)) dtype = t->dtype;
    *bytes = malloc((size_t)n * strata_dtype_bytes(dtype) + 1);
    if (!*bytes) STRATA_GO(no_memory(f->path));
    if (dtype == t->dtype) {
        STRATA_GO(strata_weights_read(f, t, *bytes));
    } else {
        values = malloc((size_t)n * sizeof *values + 1);
        if (!values) STRATA_GO(no_memory(f->path));
        STRATA_GO(strata_weights_read_f32(f, from, values));
        const uint64_t lost = strata_narrow(*bytes, values, dtype, n);
        if (lost)
            STRATA_GO(strata_fail(STRATA_FILE, "%s: %llu values of tensor '%s' are too large for %s", f->path,
                                  (unsigned long long)lost, t->name, strata_dtype_name(dtype)));
    }
    t->dtype = dtype;
    t->bytes = *bytes;
done:
    free(values);
    return status;
}

static void report(strata_weights_file *f, const strata_stored *tensor,
                   void (*each)(void *context, const strata_converted *c), void *context)
{
    const char *prefix = f->pth ? strata_weights_note(f, "prefix removed") : NULL;
    char name[512];
    for (uint32_t i = 0; i < f->n; i++) {
        const strata_stored *old = &f->tensor[i];
        const strata_stored_string shape = strata_stored_shape(old);
        snprintf(name, sizeof name, "%s%s", prefix ? prefix : "", old->name);
        each(context, &(strata_converted) { name, tensor[i].name, strata_dtype_name(old->dtype),
                                            strata_dtype_name(tensor[i].dtype), shape.s });
    }
}

strata_status strata_convert(const char *from, const char *to, const char *dtype,
                             void (*each)(void *context, const strata_converted *c),
                             void (*note)(void *context, const char *key, const char *value), void *context)
{
    strata_status status = STRATA_OK;
    static const strata_note plain = { "format", "pt" }; /* what other readers look for */
    strata_weights_file *f = NULL;
    strata_stored *tensor = NULL;
    void **bytes = NULL;
    strata_dtype wanted = STRATA_DTYPE_F32;
    STRATA_GO(parse_dtype(&wanted, dtype));
    STRATA_GO(check_name(to));
    STRATA_GO(strata_file_check(to));
    STRATA_GO(strata_weights_open(&f, from));
    tensor = malloc((f->n + 1) * sizeof *tensor);
    bytes = calloc(f->n + 1, sizeof *bytes);
    if (!tensor || !bytes) STRATA_GO(no_memory(from));
    if (f->n) memcpy(tensor, f->tensor, f->n * sizeof *tensor);
    for (uint32_t i = 0; i < f->n; i++) STRATA_GO(convert_tensor(&tensor[i], &bytes[i], f, wanted));
    const bool notes = f->safetensors && f->n_notes;
    STRATA_GO(strata_safetensors_write(to, tensor, f->n, notes ? f->note : &plain, notes ? f->n_notes : 1));
    for (uint32_t i = 0; f->pth && note && i < f->n_notes; i++)
        note(context, f->note[i].key, f->note[i].value);
    if (each) report(f, tensor, each, context);
done:
    for (uint32_t i = 0; bytes && i < f->n; i++) free(bytes[i]);
    free(bytes);
    free(tensor);
    strata_weights_close(f);
    return status;
}
