#include "train/folder.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commit.h" /* of the build */
#include "core/text.h"
#include "train/columns.h"
#include "train/keep.h"
#include "train/recipe.h"

enum { MOST_CONFUSED = 1000 }; /* classes: a table of megabytes at each better epoch helps nobody */

static strata_status no_memory(void)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for the run folder's records");
}

char *folder_file(const run_folder *f, const char *name)
{
    char *path = NULL;
    return strata_path_join(&path, f->path, name) == STRATA_OK ? path : NULL;
}

static void timestamp(char out[32])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* Names of files and classes can hold bytes that JSON cannot. */
static json_t *any_text(const char *s)
{
    strata_text t = { 0 };
    strata_text_utf8(&t, s);
    json_t *value = t.failed ? NULL : json_string(t.s ? t.s : "");
    strata_text_free(&t);
    return value;
}

static void set_text(json_t *o, const char *key, const char *value)
{
    json_object_set_new(o, key, any_text(value));
}

/* ---- Making and opening ------------------------------------------------------------------------ */

static strata_status is_anothers(const char *path, long process)
{
    char number[48] = "";
    if (process > 0) snprintf(number, sizeof number, ", process %ld,", process);
    return strata_fail(STRATA_FILE, "%s: another strata%s writes this run: wait for it, or stop it", path,
                       number);
}

/* Two processes that write one run would leave a mixture of both. */
static strata_status lock(run_folder *f)
{
    long other;
    char *path = folder_file(f, "run.lock");
    if (!path) return no_memory();
    const bool got = strata_lock_take(&f->lock, path, &other);
    free(path);
    return got ? STRATA_OK : is_anothers(f->path, other);
}

/* Of a folder that is no run, or not yet: nothing is changed in it. */
static strata_status check_begun(const char *path)
{
    const run_folder f = { .path = (char *)(uintptr_t)path };
    long other;
    char *file = folder_file(&f, "run.lock");
    if (!file) return no_memory();
    const bool held = strata_lock_held(file, &other);
    free(file);
    return held ? is_anothers(path, other) : STRATA_OK;
}

/* As `lock`, and let it go again. */
static strata_status check_lock(const char *path)
{
    run_folder f = { .path = (char *)(uintptr_t)path };
    STRATA_TRY(lock(&f));
    strata_lock_release(&f.lock);
    return STRATA_OK;
}

static const char *const files[] = { "recipe.yaml",
                                     "run.json",
                                     "metrics.csv",
                                     "confusion.csv",
                                     "steps.jsonl",
                                     "rates.csv",
                                     "log.txt",
                                     "checkpoints/last.safetensors",
                                     "checkpoints/best.safetensors",
                                     "checkpoints/last.state.safetensors" };

/* --overwrite removes what a run writes, and nothing else: a mistyped folder loses nothing. */
static strata_status sweep(const run_folder *f)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = folder_file(f, files[i]);
        if (!path) return no_memory();
        unlink(path);
        free(path);
    }
    keep_sweep(f);
    return keep_prune(f, 0);
}

static strata_status choose_path(run_folder *f, const strata_recipe *r, const char *data_name)
{
    const char *given = strata_recipe_get(r, "run-dir");
    char made[256], when[32];
    if (!*given) {
        char *model = NULL;
        time_t now = time(NULL);
        struct tm local;
        localtime_r(&now, &local);
        strftime(when, sizeof when, "%Y-%m-%d_%H%M%S", &local);
        STRATA_TRY(strata_path_name(&model, strata_recipe_get(r, "model")));
        snprintf(made, sizeof made, "runs/%s-%s-%s", when, model, data_name);
        const size_t end = strlen(made);
        for (unsigned i = 2; strata_path_exists(made) && i < 1000; i++) /* begun in the same second */
            snprintf(made + end, sizeof made - end, "-%u", i);
        free(model);
        given = made;
    }
    f->path = strdup(given);
    return f->path ? STRATA_OK : no_memory();
}

