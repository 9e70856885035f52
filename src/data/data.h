/* Labelled images in memory: opened whole from a built-in set, a folder of IDX files, CIFAR-10's binary
 * files, or a folder of pictures.
 *
 * Everything is checked here, so that later stages trust it: counts, shapes and labels are as the structs
 * say. */
#ifndef STRATA_DATA_DATA_H
#define STRATA_DATA_DATA_H

#include "core/arena.h"
#include "core/status.h"
#include "strata/data.h"

#include <stddef.h>
#include <stdint.h>

/* n images and a label for each, or a set of them. A view: the strata_data that holds it owns the memory. */
typedef struct strata_image_set {
    uint32_t n, h, w, c;    /* n >= 1 (valid: >= 0); c is 1 or 3 */
    uint32_t classes;       /* 1 .. 65536 */
    const uint8_t *pixels;  /* [n,h,w,c] 0 .. strata_data.scale */
    const int32_t *labels;  /* [n], each in [0, classes); NULL: images have any number of classes */
    const uint8_t *targets; /* [n,classes] 1 for those an image has, else 0; NULL: `labels` says all */
    const char *const *class_names; /* [classes] UTF-8 as the files have it */
} strata_image_set;

struct strata_data {               /* see strata/data.h */
    char name[64];                 /* what to call it: "digits", "fashion-mnist", the folder's name */
    strata_image_set train, valid; /* equal in h, w, c and classes */
    float scale;                   /* pixel / scale is in [0, 1]: 255, or 16 for builtin:digits */
    float mean[4], std[4]; /* of each channel of train, of pixels scaled to [0, 1]; std of a channel with one
                              value throughout is 1, so that dividing by it is safe; channels >= c: 0 and 1 */
    uint32_t seen_h, seen_w; /* what a network takes of an image: its middle, in training a part; 0: all */
    uint8_t background[4];   /* of channels < c: what lies around an image; black, of a folder of pictures its
                              config's */
    uint64_t contents;       /* XXH64 of shapes, pixels and labels of both sets, however they are packed */
    uint64_t fingerprint;    /* of these and the names of the classes */
    const struct image_file *file[2]; /* [n] of train and of valid: where each image is from; NULL: no file */
    const strata_skipped *skipped;    /* [n_skipped] */
    uint32_t n_skipped;
    bool drawn;           /* the config parts the images: nothing else does */
    const char *lost;     /* why the first picture of the validation part was left out; NULL: none was */
    const char *cache;    /* see strata_data_info */
    const char *uncached; /* why a set that wanted a cache file is in memory without one; NULL: else */
    struct {              /* what the views point to; for strata_data_close alone */
        uint8_t *pixels[2];
        int32_t *labels[2];
        uint8_t *targets[2];
        const char **class_names;
        void *mapped; /* [mapped_bytes] the file that pixels are in; NULL: they are owned.pixels */
        size_t mapped_bytes;
        strata_arena arena; /* files and what was skipped */
    } owned;
};

/* Is it an image of class k? */
static inline bool strata_image_is(const strata_image_set *set, uint32_t image, uint32_t k)
{
    return set->targets ? set->targets[(size_t)image * set->classes + k] != 0
                        : (uint32_t)set->labels[image] == k;
}

/* An image's first class from k on; set->classes: there is none. */
static inline uint32_t strata_image_class(const strata_image_set *set, uint32_t image, uint32_t k)
{
    if (!set->targets) return (uint32_t)set->labels[image] >= k ? (uint32_t)set->labels[image] : set->classes;
    while (k < set->classes && !strata_image_is(set, image, k)) k++;
    return k;
}

#endif
