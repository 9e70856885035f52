/* The labels of pictures as a CSV: a header, then FILE,"LABEL LABEL ..." for each picture, and perhaps a
 * column is_valid. Classes are all labels there are, sorted as bytes compare. */
#ifndef STRATA_DATA_LABELS_H
#define STRATA_DATA_LABELS_H

#include "data/folder.h"

/* A picture's line. */
typedef struct label_row {
    const char *file;  /* as it is written there */
    uint32_t line;     /* of the file */
    uint32_t first, n; /* its labels in the table's list; at least 1 */
    bool valid;        /* where the table says it */
} label_row;

/* Zeroed is empty. All text is the arena's. */
typedef struct label_table {
    const char *path; /* borrowed */
    const char *head; /* the first field of the header */
    label_row *row;   /* [n] */
    uint32_t n, room;
    uint32_t *label; /* [n_labels] classes, those of a row ascending */
    uint32_t n_labels;
    const char **class_name; /* [classes] sorted */
    uint32_t classes;
    bool many;  /* a picture has any number of labels, else all have one */
    bool parts; /* there is a column is_valid */
    strata_arena arena;
} label_table;

/* Read a table.
 * Owner:  caller; release with label_table_free, also after a failure.
 * Errors: STRATA_FILE with file and line: no header, no labels, a label twice, no picture. */
strata_status label_table_read(label_table *out, const char *path);
void label_table_free(label_table *t);

/* Give the pictures of a list the labels of a table, whose texts are copied, and leave out those that it does
 * not name. A picture is named by its path below the folder or the end of that, with or without its ending.
 * Errors: STRATA_FILE with file and line: a picture that is not there or was named before, a name that two
 *         have, a picture where the header should be; STRATA_NO_MEMORY. */
strata_status label_table_apply(const label_table *t, image_list *l);

#endif
