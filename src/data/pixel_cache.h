/* Decoded pixels on disk: one file for one state of a folder at one size.
 *
 * Its name is a hash of all that the pixels depend on: every file's name, contents, class and part, what
 * could not be read, the size, fit, filter and background. So nothing is ever stale; what no longer has a use
 * is the user's to remove. The file holds the header in a page of 4096 bytes, the pixels of train, then of
 * valid, and the files that failed while they were decoded and why. */
#ifndef STRATA_DATA_PIXEL_CACHE_H
#define STRATA_DATA_PIXEL_CACHE_H

#include "core/file.h"
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

/* Bytes of pixels that are better mapped from a file than held: 16 GiB, or half of the memory. */
uint64_t pixel_cache_threshold(void);

/* A file that is being made, of which what is written to `pixels` becomes a part. Zeroed is closed. */
typedef struct pixel_cache_maker {
    uint8_t *pixels; /* [images,h,w,c] */
    uint8_t *mapped; /* [bytes] */
    size_t bytes;
    strata_image_set shape;
    uint64_t key;
    strata_file_writer file;
} pixel_cache_maker;

/* Take room on disk for the pixels of so many images of a shape. Whatever follows, end with commit or
 * abandon. Errors: STRATA_FILE (a full disk; no folder for caches, or one that cannot be written). */
strata_status pixel_cache_begin(pixel_cache_maker *m, const strata_image_set *shape, uint64_t images,
                                uint64_t key);

/* Bring the file to the disk, with the pixels of the set's train.n and valid.n images, which stand first, and
 * the list's failures; let the set view them, and note the file's name in it. The maker is closed afterwards.
 * Errors: STRATA_FILE, STRATA_NO_MEMORY. */
strata_status pixel_cache_commit(pixel_cache_maker *m, strata_data *data, image_list *l);
void pixel_cache_abandon(pixel_cache_maker *m); /* a closed one is allowed */

#endif