static strata_status save_json(const run_folder *f)
{
    char *path = folder_file(f, "run.json");
    char *text = json_dumps(f->run, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    strata_status status = path && text ? strata_file_write(path, text, strlen(text)) : no_memory();
    free(text);
    free(path);
    return status;
}

static strata_status start_json(run_folder *f, const char *command)
{
    char when[32];
    f->run = json_object();
    if (!f->run) return no_memory();
    timestamp(when);
    set_text(f->run, "strata", STRATA_VERSION);
    set_text(f->run, "commit", STRATA_COMMIT);
    set_text(f->run, "command", command ? command : "");
    set_text(f->run, "started", when);
    return folder_status(f, "started", "");
}

/* A recipe, which is the first file of a run, beside one of the others. */
static strata_status is_run(bool *out, const char *path)
{
    static const char *const names[] = { "recipe.yaml", "run.json", "checkpoints" };
    const run_folder f = { .path = (char *)(uintptr_t)path };
    bool found[3];
    for (int i = 0; i < 3; i++) {
        char *file = folder_file(&f, names[i]);
        if (!file) return no_memory();
        found[i] = strata_path_exists(file);
        free(file);
    }
    *out = found[0] && (found[1] || found[2]);
    return STRATA_OK;
}

/* Files that are no run are left alone, unless another process has just begun to make a run of them. */
static strata_status check_other(const char *path, bool overwrite)
{
    STRATA_TRY(check_begun(path));
    return strata_fail(STRATA_BAD_ARG, "--run-dir %s holds files and no run%s: name another", path,
                       overwrite ? ", which is all that --overwrite replaces" : "");
}

strata_status folder_check(const strata_recipe *r)
{
    const char *path = strata_recipe_get(r, "run-dir");
    if (!*path) return strata_folder_check("runs");
    if (!strata_path_exists(path)) return strata_folder_check(path);
    if (!strata_folder_exists(path))
        return strata_fail(STRATA_BAD_ARG, "--run-dir %s is there and no folder: name another", path);
    if (strata_folder_empty(path)) return strata_folder_check(path);
    const bool overwrite = recipe_flag(r, "overwrite");
    bool run = false;
    STRATA_TRY(is_run(&run, path));
    if (!run) return check_other(path, overwrite);
    STRATA_TRY(check_lock(path));
    if (overwrite) return strata_folder_check(path);
    return strata_fail(STRATA_BAD_ARG,
                       "--run-dir %s holds a run: name another, continue it with --resume, or replace it "
                       "with --overwrite",
                       path);
}

strata_status folder_make(run_folder *f, const strata_recipe *r, const char *data_name, const char *command)
{
    strata_status status = STRATA_OK;
    char *checkpoints = NULL, *recipe = NULL;
    bool ours = false; /* what is in the folder now was put there here */
    *f = (run_folder) { 0 };
    STRATA_GO(choose_path(f, r, data_name));
    STRATA_GO(folder_check(r));
    const bool full = strata_path_exists(f->path) && !strata_folder_empty(f->path);
    STRATA_GO(strata_folder_make(f->path));
    STRATA_GO(lock(f));
    if (full) STRATA_GO(sweep(f));
    checkpoints = folder_file(f, "checkpoints");
    recipe = folder_file(f, "recipe.yaml");
    if (!checkpoints || !recipe) STRATA_GO(no_memory());
    ours = true;
    STRATA_GO(strata_folder_make(checkpoints));
    STRATA_GO(strata_recipe_save(r, recipe));
    STRATA_GO(start_json(f, command));
done:
    free(checkpoints);
    free(recipe);
    if (status != STRATA_OK && ours) folder_discard(f);
    if (status != STRATA_OK) folder_close(f);
    return status;
}

void folder_discard(run_folder *f)
{
    char *checkpoints = folder_file(f, "checkpoints");
    if (checkpoints && sweep(f) == STRATA_OK) {
        strata_lock_release(&f->lock);
        rmdir(checkpoints); /* each stays where it holds something else */
        rmdir(f->path);
    }
    free(checkpoints);
}

strata_status folder_reopen(run_folder *f, const char *path)
{
    strata_status status = STRATA_OK;
    json_error_t error;
    char *json = NULL;
    *f = (run_folder) { 0 };
    if (!strata_folder_exists(path))
        return strata_fail(STRATA_FILE,
                           strata_path_exists(path) ? "%s is no folder: wanted that of a run"
                                                    : "%s: there is no such run folder",
                           path);
    f->path = strdup(path);
    json = f->path ? folder_file(f, "run.json") : NULL;
    if (!json) STRATA_GO(no_memory());
    if (!strata_path_exists(json))
        STRATA_GO(strata_fail(STRATA_FILE, "%s: not a run folder: it has no run.json", path));
    STRATA_GO(lock(f));
    f->run = json_load_file(json, 0, &error);
    if (!f->run && error.line < 0) STRATA_GO(strata_fail(STRATA_FILE, "%s", error.text));
    if (!f->run || !json_is_object(f->run))
        STRATA_GO(strata_fail(STRATA_FILE, "%s:%d: not a run's record: %s", json, f->run ? 1 : error.line,
                              f->run ? "wants an object" : error.text));
done:
    free(json);
    if (status != STRATA_OK) folder_close(f);
    return status;
}

void folder_close(run_folder *f)
{
    strata_log_close(&f->metrics);
    strata_log_close(&f->steps);
    strata_log_close(&f->rates);
    strata_log_close(&f->text);
    if (f->run) json_decref(f->run);
    strata_lock_release(&f->lock);
    free(f->path);
    *f = (run_folder) { 0 };
}

/* ---- Logs ------------------------------------------------------------------------------------- */

static strata_status open_log(run_folder *f, strata_log *log, const char *name)
{
    char *path = folder_file(f, name);
    strata_status status = path ? strata_log_open(log, path) : no_memory();
    free(path);
    return status;
}

static strata_status open_logs(run_folder *f, bool rates)
{
    STRATA_TRY(open_log(f, &f->metrics, "metrics.csv"));
    STRATA_TRY(open_log(f, &f->steps, "steps.jsonl"));
    STRATA_TRY(open_log(f, &f->text, "log.txt"));
    return rates ? open_log(f, &f->rates, "rates.csv") : STRATA_OK;
}

static strata_status metrics_header(strata_text *line, const strata_trainer *t)
{
    const strata_model *m = t->main.model;
    strata_text_format(line, "epoch,step,time_s,train_loss,valid_loss,valid_top1,valid_top5");
    for (uint32_t g = 0; g < m->n_groups; g++) strata_text_format(line, ",lr_%s", m->group_name[g]);
    strata_text_format(line, ",images_per_s");
    for (uint32_t i = 0; i < t->ratios.n_layers; i++)
        strata_text_format(line, ",update_%s", t->ratios.layer_name[i]);
    strata_text_format(line, ",valid_f_macro,valid_f_micro,valid_f_samples,valid_map,events");
    return line->failed ? no_memory() : STRATA_OK;
}

strata_status folder_begin_logs(run_folder *f, const strata_trainer *t)
{
    strata_text line = { 0 };
    strata_status status = STRATA_OK;
    STRATA_GO(open_logs(f, recipe_flag(t->recipe, "log-rates")));
    STRATA_GO(metrics_header(&line, t));
    STRATA_GO(strata_log_line(&f->metrics, line.s));
    if (f->rates.file)
        STRATA_GO(strata_log_line(
            &f->rates, "step,parameter,lr,momentum,beta2,eps,weight_decay,correction1,correction2,flags"));
done:
    strata_text_free(&line);
    return status;
}

/* The step a line belongs to, or -1 for a header. Rows of metrics.csv carry the number of steps taken, one
 * more. */
static double line_step(const char *line, const char *name)
{
    double epoch, step;
    if (strcmp(name, "steps.jsonl") == 0) return sscanf(line, "{\"step\": %lf", &step) == 1 ? step : -1;
    if (strcmp(name, "metrics.csv") == 0) return sscanf(line, "%lf,%lf", &epoch, &step) == 2 ? step - 1 : -1;
    return sscanf(line, "%lf,", &step) == 1 ? step : -1;
}

static strata_status cut_file(run_folder *f, const char *name, uint64_t step)
{
    char *path = folder_file(f, name), *text = NULL;
    strata_text kept = { 0 };
    strata_status status = path ? STRATA_OK : no_memory();
    if (path && strata_path_exists(path)) {
        STRATA_GO(strata_file_read(&text, NULL, path));
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
            if (step > 0 && line_step(line, name) < (double)step)
                strata_text_append(&kept, line, (size_t)(end + 1 - line));
        STRATA_GO(kept.failed ? no_memory() : strata_file_write(path, kept.s, kept.length));
    }
done:
    strata_text_free(&kept);
    free(text);
    free(path);
    return status;
}

/* The run may have been begun by a strata that wrote fewer columns. */
static strata_status fit_metrics(run_folder *f, const strata_trainer *t, strata_text *added)
{
    char *path = folder_file(f, "metrics.csv");
    strata_text header = { 0 };
    strata_status status = path ? metrics_header(&header, t) : no_memory();
    if (status == STRATA_OK) status = columns_fit(added, path, header.s);
    strata_text_free(&header);
    free(path);
    return status;
}

strata_status folder_cut(run_folder *f, const strata_trainer *t, uint64_t step, strata_text *added)
{
    STRATA_TRY(cut_file(f, "steps.jsonl", step));
    STRATA_TRY(cut_file(f, "metrics.csv", step));
    STRATA_TRY(cut_file(f, "rates.csv", step));
    if (step == 0) return STRATA_OK;
    STRATA_TRY(fit_metrics(f, t, added));
    return open_logs(f, recipe_flag(t->recipe, "log-rates"));
}

strata_status folder_step(run_folder *f, const trainer_result *r, const strata_event *e, double momentum)
{
    strata_text line = { 0 };
    strata_text_format(&line, "{\"step\": %" PRIu64 ", \"epoch\": %u, \"loss\": ", r->step,
                       (unsigned)e->epoch - 1);
    if (isfinite(r->loss))
        strata_text_format(&line, "%.9g, \"lr\": [", r->loss);
    else
        strata_text_format(&line, "null, \"lr\": ["); /* JSON has no NaN */
    for (uint32_t g = 0; g < e->n_groups; g++) strata_text_format(&line, "%s%.17g", g ? ", " : "", e->lr[g]);
    strata_text_format(&line, "], \"mom\": %.17g", momentum);
    if (isfinite(r->state.grad_norm))
        strata_text_format(&line, ", \"grad_norm\": %.9g", (double)r->state.grad_norm);
    if (r->state.loss_scale > 0)
        strata_text_format(&line, ", \"loss_scale\": %.9g, \"skipped\": %u", (double)r->state.loss_scale,
                           (unsigned)r->state.skipped);
    for (uint32_t i = 0; r->moved && i < e->n_layers; i++)
        strata_text_format(&line, isfinite(e->layer_update[i]) ? "%s%.5g" : "%snull",
                           i ? ", " : ", \"update\": [", e->layer_update[i]);
    strata_text_format(&line, r->moved && e->n_layers ? "]}" : "}");
    strata_status status = line.failed ? no_memory() : strata_log_line(&f->steps, line.s);
    strata_text_free(&line);
    return status;
}

strata_status folder_event(run_folder *f, const folder_happening *e)
{
    json_t *line = json_pack("{s:I, s:s}", "step", (json_int_t)e->step, "event", e->what);
    if (line && e->key) json_object_set_new(line, e->key, json_string(e->name));
    if (line) /* JSON has no NaN */
        json_object_set_new(line, e->value_key,
                            !isfinite(e->value)                  ? json_null()
                            : strcmp(e->value_key, "value") == 0 ? json_real(e->value)
                                                                 : json_integer((json_int_t)e->value));
    char *text = line ? json_dumps(line, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17)) : NULL;
    strata_status status = text ? strata_log_line(&f->steps, text) : no_memory();
    free(text);
    json_decref(line);
    return status;
}

