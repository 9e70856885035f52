#include "ops/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/items.h"
#include "core/thread.h"

/* ---- Limits ------------------------------------------------------------------------------------ */

/* More than anything asks for, and far from the end of the numbers: sums with them do not overflow. */
static const strata_caps wide = {
    .name = "cpu",
    .driver = "the plain reference, in C",
    .max_group = 1u << 30,
    .shared_bytes = 1u << 30,
    .max_range = (uint64_t)1 << 48,
    .max_block = (uint64_t)1 << 48,
    .max_texels = 1u << 30,
    .subgroup = 1u << 30,
    .memory = (uint64_t)1 << 48,
};

/* Put one "name=value" of a list of limits, [length] characters, into the ceiling. */
static strata_status take_limit(strata_caps *c, const char *pair, size_t length)
{
    char name[16] = "", text[32] = "", *end = NULL;
    uint64_t *wide_member = NULL;
    uint32_t *member = NULL;
    if (length < sizeof name + sizeof text - 2 && sscanf(pair, "%15[a-z]=%31[0-9]", name, text) == 2 &&
        strlen(name) + 1 + strlen(text) == length) {
        if (strcmp(name, "range") == 0) wide_member = &c->max_range;
        if (strcmp(name, "block") == 0) wide_member = &c->max_block;
        if (strcmp(name, "memory") == 0) wide_member = &c->memory;
        if (strcmp(name, "group") == 0) member = &c->max_group;
        if (strcmp(name, "shared") == 0) member = &c->shared_bytes;
        if (strcmp(name, "texels") == 0) member = &c->max_texels;
        if (strcmp(name, "subgroup") == 0) member = &c->subgroup;
        if (strcmp(name, "cores") == 0) member = &c->cores;
    }
    const unsigned long long value = strtoull(text, &end, 10);
    if ((!wide_member && !member) || (member && value > UINT32_MAX))
        return strata_fail(
            STRATA_BAD_ARG,
            "--limits (--clamp of bench) wants range, block, memory, group, shared, texels, subgroup or "
            "cores = a number, got '%.*s'",
            (int)length, pair);
    if (wide_member) *wide_member = value;
    if (member) *member = (uint32_t)value;
    return STRATA_OK;
}

static strata_status read_limits(strata_caps *c, const char *limits)
{
    size_t n;
    const char *twice = limits ? strata_item_twice(limits, &n) : NULL;
    if (twice)
        return strata_fail(STRATA_BAD_ARG, "--limits (--clamp of bench): %.*s is there twice", (int)n, twice);
    *c = wide;
    for (const char *p = limits; p && *p;) {
        size_t length = strcspn(p, ",");
        STRATA_TRY(take_limit(c, p, length));
        p += length + (p[length] == ',');
    }
    if (c->max_range < STRATA_ALIGN || c->max_block < STRATA_ALIGN)
        return strata_fail(STRATA_BAD_ARG, "--limits (--clamp of bench): range and block want at least %d",
                           STRATA_ALIGN);
    if (c->max_group == 0)
        return strata_fail(STRATA_BAD_ARG, "--limits (--clamp of bench): group wants at least 1");
    return STRATA_OK;
}

/* The reference under a ceiling. It has no subgroups and no texel buffers. */
static strata_caps reference_caps(const strata_caps *ceiling)
{
    strata_caps c = *ceiling;
    c.subgroup = 0;
    if (!c.cores) c.cores = strata_threads();
    return c;
}

/* ---- Opening ----------------------------------------------------------------------------------- */

/* Does the name mean the reference: "cpu", or its number, the last of the list? */
static bool names_reference(const char *name)
{
    strata_device_entry entry[16];
    uint32_t n = 0;
    if (!name) return false;
    if (strcmp(name, "cpu") == 0) return true;
    if (!*name || strspn(name, "0123456789") != strlen(name)) return false;
    if (strata_gpu_list(entry, 16, &n) != STRATA_OK) n = 0;
    return strtoul(name, NULL, 10) == n;
}

strata_status strata_device_open(strata_device **out, const strata_device_config *config)
{
    static const strata_device_config defaults = { 0 };
    const strata_device_config *c = config ? config : &defaults;
    strata_caps ceiling;
    *out = NULL;
    if (c->name && !*c->name)
        return strata_fail(STRATA_BAD_ARG,
                           "device: wanted auto, cpu, a number or part of a name, came nothing");
    STRATA_TRY(read_limits(&ceiling, c->limits));
    if (c->shader_dir && !strata_folder_exists(c->shader_dir))
        return strata_fail(STRATA_FILE, "--shader-dir %s: there is no such folder", c->shader_dir);
    strata_device *d = calloc(1, sizeof *d);
    if (!d) return strata_fail(STRATA_NO_MEMORY, "the record of a device");
    if (names_reference(c->name)) {
        d->caps = reference_caps(&ceiling);
    } else {
        const strata_gpu_config gpu = { .name = c->name,
                                        .shader_dir = c->shader_dir,
                                        .ceiling = &ceiling,
                                        .validate = c->validate,
                                        .no_cache = c->no_cache };
        strata_status status = strata_gpu_open(&d->gpu, &gpu);
        if (status != STRATA_OK) {
            free(d);
            return status;
        }
        d->caps = *strata_gpu_caps(d->gpu);
    }
    *out = d;
    return STRATA_OK;
}

void strata_device_close(strata_device *d)
{
    if (!d) return;
    strata_gpu_close(d->gpu);
    free(d);
}

