/* Reading and writing safetensors; see the header for the layout. */
#include "model/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum { MAX_HEADER = 100 * 1000 * 1000 }; /* bytes; the format's own limit */

/* ---- The header ---------------------------------------------------------------------------- */

/* A whole number of a JSON array; false where it is something else. */
static bool whole(uint64_t *out, const json_t *array, size_t i)
{
    const json_t *value = json_array_get(array, i);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool parse_dtype(strata_dtype *out, const json_t *value)
{
    const char *name = json_string_value(value);
    for (int t = 0; name && t < STRATA_DTYPES; t++)
        if (strcmp(name, strata_dtype_name((strata_dtype)t)) == 0) return *out = (strata_dtype)t, true;
    return false;
}

static strata_status parse_tensor(strata_stored *t, const char *path, const json_t *entry)
{
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape"),
                 *offsets = json_object_get(entry, "data_offsets");
    uint64_t bytes = 0, end = 0;
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(offsets))
        return strata_fail(STRATA_FILE, "%s: tensor '%s' wants dtype, shape and data_offsets", path, t->name);
    if (!parse_dtype(&t->dtype, dtype))
        return strata_fail(STRATA_FILE, "%s: tensor '%s' has the unknown dtype '%s'", path, t->name,
                           json_string_value(dtype));
    if (json_array_size(shape) > STRATA_STORED_RANK)
        return strata_fail(STRATA_FILE, "%s: tensor '%s' has %zu dimensions, at most %d are read", path,
                           t->name, json_array_size(shape), STRATA_STORED_RANK);
    t->rank = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < t->rank; i++)
        if (!whole(&t->dim[i], shape, i))
            return strata_fail(STRATA_FILE, "%s: dimension %u of tensor '%s' is not a whole number", path,
                               (unsigned)i, t->name);
    if (json_array_size(offsets) != 2 || !whole(&t->begin, offsets, 0) || !whole(&end, offsets, 1) ||
        end < t->begin)
        return strata_fail(STRATA_FILE, "%s: data_offsets of tensor '%s' want [begin, end], begin <= end",
                           path, t->name);
    t->n_bytes = end - t->begin;
    if (!strata_stored_measure(&bytes, t) || bytes != t->n_bytes)
        return strata_fail(STRATA_FILE, "%s: tensor '%s' of %s %s has %llu bytes in the file", path, t->name,
                           strata_dtype_name(t->dtype), strata_stored_shape(t).s,
                           (unsigned long long)t->n_bytes);
    return STRATA_OK;
}

static strata_status parse_notes(strata_safetensors *f, json_t *notes)
{
    const char *key;
    json_t *value;
    if (!json_is_object(notes)) return strata_fail(STRATA_FILE, "%s: __metadata__ is not an object", f->path);
    f->note = strata_arena_take(&f->arena, json_object_size(notes) * sizeof *f->note);
    if (!f->note) return strata_fail(STRATA_NO_MEMORY, "%s: its metadata", f->path);
    json_object_foreach(notes, key, value)
    {
        if (!json_is_string(value))
            return strata_fail(STRATA_FILE, "%s: '%s' in __metadata__ is not a string", f->path, key);
        strata_note *note = &f->note[f->n_notes++];
        note->key = strata_arena_text(&f->arena, key);
        note->value = strata_arena_text(&f->arena, json_string_value(value));
        if (!note->key || !note->value) return strata_fail(STRATA_NO_MEMORY, "%s: its metadata", f->path);
    }
    return STRATA_OK;
}

static strata_status parse_header(strata_safetensors *f, json_t *header)
{
    const char *key;
    json_t *entry;
    f->tensor = strata_arena_take(&f->arena, json_object_size(header) * sizeof *f->tensor);
    if (!f->tensor) return strata_fail(STRATA_NO_MEMORY, "%s: its header", f->path);
    json_object_foreach(header, key, entry)
    {
        if (strcmp(key, "__metadata__") == 0) {
            STRATA_TRY(parse_notes(f, entry));
            continue;
        }
        strata_stored *t = &f->tensor[f->n++];
        t->name = strata_arena_text(&f->arena, key);
        if (!t->name) return strata_fail(STRATA_NO_MEMORY, "%s: its header", f->path);
        STRATA_TRY(parse_tensor(t, f->path, entry));
    }
    return STRATA_OK;
}

