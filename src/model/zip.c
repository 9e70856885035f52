/* Reading the directories of zip archives: PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3. */
#include "model/zip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum {
    LOCAL_BYTES = 30,        /* of the fixed part of a member's own header */
    ENTRY_BYTES = 46,        /* of the fixed part of its entry in the directory */
    END_BYTES = 22,          /* of the end record, without its comment */
    END64_BYTES = 56,        /* of the zip64 end record */
    LOCATOR_BYTES = 20,      /* of what says where that lies */
    MAX_COMMENT = 65535,     /* the end record is searched for so far from the end */
    MAX_DIRECTORY = 1 << 28, /* bytes; a million members take less */
    ENCRYPTED = 1 | 1 << 6 | 1 << 13
};

static uint16_t u16(const unsigned char *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t u32(const unsigned char *p) { return u16(p) | (uint32_t)u16(p + 2) << 16; }
static uint64_t u64(const unsigned char *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

static bool is(const unsigned char *p, const char signature[2])
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == (unsigned char)signature[0] &&
           p[3] == (unsigned char)signature[1];
}

static strata_status broken(const strata_zip *z, const char *what)
{
    return strata_fail(STRATA_FILE, "%s: a damaged zip archive: %s", z->path, what);
}

/* ---- The end record ------------------------------------------------------------------------- */

typedef struct directory {
    uint64_t at, n_bytes, members;
} directory;

/* The zip64 end record, whose locator lies right before the end record at `end_at`. */
static strata_status read_end64(directory *d, const strata_zip *z, uint64_t end_at)
{
    unsigned char locator[LOCATOR_BYTES], end[END64_BYTES];
    if (end_at < LOCATOR_BYTES) return STRATA_OK;
    STRATA_TRY(strata_file_read_at(locator, z->file, end_at - LOCATOR_BYTES, sizeof locator, z->path));
    if (!is(locator, "\6\7")) return STRATA_OK;
    const uint64_t at = u64(locator + 8);
    if (end_at - LOCATOR_BYTES < END64_BYTES || at > end_at - LOCATOR_BYTES - END64_BYTES)
        return broken(z, "its zip64 end record lies behind its locator");
    STRATA_TRY(strata_file_read_at(end, z->file, at, sizeof end, z->path));
    if (!is(end, "\6\6")) return broken(z, "its zip64 end record is not where it should be");
    *d = (directory) { u64(end + 48), u64(end + 40), u64(end + 32) };
    return STRATA_OK;
}

static strata_status read_end(directory *d, const strata_zip *z)
{
    strata_status status = STRATA_OK;
    const uint64_t most = END_BYTES + MAX_COMMENT, room = z->n_bytes < most ? z->n_bytes : most;
    unsigned char *tail = malloc(room ? (size_t)room : 1), *end = NULL;
    if (!tail) return strata_fail(STRATA_NO_MEMORY, "%s: its directory", z->path);
    STRATA_GO(strata_file_read_at(tail, z->file, z->n_bytes - room, (size_t)room, z->path));
    for (uint64_t i = room; i >= END_BYTES && !end; i--) {
        unsigned char *p = tail + i - END_BYTES;
        if (is(p, "\5\6") && u16(p + 20) == room - i) end = p;
    }
    if (!end) STRATA_GO(broken(z, "it has no end record; was it cut short?"));
    *d = (directory) { u32(end + 16), u32(end + 12), u16(end + 10) };
    STRATA_GO(read_end64(d, z, z->n_bytes - room + (uint64_t)(end - tail)));
    if (d->n_bytes > z->n_bytes || d->at > z->n_bytes - d->n_bytes)
        STRATA_GO(broken(z, "its directory lies behind its end"));
    if (d->n_bytes > MAX_DIRECTORY || d->members > d->n_bytes / ENTRY_BYTES)
        STRATA_GO(broken(z, "its directory has an impossible size"));
done:
    free(tail);
    return status;
}

/* ---- The directory -------------------------------------------------------------------------- */

/* Sizes and places above 2^32 stand in an extra field, those of them that are -1 in the entry. */
static bool widen(uint64_t *values[3], const unsigned char *extra, uint32_t length)
{
    while (length >= 4) {
        const uint16_t id = u16(extra), size = u16(extra + 2);
        if (size > length - 4) return false;
        const unsigned char *p = extra + 4, *end = p + size;
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*values[i] != UINT32_MAX) continue;
            if (end - p < 8) return false;
            *values[i] = u64(p);
            p += 8;
        }
        extra = end;
        length -= 4u + size;
    }
    return true;
}

