/* A run folder: what a run leaves behind, as it goes.
 *
 *   recipe.yaml   every key, resolved; itself a valid recipe
 *   run.json      version, command, device, data, variants of every launch, times, status
 *   metrics.csv   a row per epoch
 *   confusion.csv which class was taken for which, when best.safetensors was written
 *   steps.jsonl   an object per logged step
 *   rates.csv     every row of every step, with --log-rates
 *   log.txt       what was said
 *   run.lock      while a process writes in the folder; what a killed one left locks nothing
 *   checkpoints/  last.safetensors, best.safetensors (weights), last.state.safetensors (to resume) */
#ifndef STRATA_TRAIN_FOLDER_H
#define STRATA_TRAIN_FOLDER_H

#include <jansson.h>

#include "core/file.h"
#include "core/lock.h"
#include "strata/train.h"
#include "train/trainer.h"

typedef struct run_folder {
    char *path;
    strata_log metrics, steps, rates, text; /* rates: closed unless --log-rates */
    json_t *run;                            /* run.json's content; owned */
    strata_lock lock;
} run_folder;

/* Make the folder (`overwrite` removes what a run left there), lock it, write recipe.yaml and run.json.
 *   path  NULL or "": runs/DATE_TIME-MODEL-DATA
 * Errors: STRATA_BAD_ARG where the folder exists and is not empty, or holds no run to overwrite; STRATA_FILE
 *         where another process has it. */
strata_status folder_make(run_folder *out, const strata_recipe *r, const char *data_name,
                          const char *command);

/* Would folder_make be refused because of what is at --run-dir? Errors: STRATA_BAD_ARG, STRATA_FILE. */
strata_status folder_check(const strata_recipe *r);

/* Open the folder of an earlier run: locks it, reads run.json; folder_cut cuts the logs back to what lies
 * before `step` and opens them to append; before step 0 lies nothing, and folder_begin_logs follows.
 *   added  out: appended columns of metrics.csv that rows so far do not have: see columns_fit
 * Errors: STRATA_FILE, also where another process has the folder. */
strata_status folder_reopen(run_folder *out, const char *path);
strata_status folder_cut(run_folder *f, const strata_trainer *t, uint64_t step, strata_text *added);
void folder_close(run_folder *f);

/* Remove what the run wrote and the folder, if it then is empty: a run that never began leaves nothing. */
void folder_discard(run_folder *f);

/* "<folder>/<name>". Owner: caller; free(). NULL without memory. */
char *folder_file(const run_folder *f, const char *name);

/* Write run.json anew, with `status` ("started", "running", "finished", "interrupted", "failed") and `why`
 * ("" or the message), which take the place of an earlier sitting's. */
strata_status folder_status(run_folder *f, const char *status, const char *why);

/* Note device, data and every launch of the trainer's recordings in run.json (written by the next
 * folder_status). */
strata_status folder_describe(run_folder *f, strata_trainer *t, const strata_data_info *data);

/* Start the logs of a new run: the header of metrics.csv and of rates.csv. */
strata_status folder_begin_logs(run_folder *f, const strata_trainer *t);

/* A logged step: rates [n_groups], and the update ratios of its layers if it was measured. */
strata_status folder_step(run_folder *f, const trainer_result *r, const strata_event *e, double momentum);
/* Something that rates depend on, before `step`. */
typedef struct folder_happening {
    uint64_t step;
    const char *what; /* "freeze", "unfreeze", "record", "change", "trigger", "metric", "reduce" */
    const char *key;  /* "group" or "metric": what `name` is of; NULL: neither */
    const char *name;
    const char *value_key; /* "frozen_nodes", "value" */
    double value;
} folder_happening;
strata_status folder_event(run_folder *f, const folder_happening *e);
strata_status folder_rates(run_folder *f, const strata_trainer *t, uint64_t step);
strata_status folder_epoch(run_folder *f, const strata_event *e);

/* Write confusion.csv, where an image has one label and there are at most 1000 classes. */
strata_status folder_confusion(const run_folder *f, const strata_score *s);

#endif
