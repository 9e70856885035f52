/* Bytes of a file, gzipped or not. The stored file is held whole; what it inflates to goes straight to its
 * place. */
#include "core/file.h"
#include "data/source.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 30 }; /* zlib counts in 32 bits */

static bool member_starts(const byte_reader *r)
{
    return r->n - r->at >= 2 && r->bytes[r->at] == 0x1f && r->bytes[r->at + 1] == 0x8b;
}

static strata_status start_stream(byte_reader *r)
{
    r->packed = true;
    if (inflateInit2(&r->stream, 15 + 32) == Z_OK)
        return STRATA_OK; /* 15: largest window; 32: gzip or zlib */
    r->packed = false;
    return strata_fail(STRATA_NO_MEMORY, "no memory to inflate %s", r->path);
}

strata_status byte_reader_open(byte_reader *r, const char *path)
{
    *r = (byte_reader) { .path = path };
    STRATA_TRY(strata_file_read(&r->file, &r->n, path));
    r->bytes = (const unsigned char *)r->file;
    strata_status status = member_starts(r) ? start_stream(r) : STRATA_OK;
    if (status != STRATA_OK) byte_reader_close(r);
    return status;
}

strata_status byte_reader_view(byte_reader *r, const void *bytes, size_t n, const char *name)
{
    *r = (byte_reader) { .path = name, .bytes = bytes, .n = n };
    return start_stream(r);
}

void byte_reader_close(byte_reader *r)
{
    if (r->packed) inflateEnd(&r->stream);
    free(r->file);
    *r = (byte_reader) { 0 };
}

/* Inflate up to n bytes; *came is less only where the stored bytes or the stream end. */
static strata_status inflate_some(byte_reader *r, unsigned char *out, size_t n, size_t *came)
{
    z_stream *z = &r->stream;
    *came = 0;
    while (*came < n && !r->ended) {
        const size_t stored = r->n - r->at < CHUNK ? r->n - r->at : CHUNK;
        const size_t wanted = n - *came < CHUNK ? n - *came : CHUNK;
        z->next_in = r->bytes + r->at;
        z->avail_in = (uInt)stored;
        z->next_out = out + *came;
        z->avail_out = (uInt)wanted;
        const int result = inflate(z, Z_NO_FLUSH);
        r->at += stored - z->avail_in;
        *came += wanted - z->avail_out;
        if (result == Z_STREAM_END) {
            r->ended = !member_starts(r); /* gzip files may be put one behind the other */
            if (!r->ended) inflateReset(z);
        } else if (result == Z_MEM_ERROR) {
            return strata_fail(STRATA_NO_MEMORY, "no memory to inflate %s", r->path);
        } else if (result == Z_BUF_ERROR) {
            return STRATA_OK; /* nothing is left to inflate */
        } else if (result != Z_OK) {
            return strata_fail(STRATA_FILE, "%s: the gzip data is damaged at byte %zu of %zu: %s", r->path,
                               r->at, r->n, z->msg ? z->msg : "bad stream");
        }
    }
    return STRATA_OK;
}

strata_status byte_reader_take(byte_reader *r, void *out, size_t n, const char *what)
{
    size_t came = n;
    if (r->packed) {
        STRATA_TRY(inflate_some(r, out, n, &came));
    } else {
        if (r->n - r->at < came) came = r->n - r->at;
        memcpy(out, r->bytes + r->at, came);
        r->at += came;
    }
    if (came < n)
        return strata_fail(STRATA_FILE, "%s is truncated: wanted %zu bytes of %s at byte %llu%s, came %zu",
                           r->path, n, what, (unsigned long long)r->taken, r->packed ? " (inflated)" : "",
                           came);
    r->taken += n;
    return STRATA_OK;
}

uint64_t byte_reader_most(const byte_reader *r)
{
    /* Deflate packs at most 1032 to 1; the window may hold 32 KiB and more of what was read already. */
    return r->packed ? (uint64_t)(r->n - r->at) * 1032 + (1 << 17) : (uint64_t)(r->n - r->at);
}

strata_status byte_reader_end(byte_reader *r)
{
    unsigned char more;
    size_t came = 0;
    if (r->packed) {
        STRATA_TRY(inflate_some(r, &more, 1, &came)); /* reads the checksum too */
        if (came > 0)
            return strata_fail(STRATA_FILE, "%s: bytes follow the %llu (inflated) that its header tells of",
                               r->path, (unsigned long long)r->taken);
        if (!r->ended)
            return strata_fail(STRATA_FILE, "%s is truncated: the end of the gzip data is missing", r->path);
    }
    if (r->at < r->n)
        return strata_fail(STRATA_FILE, "%s: %zu bytes follow where the file should end", r->path,
                           r->n - r->at);
    return STRATA_OK;
}