strata_status folder_rates(run_folder *f, const strata_trainer *t, uint64_t step)
{
    const strata_graph *g = t->main.model->graph;
    strata_status status = STRATA_OK;
    strata_text line = { 0 };
    strata_rate *row = calloc(g->n_rows, sizeof *row);
    if (!row) return no_memory();
    trainer_rows(t, row);
    for (uint32_t i = 0; i < g->n_params; i++) {
        if (g->param[i]->running) continue;
        const strata_rate *w = &row[g->param[i]->row];
        line.length = 0;
        strata_text_format(&line, "%" PRIu64 ",%s,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%u", step,
                           g->param[i]->name, (double)w->lr, (double)w->momentum, (double)w->beta2,
                           (double)w->eps, (double)w->weight_decay, (double)w->correction1,
                           (double)w->correction2, (unsigned)w->flags);
        STRATA_GO(line.failed ? no_memory() : strata_log_line(&f->rates, line.s));
    }
done:
    strata_text_free(&line);
    free(row);
    return status;
}

static void put_number(strata_text *line, double v, int digits)
{
    if (isfinite(v))
        strata_text_format(line, ",%.*g", digits, v);
    else
        strata_text_format(line, ","); /* nothing was measured */
}

strata_status folder_epoch(run_folder *f, const strata_event *e)
{
    strata_text line = { 0 };
    strata_text_format(&line, "%u,%" PRIu64 ",%.3f", (unsigned)e->epoch, e->step, e->seconds);
    put_number(&line, e->train_loss, 9);
    put_number(&line, e->valid_loss, 9);
    put_number(&line, e->top1, 9);
    put_number(&line, e->top5, 9);
    for (uint32_t g = 0; g < e->n_groups; g++) strata_text_format(&line, ",%.17g", e->lr[g]);
    strata_text_format(&line, ",%.1f", e->images_per_s);
    for (uint32_t i = 0; i < e->n_layers; i++) put_number(&line, e->layer_update[i], 5);
    put_number(&line, e->score ? e->score->macro.f_beta : NAN, 9);
    put_number(&line, e->score ? e->score->micro.f_beta : NAN, 9);
    put_number(&line, e->score ? e->score->samples_f_beta : NAN, 9);
    put_number(&line, e->score ? e->score->mean_average_precision : NAN, 9);
    strata_text_format(&line, ",%s", e->events);
    strata_status status = line.failed ? no_memory() : strata_log_line(&f->metrics, line.s);
    line.length = 0;
    strata_text_format(&line, "epoch %u/%u: train loss %.4f", (unsigned)e->epoch, (unsigned)e->epochs,
                       e->train_loss);
    if (isfinite(e->valid_loss))
        strata_text_format(&line, ", valid loss %.4f, top1 %.1f %%", e->valid_loss, 100 * e->top1);
    if (e->score && e->score->sets)
        strata_text_format(&line, ", F%g %.1f %%", e->score->beta, 100 * e->score->samples_f_beta);
    if (status == STRATA_OK) status = line.failed ? no_memory() : strata_log_line(&f->text, line.s);
    strata_text_free(&line);
    return status;
}

