/* A picture to draw on: boxes, antialiased lines and text. Coordinates are pixels from the upper left corner;
 * the middle of the first pixel is (0.5, 0.5). Whatever lies outside is left out. */
#ifndef STRATA_SIGHT_CANVAS_H
#define STRATA_SIGHT_CANVAS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t sight_colour; /* 0xRRGGBB */

typedef struct sight_box {
    double left, top, right, bottom;
} sight_box;

typedef struct sight_point {
    double x, y;
} sight_point;

/* Zeroed is empty. */
typedef struct sight_canvas {
    uint32_t w, h;
    uint8_t *pixels; /* [h,w,3] */
    uint8_t *cover;  /* [h,w] scratch, zero between calls */
} sight_canvas;

/* A white canvas of 1 to 16384 pixels on a side.
 * Owner: caller; release with sight_canvas_free. */
strata_status sight_canvas_init(sight_canvas *c, uint32_t w, uint32_t h);
void sight_canvas_free(sight_canvas *c);

/* Fill a box, its edges antialiased. */
void sight_fill(sight_canvas *c, sight_box box, sight_colour colour);

/* Draw a line through points, with round ends and corners. A point that is not finite is a gap; one that
 * stands alone is a dot. It covers every pixel once, however often it passes.
 *   clip   nothing is drawn outside
 *   width  pixels */
void sight_line(sight_canvas *c, sight_box clip, const sight_point *point, size_t n, double width,
                sight_colour colour);

typedef enum sight_shape { SIGHT_DISC, SIGHT_SQUARE, SIGHT_DIAMOND, SIGHT_TRIANGLE } sight_shape;

/* A small figure, white-rimmed, about `size` pixels wide. */
void sight_figurine(sight_canvas *c, sight_point at, sight_shape shape, double size, sight_colour colour);

/* How wide a text (UTF-8) is, in pixels at a size (the height of ascenders and descenders together). */
double sight_text_width(const char *text, double size);

/* Draw a text whose line stands on `y`.
 *   from  x of its left end
 *   room  pixels; a text that is wider is cut and ends in an ellipsis */
void sight_text(sight_canvas *c, sight_point from, double room, const char *text, double size);

/* Write a PNG file, atomically. */
strata_status sight_canvas_write(const sight_canvas *c, const char *path);

/* The same bytes in memory: out [*n], free(). */
strata_status sight_canvas_encode(const sight_canvas *c, uint8_t **out, size_t *n);

#endif