static int by_place(const void *a, const void *b)
{
    const strata_stored *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->n_bytes != y->n_bytes) return x->n_bytes < y->n_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Tensors must lie side by side from the first byte of the data to the last. */
static strata_status check_cover(strata_safetensors *f, uint64_t data_bytes)
{
    uint64_t end = 0;
    if (f->n) qsort(f->tensor, f->n, sizeof *f->tensor, by_place);
    for (uint32_t i = 0; i < f->n; i++) {
        const strata_stored *t = &f->tensor[i];
        if (t->begin != end)
            return strata_fail(
                STRATA_FILE,
                "%s: tensor '%s' begins at byte %llu of the data, but the one before ends at %llu", f->path,
                t->name, (unsigned long long)t->begin, (unsigned long long)end);
        end = t->begin + t->n_bytes;
    }
    if (end != data_bytes)
        return strata_fail(STRATA_FILE, "%s: its tensors have %llu bytes, but the file holds %llu", f->path,
                           (unsigned long long)end, (unsigned long long)data_bytes);
    return STRATA_OK;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static strata_status read_header(strata_safetensors *f)
{
    strata_status status = STRATA_OK;
    char *text = NULL;
    json_t *header = NULL;
    json_error_t error;
    uint64_t bytes = 0, length = 0;
    STRATA_GO(strata_file_size(&bytes, f->file, f->path));
    if (bytes < 8)
        STRATA_GO(strata_fail(STRATA_FILE, "%s: %llu bytes are no safetensors file", f->path,
                              (unsigned long long)bytes));
    STRATA_GO(strata_file_read_at(&length, f->file, 0, sizeof length, f->path));
    if (length > MAX_HEADER || length > bytes - 8)
        STRATA_GO(strata_fail(STRATA_FILE,
                              "%s: no safetensors file, or cut short: a header of %llu bytes in a file of "
                              "%llu",
                              f->path, (unsigned long long)length, (unsigned long long)bytes));
    text = malloc((size_t)length + 1);
    if (!text) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: its header", f->path));
    STRATA_GO(strata_file_read_at(text, f->file, 8, (size_t)length, f->path));
    if (!length || text[0] != '{')
        STRATA_GO(
            strata_fail(STRATA_FILE, "%s: no safetensors file: its header does not begin with '{'", f->path));
    header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!header)
        STRATA_GO(
            strata_fail(STRATA_FILE, "%s: its header, at byte %d: %s", f->path, error.position, error.text));
    f->data_at = 8 + length;
    STRATA_GO(parse_header(f, header));
    STRATA_GO(check_cover(f, bytes - f->data_at));
done:
    json_decref(header);
    free(text);
    return status;
}

strata_status strata_safetensors_open(strata_safetensors **out, const char *path)
{
    strata_status status = STRATA_OK;
    *out = NULL;
    strata_safetensors *f = calloc(1, sizeof *f);
    if (!f) return strata_fail(STRATA_NO_MEMORY, "%s: its header", path);
    f->path = strata_arena_text(&f->arena, path);
    if (!f->path) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: its header", path));
    f->file = fopen(path, "rb");
    if (!f->file) STRATA_GO(strata_fail(STRATA_FILE, "cannot open %s: %s", path, strerror(errno)));
    STRATA_GO(read_header(f));
    *out = f;
    f = NULL;
done:
    strata_safetensors_close(f);
    return status;
}

void strata_safetensors_close(strata_safetensors *f)
{
    if (!f) return;
    if (f->file) fclose(f->file);
    strata_arena_free(&f->arena);
    free(f);
}

const strata_stored *strata_safetensors_find(const strata_safetensors *f, const char *name)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (strcmp(f->tensor[i].name, name) == 0) return &f->tensor[i];
    return NULL;
}

const char *strata_safetensors_note(const strata_safetensors *f, const char *key)
{
    for (uint32_t i = 0; i < f->n_notes; i++)
        if (strcmp(f->note[i].key, key) == 0) return f->note[i].value;
    return NULL;
}

strata_status strata_safetensors_read(strata_safetensors *f, const strata_stored *t, void *out)
{
    return strata_file_read_at(out, f->file, f->data_at + t->begin, (size_t)t->n_bytes, f->path);
}

