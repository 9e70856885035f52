/* Schedules from text. The curves themselves are the table in curves.c. */
#include "rates/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OPTION "--schedule"

/* These are made from curves, or from a file, before a curve is looked for. */
static const char *const others[] = { "csv", "fine-tune", "ulmfit" };

/* The schedule of this name and convention; NULL takes the name's first. */
static strata_status find(const schedule **out, const char *name, const char *convention)
{
    enum { MOST = 64 };
    const char *names[MOST], *conventions[MOST];
    uint32_t n_names = 0, n_conventions = 0;
    bool found = false;
    for (uint32_t i = 0; i < n_schedules && n_names < MOST - sizeof others / sizeof *others; i++) {
        const schedule *s = &schedules[i];
        if (!n_names || strcmp(names[n_names - 1], s->name) != 0) names[n_names++] = s->name;
        if (strcmp(s->name, name) != 0) continue;
        found = true;
        if (!convention || strcmp(s->convention, convention) == 0) {
            *out = s;
            return STRATA_OK;
        }
        if (*s->convention) conventions[n_conventions++] = s->convention;
    }
    if (n_conventions) return rates_unknown(OPTION, "convention", convention, conventions, n_conventions);
    if (found)
        return strata_fail(STRATA_BAD_ARG, OPTION ": %s takes no convention, got '%.64s'", name, convention);
    for (uint32_t i = 0; i < sizeof others / sizeof *others; i++) names[n_names++] = others[i];
    return rates_unknown(OPTION, "schedule", name, names, n_names);
}

strata_status schedule_find(schedule_use *out, const char *text)
{
    char name[64];
    const size_t n = strcspn(text, ":");
    *out = (schedule_use) { 0 };
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), text);
    STRATA_TRY(find(&out->kind, name, text[n] ? text + n + 1 : NULL));
    for (uint32_t i = 0; i < SCHEDULE_VALUES; i++) out->value[i] = out->kind->keys[i].fallback;
    return STRATA_OK;
}

strata_status schedule_length(double *out, const char *key, const char *value, uint64_t steps_per_epoch)
{
    rates_text t = { .option = OPTION, .s = value, .at = value };
    if (!rates_fraction(&t, out, 0, 1e15))
        return strata_fail(STRATA_BAD_ARG,
                           OPTION ": %s wants steps (100), epochs (2ep) or a share (30%%), "
                                  "got '%.64s'",
                           key, value);
    if (strcmp(t.at, "ep") == 0 && steps_per_epoch) {
        *out = floor(*out * (double)steps_per_epoch + 0.5);
        return STRATA_OK;
    }
    if (strcmp(t.at, "ep") == 0)
        return strata_fail(STRATA_BAD_ARG,
                           OPTION ": %s=%.64s is in epochs, whose length is not known here; give steps or a "
                                  "share (30%%)",
                           key, value);
    if (strcmp(t.at, "%") == 0 && *out <= 100) {
        *out = -*out / 100;
        return STRATA_OK;
    }
    if (*t.at || floor(*out) != *out)
        return strata_fail(STRATA_BAD_ARG,
                           OPTION ": %s wants whole steps (100), epochs (2ep) or a share of at "
                                  "most 100%%, got '%.64s'",
                           key, value);
    return STRATA_OK;
}

double schedule_steps(double length, uint64_t steps)
{
    return length < 0 ? floor(-length * (double)steps + 0.5) : length;
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static strata_status set_word(double *out, const schedule_key *k, const char *value)
{
    const size_t n = strlen(value);
    uint32_t number = 0;
    for (const char *word = k->words; *word; number++) {
        const size_t length = strcspn(word, " ");
        if (length == n && strncmp(word, value, n) == 0) {
            *out = number;
            return STRATA_OK;
        }
        word += length + (word[length] == ' ');
    }
    return strata_fail(STRATA_BAD_ARG, OPTION ": %s wants one of: %s; got '%.64s'", k->name, k->words, value);
}

/* Lengths with ':' between them. */
static strata_status set_list(schedule_use *use, const schedule_key *k, const char *value, uint64_t per_epoch)
{
    char word[64];
    rates_text t = { .option = OPTION, .s = value, .at = value };
    use->n_list = 0;
    do {
        if (use->n_list == SCHEDULE_LIST)
            return strata_fail(STRATA_BAD_ARG, OPTION ": %s wants at most %d lengths, got '%s'", k->name,
                               SCHEDULE_LIST, value);
        if (!rates_word(&t, word, sizeof word, ":")) return rates_wrong(&t, "a length");
        STRATA_TRY(schedule_length(&use->list[use->n_list++], k->name, word, per_epoch));
    } while (rates_take(&t, ':'));
    return STRATA_OK;
}

static strata_status set_key(schedule_use *use, uint32_t i, const char *value, uint64_t per_epoch)
{
    const schedule_key *k = &use->kind->keys[i];
    rates_text t = { .option = OPTION, .s = value, .at = value };
    if (k->kind == KEY_WORD) return set_word(&use->value[i], k, value);
    if (k->kind == KEY_LIST) return set_list(use, k, value, per_epoch);
    if (k->kind == KEY_LENGTH) {
        STRATA_TRY(schedule_length(&use->value[i], k->name, value, per_epoch));
        if (use->value[i] == 0)
            return strata_fail(STRATA_BAD_ARG, OPTION ": %s wants a length above 0, got '%s'", k->name,
                               value);
        return STRATA_OK;
    }
    if (!rates_fraction(&t, &use->value[i], k->low, k->high) || *t.at)
        return strata_fail(STRATA_BAD_ARG, OPTION ": %s wants a number in [%g, %g], got '%.64s'", k->name,
                           k->low, k->high, value);
    return STRATA_OK;
}

strata_status schedule_set(schedule_use *use, const char *key, const char *value, uint64_t steps_per_epoch,
                           const char *const *more)
{
    const char *names[64];
    uint32_t n = 0;
    for (uint32_t i = 0; i < SCHEDULE_VALUES && use->kind->keys[i].name; i++) {
        if (strcmp(use->kind->keys[i].name, key) == 0) return set_key(use, i, value, steps_per_epoch);
        names[n++] = use->kind->keys[i].name;
    }
    for (; more && *more && n < 64; more++) names[n++] = *more;
    return rates_unknown(OPTION, "key", key, names, n);
}

bool schedule_has(const schedule_use *use, const char *key)
{
    for (uint32_t i = 0; i < SCHEDULE_VALUES && use->kind->keys[i].name; i++)
        if (strcmp(use->kind->keys[i].name, key) == 0) return true;
    return false;
}

double schedule_value(const schedule_use *use, const char *key, double fallback)
{
    for (uint32_t i = 0; i < SCHEDULE_VALUES && use->kind->keys[i].name; i++)
        if (strcmp(use->kind->keys[i].name, key) == 0) return use->value[i];
    return fallback;
}

schedule_point schedule_at(const schedule_use *use, const schedule_place *where)
{
    schedule_place place = *where;
    if (place.step > place.steps) place.step = place.steps;
    return use->kind->at(use, &place);
}