strata_status folder_confusion(const run_folder *f, const strata_score *s)
{
    if (!s->label || s->classes > MOST_CONFUSED) return STRATA_OK;
    char *path = folder_file(f, "confusion.csv");
    const strata_status status = path ? strata_score_confusion(s, path) : no_memory();
    free(path);
    return status;
}

/* ---- run.json ----------------------------------------------------------------------------------- */

strata_status folder_status(run_folder *f, const char *status, const char *why)
{
    char when[32];
    timestamp(when);
    set_text(f->run, "status", status);
    json_object_del(f->run, "why"); /* an earlier sitting's, as is its end */
    json_object_del(f->run, "ended");
    if (*why) set_text(f->run, "why", why);
    if (*why && f->text.file) strata_log_line(&f->text, why);
    if (strcmp(status, "started") != 0 && strcmp(status, "running") != 0) set_text(f->run, "ended", when);
    return save_json(f);
}

static void put_launches(json_t *list, const strata_stream *s)
{
    static const char *const passes[] = {
#define NAME(name) #name,
        STRATA_PASS_LIST(NAME)
    };
    const strata_recorded *r;
    for (uint32_t i = 0; (r = strata_stream_recorded(s, i)); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:[i,i,i]}", "node",
                                              r->label ? r->label : "", "kernel", r->stem, "pass",
                                              passes[r->pass], "variant", r->variant ? r->variant : "",
                                              "split", (int)r->split, "defines", r->defines, "groups",
                                              (int)r->groups[0], (int)r->groups[1], (int)r->groups[2]));
}

