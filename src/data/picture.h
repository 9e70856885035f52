/* Single pictures: decoded by stb_image (PNG, JPEG, BMP, GIF, TGA, PNM), fitted to a model's input, and
 * written as PNG. */
#ifndef STRATA_DATA_PICTURE_H
#define STRATA_DATA_PICTURE_H

#include "core/status.h"
#include "strata/data.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty. */
typedef struct strata_picture {
    uint8_t *pixels;  /* [h,w,c] 0 .. 255; owned */
    uint32_t h, w, c; /* c: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
} strata_picture;

/* Decode the picture at `path`; 16-bit samples become 8-bit, palettes become RGB, of a GIF the first frame is
 * taken, JPEG and PNG are turned as their Exif orientation says.
 * Owner:  caller; release with strata_picture_free. On failure *out is empty.
 * Errors: STRATA_FILE
 * (unreadable, damaged, of another type, or above 2^26 pixels), STRATA_NO_MEMORY. */
strata_status strata_picture_read(strata_picture *out, const char *path);

/* The same of [n] bytes in memory; `name` is for messages. */
strata_status strata_picture_decode(strata_picture *out, const void *bytes, size_t n, const char *name);

/* The size and channels that decoding would give, without pixels. Same errors, as far as a header tells. */
strata_status strata_picture_look(strata_picture *out, const void *bytes, size_t n, const char *name);

/* Release the pixels and leave it empty. An empty picture is allowed. */
void strata_picture_free(strata_picture *picture);

/* How a picture is brought to a size. */
typedef struct strata_picture_style {
    strata_fit fit;
    strata_filter filter;
    uint8_t background[3]; /* RGB */
} strata_picture_style;

/* Copy a picture into another size and colour.
 *   pixels   out: [h,w,c] 0 .. 255
 *   h_w_c    wanted size, each >= 1. Antialiased, with Pillow's arithmetic for BILINEAR and BICUBIC, to the
 *            bit; what it is scaled to before it is cropped is what torchvision's Resize makes of it.
 *            Wanted channels: 1 (luma of ITU-R 601) or 3 (grey is repeated); alpha is laid over the
 *            background first
 *   picture  not empty
 * Errors: STRATA_BAD_ARG (channels), STRATA_BAD_SHAPE (so long and thin that cropping it takes above 2^30
 *         samples), STRATA_NO_MEMORY. */
strata_status strata_picture_fit_as(uint8_t *pixels, const uint32_t h_w_c[3], const strata_picture *picture,
                                    const strata_picture_style *style);

/* A style's background as a stored pixel of 1 or 3 channels. */
void strata_picture_ground(uint8_t *pixel, uint32_t channels, const strata_picture_style *style);

/* The same, stretched, bilinear, over white. */
strata_status strata_picture_fit(uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c,
                                 const strata_picture *picture);

/* A picture as PNG.
 *   out   out: [*n] bytes; free()
 * Errors: STRATA_BAD_ARG (above 2^30 samples), STRATA_NO_MEMORY. */
strata_status strata_picture_encode(uint8_t **out, size_t *n, const strata_picture *picture);

/* Write a PNG file, atomically. */
strata_status strata_picture_write(const strata_picture *picture, const char *path);

#endif
