#include "model/pth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "model/pickle.h"

/* A tensor's place: its first element in the file, and its strides in elements. */
typedef struct pth_view {
    uint64_t at, span; /* span: elements from the first to the last, 0 for an empty tensor */
    uint64_t stride[STRATA_STORED_RANK];
} pth_view;

static strata_status no_memory(const char *path)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its tensors", path);
}

/* ---- The archive -------------------------------------------------------------------------------- */

/* A member below the folder that all members have in common.  name: "data.pkl" */
static const strata_zip_member *find(const strata_pth *f, const char *folder, const char *name)
{
    char path[1024];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length < (int)sizeof path ? strata_zip_find(&f->zip, path) : NULL;
}

static strata_status find_folder(const char **folder, strata_pth *f)
{
    const char *slash = f->zip.n ? strchr(f->zip.member[0].name, '/') : NULL;
    *folder = NULL;
    if (slash) {
        *folder = strata_arena_text_n(&f->arena, f->zip.member[0].name,
                                      (size_t)(slash - f->zip.member[0].name));
        if (!*folder) return no_memory(f->path);
    }
    if (!*folder || !find(f, *folder, "data.pkl"))
        return strata_fail(STRATA_FILE, "%s: a zip archive, but none that torch.save wrote: no data.pkl",
                           f->path);
    if (find(f, *folder, "constants.pkl"))
        return strata_fail(STRATA_FILE,
                           "%s: a TorchScript program; save the state dict of the model with torch.save",
                           f->path);
    return STRATA_OK;
}

/* The bytes of a small member. Owner: the arena. */
static strata_status read_member(unsigned char **out, strata_pth *f, const strata_zip_member *m)
{
    uint64_t at;
    STRATA_TRY(strata_zip_place(&at, &f->zip, m));
    *out = strata_arena_take(&f->arena, (size_t)m->n_bytes + 1);
    if (!*out) return no_memory(f->path);
    return strata_file_read_at(*out, f->file, at, (size_t)m->n_bytes, f->path);
}

static strata_status check_byte_order(strata_pth *f, const char *folder)
{
    unsigned char *text;
    const strata_zip_member *m = find(f, folder, "byteorder");
    if (!m) return STRATA_OK;
    STRATA_TRY(read_member(&text, f, m));
    if (m->n_bytes == 6 && memcmp(text, "little", 6) == 0) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s: its byte order is '%.16s'; little is read", f->path, (char *)text);
}

/* ---- The dictionary -------------------------------------------------------------------------------- */

static uint32_t count_tensors(const strata_pickle *dict)
{
    uint32_t n = 0;
    for (uint32_t i = 1; dict->kind == STRATA_PICKLE_DICT && i < dict->n; i += 2)
        n += dict->item[i]->kind == STRATA_PICKLE_TENSOR;
    return n;
}

/* The state dict in what was saved. */
static strata_status find_tensors(const strata_pickle **out, strata_pth *f, const strata_pickle *root)
{
    static const char *const keys[] = { "state_dict", "model", "model_state_dict" };
    *out = root;
    if (count_tensors(root)) return STRATA_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        *out = strata_pickle_get(root, keys[i]);
        if (!*out || !count_tensors(*out)) continue;
        f->note[f->n_notes++] = (strata_note) { "taken from the entry", keys[i] };
        return STRATA_OK;
    }
    return strata_fail(STRATA_FILE,
                       "%s: no state dict: neither what was saved nor its entry 'state_dict', 'model' or "
                       "'model_state_dict' is a dictionary of tensors",
                       f->path);
}

/* Take the tensors' names and shapes; what is no tensor is counted. */
static strata_status take_tensors(strata_pth *f, const strata_pickle *dict, const strata_pickle_tensor **from)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i + 1 < dict->n; i += 2) {
        const strata_pickle *key = dict->item[i], *value = dict->item[i + 1];
        if (value->kind != STRATA_PICKLE_TENSOR) {
            others++;
            continue;
        }
        if (key->kind != STRATA_PICKLE_TEXT || strlen(key->text) != key->n)
            return strata_fail(STRATA_FILE, "%s: a tensor's name is not a text", f->path);
        strata_stored *t = &f->tensor[f->n];
        *t = (strata_stored) { .name = key->text,
                               .dtype = value->tensor->storage->dtype,
                               .rank = value->tensor->rank,
                               .begin = f->n };
        memcpy(t->dim, value->tensor->dim, sizeof t->dim);
        from[f->n++] = value->tensor;
    }
    if (!others) return STRATA_OK;
    char *text = strata_arena_take(&f->arena, 64);
    if (!text) return no_memory(f->path);
    snprintf(text, 64, "%u %s", (unsigned)others,
             strata_noun(others, "entry that is no tensor", "entries that are no tensors"));
    f->note[f->n_notes++] = (strata_note) { "left out", text };
    return STRATA_OK;
}