static json_t *list_launches(const strata_part *part)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < part->n; i++) put_launches(list, part->segment[i]);
    return list;
}

static json_t *describe_device(const strata_caps *c)
{
    return json_pack("{s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:I, s:i}", "name", c->name, "driver", c->driver,
                     "vulkan", (int)c->vulkan, "vendor", (int)c->vendor_id, "device", (int)c->device_id,
                     "driver_version", (int)c->driver_version, "subgroup", (int)c->subgroup, "max_range",
                     (json_int_t)c->max_range, "cores", (int)c->cores);
}

static json_t *describe_data(const strata_data_info *d, const strata_task *t)
{
    char print[24];
    snprintf(print, sizeof print, "%016" PRIx64, d->fingerprint);
    json_t *names = json_array();
    for (uint32_t i = 0; i < d->classes; i++) json_array_append_new(names, any_text(d->class_names[i]));
    return json_pack("{s:o, s:s, s:i, s:i, s:[i,i,i], s:o}", "name", any_text(d->name), "fingerprint", print,
                     "train", (int)d->train, "valid", (int)d->valid, "image", (int)t->h, (int)t->w, (int)t->c,
                     "classes", names);
}

strata_status folder_describe(run_folder *f, strata_trainer *t, const strata_data_info *data)
{
    const strata_plan *p = t->main.plan;
    const strata_model *m = t->main.model;
    json_t *groups = json_array(), *layers = json_array(), *launches = json_object();
    for (uint32_t i = 0; i < t->ratios.n_layers; i++)
        json_array_append_new(layers, json_string(t->ratios.layer_name[i]));
    for (uint32_t g = 0; g < m->n_groups; g++) json_array_append_new(groups, json_string(m->group_name[g]));
    json_object_set_new(launches, "first", list_launches(&p->part[STRATA_PART_FIRST]));
    if (p->part[STRATA_PART_NEXT].n)
        json_object_set_new(launches, "next", list_launches(&p->part[STRATA_PART_NEXT]));
    json_object_set_new(launches, "update", list_launches(&p->part[STRATA_PART_UPDATE]));
    json_object_set_new(launches, "measure", list_launches(&p->part[STRATA_PART_MEASURE]));
    json_object_set_new(launches, "evaluate", list_launches(&p->part[STRATA_PART_EVALUATE]));
    json_object_set_new(f->run, "device", describe_device(strata_device_caps(t->device)));
    json_object_set_new(f->run, "data", describe_data(data, &t->task));
    json_object_set_new(f->run, "model",
                        json_pack("{s:s, s:I, s:s, s:o, s:o}", "name", m->name, "parameters",
                                  (json_int_t)strata_graph_param_count(m->graph), "scheme", m->scheme,
                                  "groups", groups, "layers", layers));
    json_object_set_new(f->run, "memory_bytes", json_integer((json_int_t)strata_trainer_memory(t)));
    json_object_set_new(f->run, "steps", json_integer((json_int_t)t->task.steps));
    json_object_set_new(f->run, "launches", launches);
    return STRATA_OK;
}