/* Take the entry at `p`, of which `length` bytes are there; *next out: what follows it. */
static strata_status take_entry(strata_zip_member *m, strata_zip *z, strata_arena *arena,
                                const unsigned char **next, uint64_t length)
{
    const unsigned char *p = *next;
    if (length < ENTRY_BYTES || !is(p, "\1\2")) return broken(z, "an entry of its directory is cut short");
    const uint32_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
    if (length - ENTRY_BYTES < (uint64_t)name + extra + comment)
        return broken(z, "an entry of its directory is cut short");
    uint64_t packed = u32(p + 20), bytes = u32(p + 24), at = u32(p + 42);
    uint64_t *values[3] = { &bytes, &packed, &at }; /* the order they stand in the extra field */
    m->flags = u16(p + 8);
    m->method = u16(p + 10);
    m->name = strata_arena_text_n(arena, (const char *)p + ENTRY_BYTES, name);
    if (!m->name) return strata_fail(STRATA_NO_MEMORY, "%s: its directory", z->path);
    if (strlen(m->name) != name) return broken(z, "the name of a member holds a zero");
    if (!widen(values, p + ENTRY_BYTES + name, extra)) return broken(z, "an extra field is cut short");
    if (m->method == 0 && packed != bytes) return broken(z, "a stored member has two sizes");
    m->n_bytes = bytes;
    m->header_at = at;
    *next = p + ENTRY_BYTES + name + extra + comment;
    return STRATA_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const strata_zip_member *)a)->name, ((const strata_zip_member *)b)->name);
}

strata_status strata_zip_open(strata_zip *out, strata_arena *arena, FILE *file, const char *path)
{
    strata_status status = STRATA_OK;
    directory d = { 0 };
    unsigned char *bytes = NULL;
    *out = (strata_zip) { .file = file, .path = path };
    STRATA_GO(strata_file_size(&out->n_bytes, file, path));
    STRATA_GO(read_end(&d, out));
    bytes = malloc(d.n_bytes ? (size_t)d.n_bytes : 1);
    out->member = strata_arena_take(arena, (size_t)d.members * sizeof *out->member);
    if (!bytes || !out->member) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: its directory", path));
    STRATA_GO(strata_file_read_at(bytes, file, d.at, (size_t)d.n_bytes, path));
    const unsigned char *p = bytes;
    for (; out->n < d.members; out->n++)
        STRATA_GO(take_entry(&out->member[out->n], out, arena, &p, d.n_bytes - (uint64_t)(p - bytes)));
    if (out->n) qsort(out->member, out->n, sizeof *out->member, by_name);
    for (uint32_t i = 1; i < out->n; i++)
        if (strcmp(out->member[i - 1].name, out->member[i].name) == 0)
            STRATA_GO(strata_fail(STRATA_FILE, "%s: two members are named '%s'", path, out->member[i].name));
done:
    free(bytes);
    return status;
}

const strata_zip_member *strata_zip_find(const strata_zip *z, const char *name)
{
    const strata_zip_member key = { .name = name };
    return z->n ? bsearch(&key, z->member, z->n, sizeof *z->member, by_name) : NULL;
}

strata_status strata_zip_place(uint64_t *at, const strata_zip *z, const strata_zip_member *m)
{
    unsigned char header[LOCAL_BYTES];
    if (m->flags & ENCRYPTED)
        return strata_fail(STRATA_FILE, "%s: member '%s' is encrypted", z->path, m->name);
    if (m->method != 0)
        return strata_fail(STRATA_FILE,
                           "%s: member '%s' is compressed (method %u); members that are stored are read",
                           z->path, m->name, (unsigned)m->method);
    if (z->n_bytes < LOCAL_BYTES || m->header_at > z->n_bytes - LOCAL_BYTES)
        return strata_fail(STRATA_FILE, "%s: member '%s' lies behind the end", z->path, m->name);
    STRATA_TRY(strata_file_read_at(header, z->file, m->header_at, sizeof header, z->path));
    if (!is(header, "\3\4"))
        return strata_fail(STRATA_FILE, "%s: member '%s' is not where the directory says", z->path, m->name);
    *at = m->header_at + LOCAL_BYTES + u16(header + 26) + u16(header + 28);
    if (*at > z->n_bytes || m->n_bytes > z->n_bytes - *at)
        return strata_fail(STRATA_FILE, "%s: member '%s' of %llu bytes lies behind the end", z->path, m->name,
                           (unsigned long long)m->n_bytes);
    return STRATA_OK;
}