static void strip_prefix(strata_pth *f)
{
    static const char *const prefixes[] = { "module.", "_orig_mod." };
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++) {
        const size_t length = strlen(prefixes[k]);
        bool all = true;
        for (uint32_t i = 0; i < f->n; i++) all = all && strncmp(f->tensor[i].name, prefixes[k], length) == 0;
        if (!all) continue;
        for (uint32_t i = 0; i < f->n; i++) f->tensor[i].name += length;
        f->note[f->n_notes++] = (strata_note) { "prefix removed", prefixes[k] };
        return;
    }
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static strata_status check_names(strata_pth *f)
{
    const char **name = strata_arena_take(&f->arena, f->n * sizeof *name);
    if (!name) return no_memory(f->path);
    for (uint32_t i = 0; i < f->n; i++) name[i] = f->tensor[i].name;
    if (f->n) qsort(name, f->n, sizeof *name, by_name);
    for (uint32_t i = 1; i < f->n; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            return strata_fail(STRATA_FILE, "%s: two tensors are named '%s'", f->path, name[i]);
    return STRATA_OK;
}

/* ---- Views ------------------------------------------------------------------------------------------ */

/* Elements from a view's first to its last; false where that does not fit 63 bits. */
static bool measure_span(uint64_t *span, const strata_pickle_tensor *t)
{
    *span = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        if (t->dim[i] == 0) return *span = 0, true;
    for (uint32_t i = 0; i < t->rank; i++) {
        const uint64_t steps = t->dim[i] - 1;
        if (steps && t->stride[i] > ((uint64_t)INT64_MAX - *span) / steps) return false;
        *span += steps * t->stride[i];
    }
    return true;
}

/* Find a tensor's storage and check that the view lies in it. */
static strata_status place(strata_pth *f, uint32_t i, const strata_pickle_tensor *from, const char *folder)
{
    strata_stored *t = &f->tensor[i];
    pth_view *v = &f->view[i];
    const strata_pickle_storage *s = from->storage;
    const uint32_t size = strata_dtype_bytes(s->dtype);
    char name[600];
    snprintf(name, sizeof name, "data/%.500s", s->key);
    const strata_zip_member *m = find(f, folder, name);
    if (!m) return strata_fail(STRATA_FILE, "%s: tensor '%s': no member %s", f->path, t->name, name);
    if (m->n_bytes / size != s->count || m->n_bytes % size)
        return strata_fail(STRATA_FILE, "%s: tensor '%s': member %s has %llu bytes, wanted %llu of %s",
                           f->path, t->name, name, (unsigned long long)m->n_bytes,
                           (unsigned long long)s->count, strata_dtype_name(s->dtype));
    if (!strata_stored_measure(&t->n_bytes, t) || t->n_bytes / size > INT32_MAX)
        return strata_fail(STRATA_FILE, "%s: tensor '%s' of %s has too many elements", f->path, t->name,
                           strata_stored_shape(t).s);
    if (!measure_span(&v->span, from) || v->span > s->count || from->offset > s->count - v->span)
        return strata_fail(STRATA_FILE, "%s: tensor '%s' of %s does not lie in its storage of %llu elements",
                           f->path, t->name, strata_stored_shape(t).s, (unsigned long long)s->count);
    STRATA_TRY(strata_zip_place(&v->at, &f->zip, m));
    v->at += from->offset * size;
    memcpy(v->stride, from->stride, sizeof v->stride);
    return STRATA_OK;
}

static strata_status read_contents(strata_pth *f)
{
    const char *folder;
    unsigned char *bytes;
    const strata_pickle *root, *dict;
    STRATA_TRY(strata_zip_open(&f->zip, &f->arena, f->file, f->path));
    STRATA_TRY(find_folder(&folder, f));
    STRATA_TRY(check_byte_order(f, folder));
    const strata_zip_member *m = find(f, folder, "data.pkl");
    STRATA_TRY(read_member(&bytes, f, m));
    STRATA_TRY(strata_pickle_read(&root, &f->arena, bytes, (size_t)m->n_bytes, f->path));
    f->note[f->n_notes++] = (strata_note) { "format", "pth" };
    STRATA_TRY(find_tensors(&dict, f, root));
    const uint32_t n = count_tensors(dict);
    const strata_pickle_tensor **from = strata_arena_take(&f->arena, n * sizeof *from);
    f->tensor = strata_arena_take(&f->arena, n * sizeof *f->tensor);
    f->view = strata_arena_take(&f->arena, n * sizeof *f->view);
    if (!from || !f->tensor || !f->view) return no_memory(f->path);
    STRATA_TRY(take_tensors(f, dict, from));
    strip_prefix(f);
    STRATA_TRY(check_names(f));
    for (uint32_t i = 0; i < f->n; i++) STRATA_TRY(place(f, i, from[i], folder));
    return STRATA_OK;
}

/* ---- Opening and reading ------------------------------------------------------------------------------ */

/* What torch.save wrote before 1.6 begins with a pickled number: PROTO 2, LONG1 of 10 bytes. */
static strata_status check_kind(const strata_pth *f)
{
    unsigned char head[4] = { 0 };
    uint64_t bytes;
    STRATA_TRY(strata_file_size(&bytes, f->file, f->path));
    STRATA_TRY(strata_file_read_at(head, f->file, 0, bytes < 4 ? (size_t)bytes : 4, f->path));
    if (memcmp(head, "PK\3\4", 4) == 0) return STRATA_OK;
    if (head[0] == 0x80)
        return strata_fail(
            STRATA_FILE,
            "%s: torch.save's old format, a bare pickle; load it with PyTorch 1.6 or newer and "
            "save it again",
            f->path);
    return strata_fail(STRATA_FILE, "%s: not a file of torch.save: no zip archive", f->path);
}

strata_status strata_pth_open(strata_pth **out, const char *path)
{
    strata_status status = STRATA_OK;
    *out = NULL;
    strata_pth *f = calloc(1, sizeof *f);
    if (!f) return no_memory(path);
    f->path = strata_arena_text(&f->arena, path);
    if (!f->path) STRATA_GO(no_memory(path));
    f->file = fopen(path, "rb");
    if (!f->file) STRATA_GO(strata_fail(STRATA_FILE, "cannot open %s: %s", path, strerror(errno)));
    STRATA_GO(check_kind(f));
    STRATA_GO(read_contents(f));
    *out = f;
    f = NULL;
done:
    strata_pth_close(f);
    return status;
}

void strata_pth_close(strata_pth *f)
{
    if (!f) return;
    if (f->file) fclose(f->file);
    strata_arena_free(&f->arena);
    free(f);
}

/* Are the elements in the file in row-major order, without gaps? */
static bool is_dense(const strata_stored *t, const pth_view *v)
{
    uint64_t run = 1;
    for (uint32_t i = t->rank; i > 0; i--) {
        if (t->dim[i - 1] != 1 && v->stride[i - 1] != run) return false;
        run *= t->dim[i - 1];
    }
    return true;
}

/* Put [strata_stored_count] elements of a view in order. */
static void gather(unsigned char *out, const unsigned char *span, const strata_stored *t, const pth_view *v)
{
    const uint32_t size = strata_dtype_bytes(t->dtype);
    uint64_t index[STRATA_STORED_RANK] = { 0 }, at = 0;
    for (uint64_t n = strata_stored_count(t); n > 0; n--, out += size) {
        memcpy(out, span + at * size, size);
        for (uint32_t i = t->rank; i > 0; i--) { /* the next index, and how far it moves */
            at += v->stride[i - 1];
            if (++index[i - 1] < t->dim[i - 1]) break;
            at -= v->stride[i - 1] * t->dim[i - 1];
            index[i - 1] = 0;
        }
    }
}

strata_status strata_pth_read(strata_pth *f, const strata_stored *t, void *out)
{
    const pth_view *v = &f->view[t->begin];
    const size_t bytes = (size_t)v->span * strata_dtype_bytes(t->dtype);
    if (v->span == 0) return STRATA_OK;
    if (is_dense(t, v)) return strata_file_read_at(out, f->file, v->at, bytes, f->path);
    unsigned char *span = malloc(bytes);
    if (!span) return no_memory(f->path);
    strata_status status = strata_file_read_at(span, f->file, v->at, bytes, f->path);
    if (status == STRATA_OK) gather(out, span, t, v);
    free(span);
    return status;
}
