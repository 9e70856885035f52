/* Data sets: labelled images in memory. */
#ifndef STRATA_DATA_H
#define STRATA_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct strata_data strata_data;

/* How a picture of another shape becomes one of the wanted size. */
typedef enum strata_fit {
    STRATA_FIT_CROP,    /* scaled until it covers the size, the middle taken: Resize and CenterCrop */
    STRATA_FIT_STRETCH, /* scaled to the size, its shape not kept */
    STRATA_FIT_PAD      /* scaled until it fits into the size, the background around it */
} strata_fit;

typedef enum strata_filter {
    STRATA_FILTER_BILINEAR, /* a triangle as wide as the shrinkage */
    STRATA_FILTER_BICUBIC   /* Keys's cubic of a = -0.5, likewise */
} strata_filter;

/* Pixels that were made already: a file under $XDG_CACHE_HOME/strata (else $HOME/.cache/strata), mapped into
 * memory, that is for these contents of these files at this size, fitted in this way, and no others. */
typedef enum strata_cache_use {
    STRATA_CACHE_READ, /* taken where there is one; made only for a set that is too large for memory */
    STRATA_CACHE_NONE,
    STRATA_CACHE_WRITE /* made where there is none, then taken */
} strata_cache_use;

/* How the pictures of an image folder are read; all-zero is valid. Other sets look at none of it. */
typedef struct strata_data_config {
    uint32_t h, w;     /* pixels; 0: the pictures' own size where all of them have one, else 64 x 64 */
    uint32_t channels; /* 1 or 3; 0: 1 where all pictures are grey, else 3 */
    strata_fit fit;
    strata_filter filter;
    bool background_set;   /* else white */
    uint8_t background[3]; /* RGB, under what is transparent and around what is padded */
    uint64_t max_pixels;   /* a picture that has more is skipped; 0: 25,000,000 */
    double valid_fraction; /* for validation, where no folder is for it, below 1: by a hash
                              of a picture's path in the set and seed; 0: 0.2; below 0: none */
    bool valid_by_name;    /* by the file's name alone instead: those of one name stay together */
    uint64_t seed;
    uint32_t threads; /* that decode; 0: all cores but one, at least one */
    strata_cache_use cache;
    uint64_t memory; /* bytes of pixels to hold at most: a set of more is decoded into a cache file and mapped
                        from there, or where no file can be made held all the same, up to half as many more;
                        0: 16 GiB, or half of the memory where that is less */
    const char *labels; /* a CSV file of the pictures' labels; "none": folders are classes; NULL or "":
                           labels.csv or train.csv in the folder, else none */
} strata_data_config;

/* Open a data set.
 *   source  "builtin:digits" (UCI handwritten digits, 8x8, in the library), a folder of IDX files, gzipped
 *           or not (MNIST, Fashion-MNIST), a CIFAR-10 binary folder, or an image folder:
 *           train/CLASS/FILE and valid/CLASS/FILE (or val, or test), or CLASS/FILE alone; a FILE may lie
 *           deeper. PNG and JPEG (turned as their Exif orientation says), BMP, GIF (the first frame), TGA,
 *           PGM and PPM are read. Pictures that cannot be read and files of other types are skipped, and
 *           described
 *   config  NULL: all defaults
 * Labels may be in a CSV file: a header, then lines FILE,"LABEL LABEL ...", where FILE is a picture's path
 * below the folder or the end of it, with or without its ending; and perhaps a column is_valid. Classes are
 * all labels, sorted. Where a line has several the set is of any number of labels an image.
 * The images of an image folder are in the order of class and file name, whatever the number of threads.
 * Owner:  caller; release with strata_data_close. On failure *out is NULL.
 * Errors: STRATA_BAD_ARG (no such built-in set, a size that is none), STRATA_FILE (missing, damaged,
 *         mislabelled: by name; no picture left), STRATA_NO_MEMORY. */
STRATA_API strata_status strata_data_load(strata_data **out, const char *source,
                                          const strata_data_config *config);
STRATA_API strata_status strata_data_open(strata_data **out, const char *source); /* by all defaults */
STRATA_API void strata_data_close(strata_data *data);                             /* NULL is allowed */

/* What of an image folder was left out. */
typedef struct strata_skipped {
    const char *file; /* its path below the folder; of files of other types the first */
    const char *why;  /* a whole line, which names it */
    uint32_t files;   /* how many: 1 of a picture that cannot be read */
} strata_skipped;

typedef struct strata_data_info {
    const char *name;
    uint32_t train, valid; /* images */
    uint32_t h, w, c, classes;
    const char *const *class_names; /* [classes] */
    uint64_t fingerprint;           /* of shapes, pixels, labels and class names */
    const strata_skipped *skipped;  /* [n_skipped] in the order of their names */
    uint32_t n_skipped;
    const char *cache; /* the file that the pixels are mapped from; NULL: they are in memory */
    bool multi_label;  /* an image has any number of classes */
} strata_data_info;

/* What a data set holds; pointers are borrowed from it. */
STRATA_API strata_data_info strata_data_describe(const strata_data *data);

/* Two images with one content: files of an image folder byte for byte, else pixels. */
typedef struct strata_duplicate {
    uint32_t train, valid;               /* numbers of the images, the first of their content in each part */
    const char *train_file, *valid_file; /* below the folder; NULL: the set has no files */
} strata_duplicate;

/* What to know of a set before training on it. */
typedef struct strata_data_report {
    const uint32_t *class_train, *class_valid; /* [classes] images that have it */
    uint32_t h_least, h_most, w_least, w_most; /* of the pictures as their files have them */
    float mean[4], std[4];                     /* [c] of train, of pixels in [0, 1] */
    const strata_duplicate *duplicate;         /* [n_duplicates] contents that are in both parts */
    uint32_t n_duplicates;
    uint32_t repeats; /* images of train whose content an earlier one has */
    void *memory;     /* of all that */
} strata_data_report;

/* Look through a set. Owner: caller; release with strata_data_report_free. Errors: STRATA_NO_MEMORY. */
STRATA_API strata_status strata_data_look(strata_data_report *out, const strata_data *data);
STRATA_API void strata_data_report_free(strata_data_report *report);

/* Images of a set as a trainer takes them.
 *   valid    false: the training part, in file order; true: the validation part
 *   pixels   out: [count, h, w, c] f32, normalised by the training part's mean and standard deviation of
 *            each channel
 *   labels   out: [count]; of a set with any number of labels an image [count, classes], 0 or 1
 * Errors: STRATA_BAD_ARG when first + count exceeds the part. */
STRATA_API strata_status strata_data_images(const strata_data *data, int valid, uint32_t first,
                                            uint32_t count, float *pixels, int32_t *labels);

#ifdef __cplusplus
}
#endif
#endif