/* ---- Writing ------------------------------------------------------------------------------- */

static int by_width(const void *a, const void *b)
{
    const strata_stored *x = a, *y = b;
    uint32_t bx = strata_dtype_bytes(x->dtype), by = strata_dtype_bytes(y->dtype);
    return bx != by ? (bx > by ? -1 : 1) : strcmp(x->name, y->name);
}

/* Add `value` (a reference that is taken over) to an object that must not have the key. */
static strata_status put(const char *path, json_t *object, const char *key, json_t *value)
{
    if (json_object_get(object, key)) {
        json_decref(value);
        return strata_fail(STRATA_BAD_ARG, "%s: two tensors named '%s'", path, key);
    }
    if (json_object_set_new(object, key, value) != 0) /* also where `value` is NULL */
        return strata_fail(STRATA_NO_MEMORY, "%s: its header, or '%s' is not UTF-8", path, key);
    return STRATA_OK;
}

static strata_status describe(const char *path, json_t *header, const strata_stored *t)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < t->rank; i++) json_array_append_new(shape, json_integer((json_int_t)t->dim[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", strata_dtype_name(t->dtype), "shape", shape,
                              "data_offsets", (json_int_t)t->begin, (json_int_t)(t->begin + t->n_bytes));
    return put(path, header, t->name, entry);
}

/* The header as text, padded with spaces so that the data begin at a multiple of 8. */
static strata_status make_header(char **out, size_t *length, const char *path, const strata_stored *tensors,
                                 uint32_t n, const strata_note *notes, uint32_t n_notes)
{
    strata_status status = STRATA_OK;
    char *text = NULL;
    json_t *header = json_object(), *metadata = json_object();
    for (uint32_t i = 0; i < n_notes; i++)
        STRATA_GO(put(path, metadata, notes[i].key, json_string(notes[i].value)));
    if (n_notes) STRATA_GO(put(path, header, "__metadata__", json_incref(metadata)));
    for (uint32_t i = 0; i < n; i++) STRATA_GO(describe(path, header, &tensors[i]));
    text = json_dumps(header, JSON_COMPACT);
    size_t bytes = text ? strlen(text) : 0;
    if (bytes > MAX_HEADER) STRATA_GO(strata_fail(STRATA_BAD_ARG, "%s: its header is too long", path));
    char *padded = text ? realloc(text, (bytes + 7) / 8 * 8) : NULL;
    if (!padded) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: its header", path));
    text = NULL;
    *length = (bytes + 7) / 8 * 8;
    memset(padded + bytes, ' ', *length - bytes);
    *out = padded;
done:
    free(text);
    json_decref(metadata);
    json_decref(header);
    return status;
}

strata_status strata_safetensors_write(const char *path, const strata_stored *tensors, uint32_t n,
                                       const strata_note *notes, uint32_t n_notes)
{
    strata_status status = STRATA_OK;
    strata_file_writer writer = { 0 };
    char *header = NULL;
    size_t length = 0;
    uint64_t end = 0;
    strata_stored *sorted = calloc(n ? n : 1, sizeof *sorted);
    if (!sorted) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: its header", path));
    if (n) memcpy(sorted, tensors, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_width);
    for (uint32_t i = 0; i < n; i++) {
        if (!strata_stored_measure(&sorted[i].n_bytes, &sorted[i]) ||
            sorted[i].n_bytes > (uint64_t)INT64_MAX - end)
            STRATA_GO(strata_fail(STRATA_BAD_ARG, "%s: tensor '%s' is too large", path, sorted[i].name));
        sorted[i].begin = end;
        end += sorted[i].n_bytes;
    }
    STRATA_GO(make_header(&header, &length, path, sorted, n, notes, n_notes));
    STRATA_GO(strata_file_writer_begin(&writer, path));
    STRATA_GO(strata_file_writer_put(&writer, &(uint64_t) { length }, 8));
    STRATA_GO(strata_file_writer_put(&writer, header, length));
    for (uint32_t i = 0; i < n; i++)
        STRATA_GO(strata_file_writer_put(&writer, sorted[i].bytes, (size_t)sorted[i].n_bytes));
    STRATA_GO(strata_file_writer_commit(&writer));
done:
    strata_file_writer_abandon(&writer);
    free(header);
    free(sorted);
    return status;
}
