#include "data/jpeg.h"

#ifndef STRATA_JPEG

strata_status jpeg_decode(bool *taken, strata_picture *out, const void *bytes, size_t n, const char *name)
{
    (void)bytes, (void)n, (void)name;
    *taken = false;
    *out = (strata_picture) { 0 };
    return STRATA_OK;
}

const char *jpeg_decoder(void) { return "stb_image"; }

#else

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

typedef struct reader {
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr errors;
    jmp_buf jump;
    JSAMPLE *inks; /* a row of CMYK, owned */
    char why[JMSG_LENGTH_MAX];
} reader;

static void give_up(j_common_ptr c)
{
    reader *r = c->client_data;
    c->err->format_message(c, r->why);
    longjmp(r->jump, 1);
}

/* libjpeg fills up what is missing with grey; a picture that was cut off is an error here. Other warnings are
 * of files that everybody shows. */
static void heed(j_common_ptr c, int level)
{
    if (level < 0 && (c->err->msg_code == JWRN_JPEG_EOF || c->err->msg_code == JWRN_HIT_MARKER)) give_up(c);
}

/* Adobe's programs store what is left white, and say so by a marker; all others the ink. */
static void mix_inks(uint8_t *rgb, const JSAMPLE *inks, uint32_t w, bool adobe)
{
    for (uint32_t x = 0; x < w; x++)
        for (uint32_t k = 0; k < 3; k++) {
            const uint32_t ink = inks[4 * x + k], black = inks[4 * x + 3];
            const uint32_t light = adobe ? ink * black : (255 - ink) * (255 - black);
            rgb[3 * x + k] = (uint8_t)((light + 127) / 255);
        }
}

static bool read_rows(reader *r, strata_picture *out)
{
    struct jpeg_decompress_struct *c = &r->c;
    const bool inks = c->out_color_space == JCS_CMYK;
    out->h = c->output_height;
    out->w = c->output_width;
    out->c = inks ? 3 : (uint32_t)c->output_components;
    out->pixels = malloc((size_t)out->h * out->w * out->c);
    if (inks) r->inks = malloc((size_t)out->w * 4);
    if (!out->pixels || (inks && !r->inks)) return false;
    while (c->output_scanline < c->output_height) {
        uint8_t *pixels = out->pixels + (size_t)c->output_scanline * out->w * out->c;
        JSAMPROW row = inks ? r->inks : pixels;
        jpeg_read_scanlines(c, &row, 1);
        if (inks) mix_inks(pixels, r->inks, out->w, c->saw_Adobe_marker);
    }
    return true;
}

/* On failure the reader's `why` says what of; nothing here lives on the stack across a jump. */
static bool read_all(reader *r, strata_picture *out, bool *enough, const void *bytes, size_t n)
{
    struct jpeg_decompress_struct *c = &r->c;
    if (setjmp(r->jump)) return false;
    jpeg_mem_src(c, bytes, (unsigned long)n);
    jpeg_read_header(c, TRUE);
    const bool inks = c->jpeg_color_space == JCS_CMYK || c->jpeg_color_space == JCS_YCCK;
    const bool grey = c->jpeg_color_space == JCS_GRAYSCALE;
    c->out_color_space = inks ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(c);
    *enough = read_rows(r, out);
    if (*enough) jpeg_finish_decompress(c);
    return true;
}

strata_status jpeg_decode(bool *taken, strata_picture *out, const void *bytes, size_t n, const char *name)
{
    const uint8_t *head = bytes;
    strata_status status = STRATA_OK;
    bool enough = true; /* memory */
    *taken = false;
    *out = (strata_picture) { 0 };
    if (n < 3 || head[0] != 0xff || head[1] != 0xd8 || head[2] != 0xff) return STRATA_OK;
    reader *r = calloc(1, sizeof *r);
    if (!r) return strata_fail(STRATA_NO_MEMORY, "no memory to decode %s", name);
    r->c.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = give_up;
    r->errors.emit_message = heed;
    jpeg_create_decompress(&r->c);
    r->c.client_data = r;
    *taken = true;
    if (!read_all(r, out, &enough, bytes, n))
        status = strata_fail(STRATA_FILE, "%s is damaged: %s", name, r->why);
    else if (!enough)
        status = strata_fail(STRATA_NO_MEMORY, "no memory for the %u x %u pixels of %s", out->w, out->h,
                             name);
    jpeg_destroy_decompress(&r->c);
    free(r->inks);
    free(r);
    if (status != STRATA_OK) strata_picture_free(out);
    return status;
}

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)
#ifdef LIBJPEG_TURBO_VERSION
const char *jpeg_decoder(void) { return "libjpeg-turbo " VALUE(LIBJPEG_TURBO_VERSION) ", inks"; }
#else
const char *jpeg_decoder(void) { return "libjpeg " VALUE(JPEG_LIB_VERSION) ", inks"; }
#endif

#endif
