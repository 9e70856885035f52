/* Folders of pictures: which files there are, what is in them, and their pixels.
 *
 * Three passes: the list (names alone), the scan (contents: hash, size, readable or not) and the load
 * (pixels). The last two run on several threads; every result is kept by the file's place in the list, so
 * that nothing depends on their number. A file that fails in one pass is not looked at in the next. */
#ifndef STRATA_DATA_FOLDER_H
#define STRATA_DATA_FOLDER_H

#include "data/source.h"

typedef struct image_file {
    const char *path, *name; /* to open it; below the set's folder, for people */
    const char *why;         /* it was left out; NULL: it was not */
    uint32_t label;          /* 0 in a list of many */
    bool valid;
    const uint32_t *labels; /* [n_labels] ascending, of a list by a CSV, whose line it is */
    uint32_t n_labels, line;
    uint32_t h, w, c;     /* of the picture, upright */
    uint64_t bytes, hash; /* XXH64 of what is in the file */
    bool seen;            /* the scan went well */
} image_file;

/* Zeroed is empty. All text is the arena's. */
typedef struct image_list {
    const char *folder; /* borrowed */
    image_file *file;   /* [n] train before valid, each by class and name, as bytes compare */
    uint32_t n, room;
    const char **class_name; /* [classes], sorted likewise */
    uint32_t classes;
    bool many;             /* a picture has any number of labels */
    bool drawn;            /* no folder and no column says which are for validation */
    const char *labels;    /* the CSV they are from, which is no other file; NULL: folders are classes */
    strata_skipped *other; /* [n_other] files of types that are not read, one row for each ending, and a row
                              of those that the CSV does not name */
    uint32_t n_other, room_other;
    strata_arena arena;
} image_list;

/* Does the folder have folders in it that could be parts or classes? */
bool pictures_found(const char *folder);

/* Is a CSV of labels given, or in the folder? */
bool labels_found(const char *folder, const strata_data_config *config);

/* List the files of an image folder.
 * Owner:  caller; release with image_list_free, also after a failure.
 * Errors: STRATA_FILE (a folder that cannot be read; a class that only the validation part has; no
 *         picture; what a CSV of labels gets wrong). */
strata_status image_list_make(image_list *out, const char *folder, const strata_data_config *config);
void image_list_free(image_list *l);

/* Note files that the CSV at `path` does not name, the first of which is `first`. */
strata_status image_list_leave_out(image_list *l, const char *first, uint32_t files, const char *path);

/* What became of each file in a pass over several threads. */
typedef struct image_outcome {
    strata_status status;
    char *why; /* a copy of its thread's message */
} image_outcome;

/* Call work(context, i) for each file; it returns what the file came to. Files that fail get a `why`.
 * Errors: STRATA_NO_MEMORY, also where a file failed for it: that is not the file's fault. */
strata_status image_list_each(image_list *l, uint32_t threads,
                              strata_status (*work)(void *context, uint32_t i), void *context);

/* Look at every file's contents. Files that are no pictures get a `why`. */
strata_status image_list_scan(image_list *l, const strata_data_config *config);

/* Fill a set from a folder of pictures: all of train, valid, names, files and what was skipped. */
strata_status pictures_load(strata_data *data, const char *folder, const strata_data_config *config);

#endif