const strata_caps *strata_device_caps(const strata_device *d) { return &d->caps; }

bool strata_device_tells_time(const strata_device *d) { return !d->gpu || strata_gpu_tells_time(d->gpu); }

unsigned strata_device_complaints(const strata_device *d, const char **first)
{
    if (d->gpu) return strata_gpu_complaints(d->gpu, first);
    if (first) *first = "";
    return 0;
}

strata_status strata_device_list(strata_device_entry *out, uint32_t room, uint32_t *n, const char **note)
{
    *n = 0;
    *note = "";
    if (room == 0) return strata_fail(STRATA_BAD_ARG, "a list of devices with room for none");
    strata_status status = strata_gpu_list(out, room - 1, n);
    if (status == STRATA_NO_DEVICE) *note = strata_message();
    if (status != STRATA_OK && status != STRATA_NO_DEVICE) return status;
    out[*n] = (strata_device_entry) { .caps = reference_caps(&wide), .type = "reference", .usable = true };
    *n += 1;
    return STRATA_OK;
}

void strata_device_recall(strata_text *out, const strata_device *d, const char *what)
{
    if (d->gpu) strata_gpu_recall(out, d->gpu, what);
}

void strata_device_remember(const strata_device *d, const char *what, const char *text)
{
    if (d->gpu) strata_gpu_remember(d->gpu, what, text);
}

/* ---- Memory -------------------------------------------------------------------------------------- */

static strata_status open_on_cpu(strata_block *out, strata_device *d, uint64_t bytes)
{
    const uint64_t room = (bytes + 255) / 256 * 256;
    if (bytes > d->caps.max_block || d->held + room > d->caps.memory)
        return strata_fail(
            STRATA_DEVICE_MEMORY,
            "%llu bytes of memory asked, %llu already taken, limited to %llu and %llu in one block",
            (unsigned long long)bytes, (unsigned long long)d->held, (unsigned long long)d->caps.memory,
            (unsigned long long)d->caps.max_block);
    /* Slices begin at multiples of STRATA_ALIGN; aligning the block lets the compiler's vectors be, too. */
    void *host = bytes <= SIZE_MAX - 256 ? aligned_alloc(64, room ? (size_t)room : 256) : NULL;
    if (!host)
        return strata_fail(STRATA_DEVICE_MEMORY, "%llu bytes of memory asked, %llu already taken",
                           (unsigned long long)bytes, (unsigned long long)d->held);
    memset(host, 0, room ? (size_t)room : 256);
    d->held += room;
    *out = (strata_block) { .host = host, .bytes = bytes };
    return STRATA_OK;
}

strata_status strata_block_open(strata_block *out, strata_device *d, uint64_t bytes, strata_memory_kind kind)
{
    *out = (strata_block) { 0 };
    return d->gpu ? strata_gpu_block_open(out, d->gpu, bytes, kind) : open_on_cpu(out, d, bytes);
}

void strata_block_close(strata_block *b, strata_device *d)
{
    if (b->device)
        strata_gpu_block_close(b, d->gpu);
    else if (b->host) {
        d->held -= (b->bytes + 255) / 256 * 256;
        free(b->host);
    }
    *b = (strata_block) { 0 };
}

/* A copy of bytes that are not there would write into others' memory: an error of the caller's sums. */
strata_status device_check_inside(strata_slice s, const char *what)
{
    if (s.block && s.offset <= s.block->bytes && s.bytes <= s.block->bytes - s.offset) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG, "%s: %llu bytes at %llu of a block of %llu", what,
                       (unsigned long long)s.bytes, (unsigned long long)s.offset,
                       (unsigned long long)(s.block ? s.block->bytes : 0));
}

strata_status strata_device_write(strata_device *d, strata_slice to, const void *from)
{
    STRATA_TRY(device_check_inside(to, "write to a slice"));
    if (d->gpu) return strata_gpu_write(d->gpu, to, from);
    memcpy(strata_slice_host(to), from, (size_t)to.bytes);
    return STRATA_OK;
}

strata_status strata_device_read(strata_device *d, void *to, strata_slice from)
{
    STRATA_TRY(device_check_inside(from, "read from a slice"));
    if (d->gpu) return strata_gpu_read(d->gpu, to, from);
    memcpy(to, strata_slice_host(from), (size_t)from.bytes);
    return STRATA_OK;
}

static strata_status check_fill(strata_slice to)
{
    STRATA_TRY(device_check_inside(to, "fill a slice"));
    if (to.bytes % 4 || to.offset % 4)
        return strata_fail(STRATA_BAD_ARG, "fill a slice: %llu bytes at %llu, wanted multiples of 4",
                           (unsigned long long)to.bytes, (unsigned long long)to.offset);
    return STRATA_OK;
}

static strata_status fill(strata_device *d, const strata_slice *to, uint32_t n, uint32_t word, bool wait)
{
    for (uint32_t i = 0; i < n; i++) STRATA_TRY(check_fill(to[i]));
    if (d->gpu) return strata_gpu_fill(d->gpu, to, n, word, wait);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *words = strata_slice_host(to[i]);
        for (uint64_t k = 0; k < to[i].bytes / 4; k++) words[k] = word;
    }
    return STRATA_OK;
}

strata_status strata_device_fill_all(strata_device *d, const strata_slice *to, uint32_t n, uint32_t word)
{
    return fill(d, to, n, word, false);
}

strata_status strata_device_fill(strata_device *d, strata_slice to, uint32_t word)
{
    return fill(d, &to, 1, word, true);
}
