/* Decoded pixels on disk: one file for one state of a folder at one size.
 *
 * Its name is a hash of all that the pixels depend on: every file's name, contents, class and part, what
 * could not be read, the size, fit, filter and background. So nothing is ever stale; what no longer has a use
 * is the user's to remove. The file holds the header, the files that failed while they were decoded and why,
 * and from a multiple of 4096 on the pixels of train, then valid. */
#ifndef STRATA_DATA_PIXEL_CACHE_H
#define STRATA_DATA_PIXEL_CACHE_H

#include "data/folder.h"
#include "data/picture.h"

/* What the pixels of a list depend on, when it was scanned. */
uint64_t pixel_cache_key(const image_list *l, const strata_image_set *shape,
                         const strata_picture_style *style);

/* Map the file of that key, give the list's files that failed their `why`, and let the set view the pixels.
 *   shape   h, w and c of the images; at least 1 each
 *   *found  out: false where there is no file, or one that is damaged
 * Errors: STRATA_NO_MEMORY. */
strata_status pixel_cache_open(bool *found, strata_data *data, image_list *l, uint64_t key,
                               const strata_image_set *shape);
void pixel_cache_close(strata_data *data); /* one without is allowed */

/* Write it, the set's pixels and the list's failures, and note its name in the set.
 * Errors: STRATA_FILE (a full disk; no home for caches), STRATA_NO_MEMORY. */
strata_status pixel_cache_write(strata_data *data, image_list *l, uint64_t key);

#endif
