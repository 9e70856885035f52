/* What the readers of data files share: bytes from a file, gzipped or not, and the filling of a strata_data.
 */
#ifndef STRATA_DATA_SOURCE_H
#define STRATA_DATA_SOURCE_H

#include "data/data.h"

#include <stdbool.h>
#include <stddef.h>
#define ZLIB_CONST /* input that is only read */
#include <zlib.h>

/* ---- Bytes of one file, in order, inflated on the way if they are gzipped. Zeroed is closed. ---- */

typedef struct byte_reader {
    const char *path;           /* borrowed: for messages */
    char *file;                 /* the whole file; NULL if the bytes are borrowed */
    const unsigned char *bytes; /* [n] as stored */
    size_t n, at;               /* `at`: stored bytes used up */
    uint64_t taken;             /* bytes handed out */
    bool packed, ended;         /* `ended`: the packed stream is complete */
    z_stream stream;
} byte_reader;

/* Read the file at `path`; gzip is known by its first two bytes, not by its name. `path` must outlive the
 * reader. */
strata_status byte_reader_open(byte_reader *r, const char *path);

/* Read zlib-packed bytes from memory, which must outlive the reader as `name` must. */
strata_status byte_reader_view(byte_reader *r, const void *bytes, size_t n, const char *name);

/* Hand out the next [n] bytes.
 *   what    names them in messages, "the pixels"
 * Errors: STRATA_FILE (fewer came, or the gzip stream is damaged). */
strata_status byte_reader_take(byte_reader *r, void *out, size_t n, const char *what);

/* The most bytes that can still come, by what is stored: bounds what a lying header can make us allocate. */
uint64_t byte_reader_most(const byte_reader *r);

/* Check that nothing follows and that the gzip checksum is right. */
strata_status byte_reader_end(byte_reader *r);

void byte_reader_close(byte_reader *r);

/* ---- Filling a strata_data. `part` is 0 for train, 1 for valid. ---- */

/* The most bytes of pixels that one set may have, 16 GiB where addresses allow it. */
#define DATA_MOST_BYTES (SIZE_MAX / 4 < ((uint64_t)1 << 34) ? SIZE_MAX / 4 : ((uint64_t)1 << 34))

/* Allocate pixels and labels for `shape` (n, h, w, c are read) and let the set view them. */
strata_status data_reserve(strata_data *data, int part, const strata_image_set *shape);

/* Check [n] labels of one byte, the first being image `first` of `part`, and store them.
 * Errors: STRATA_FILE naming `path`, the image and the label, if one is not below the number of classes. */
strata_status data_store_labels(strata_data *data, int part, size_t first, const uint8_t *labels, size_t n,
                                const char *path);

/* Name the classes, one a line in `text`, and so fix their number. Call it before the labels are stored.
 *   path  for messages */
strata_status data_name_classes(strata_data *data, const char *text, const char *path);

/* Name the classes after the lines of folder/name if that file exists; *found tells. */
strata_status data_read_classes(strata_data *data, const char *folder, const char *name, bool *found);

/* ---- The readers. Each fills train, valid, scale and the class names, and leaves the rest. ---- */

strata_status digits_load(strata_data *data);

/* Does the folder hold a file that this reader would take? */
bool idx_found(const char *folder);
bool cifar_found(const char *folder);

/* *named: out: whether classes.txt named the classes. */
strata_status idx_load(strata_data *data, const char *folder, bool *named);
strata_status cifar_load(strata_data *data, const char *folder);

#endif
