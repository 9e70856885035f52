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

/* On failure the reader's `why` says what of; nothing here lives on the stack across a jump. */
static bool read_all(reader *r, strata_picture *out, bool *taken, const void *bytes, size_t n)
{
    struct jpeg_decompress_struct *c = &r->c;
    if (setjmp(r->jump)) return false;
    jpeg_mem_src(c, bytes, (unsigned long)n);
    jpeg_read_header(c, TRUE);
    if (c->jpeg_color_space == JCS_CMYK || c->jpeg_color_space == JCS_YCCK) return true;
    *taken = true;
    c->out_color_space = c->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(c);
    out->h = c->output_height;
    out->w = c->output_width;
    out->c = (uint32_t)c->output_components;
    out->pixels = malloc((size_t)out->h * out->w * out->c);
    if (!out->pixels) return true; /* the caller says so */
    while (c->output_scanline < c->output_height) {
        JSAMPROW row = out->pixels + (size_t)c->output_scanline * out->w * out->c;
        jpeg_read_scanlines(c, &row, 1);
    }
    jpeg_finish_decompress(c);
    return true;
}

strata_status jpeg_decode(bool *taken, strata_picture *out, const void *bytes, size_t n, const char *name)
{
    const uint8_t *head = bytes;
    strata_status status = STRATA_OK;
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
    if (!read_all(r, out, taken, bytes, n))
        status = strata_fail(STRATA_FILE, "%s is damaged: %s", name, r->why);
    else if (*taken && !out->pixels)
        status = strata_fail(STRATA_NO_MEMORY, "no memory for the %u x %u pixels of %s", out->w, out->h,
                             name);
    jpeg_destroy_decompress(&r->c);
    free(r);
    if (status != STRATA_OK) strata_picture_free(out);
    return status;
}

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)
#ifdef LIBJPEG_TURBO_VERSION
const char *jpeg_decoder(void) { return "libjpeg-turbo " VALUE(LIBJPEG_TURBO_VERSION); }
#else
const char *jpeg_decoder(void) { return "libjpeg " VALUE(JPEG_LIB_VERSION); }
#endif

#endif
