/* Memory for checks of what is no node: parts of one block with guard zones around them; what they hold
 * before a run, and after it on the reference and twice on the judged device. */
#ifndef STRATA_CHECK_GUARDED_H
#define STRATA_CHECK_GUARDED_H

#include "check/judge.h"

enum { GUARDED_PARTS = 16 };

typedef struct guarded {
    const char *const *name; /* [n] of the parts, for messages; borrowed */
    uint32_t n;
    uint64_t offset[GUARDED_PARTS], bytes[GUARDED_PARTS], total;
    char *before; /* [4 total] owned: what every run begins with, and behind it what the runs leave */
    char *want, *got, *again; /* [total] the reference's; the device's; the device's once more */
} guarded;

/* Place parts of so many bytes; `before` is a NaN everywhere.
 *   name, bytes  [n], n up to GUARDED_PARTS
 * Owner: caller; release with guarded_free. */
strata_status guarded_init(guarded *g, const char *const *name, const uint64_t *bytes, uint32_t n);
void guarded_free(guarded *g);

/* Part `i` of the block of a run. */
strata_slice guarded_part(const guarded *g, const strata_block *block, uint32_t i);

/* Run what `record` records over `before`, on the reference and twice on the judged device. */
typedef strata_status guarded_recorder(const void *context, strata_stream *s, const strata_block *block);
strata_status guarded_run(guarded *g, strata_judge *j, const char *label, guarded_recorder *record,
                          const void *context);

/* Say in `why` what changed in `want` and `got` that may not, guard zones included; or that `again` has other
 * bits. Nothing is said where `why` says something already.
 *   may_write  may a run write this word of 32 bits of a part?
 *   why        [room] */
typedef bool guarded_writable(const void *context, uint32_t part, uint64_t word);
void guarded_check_kept(const guarded *g, guarded_writable *may_write, const void *context, char *why,
                        size_t room);
void guarded_check_twice(const guarded *g, char *why, size_t room);

#endif
