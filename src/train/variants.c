#include "train/variants.h"

#include <stdio.h>
#include <string.h>

#include "commit.h" /* of the build */

static const char *text_of(const json_t *launch, const char *key)
{
    const char *s = json_string_value(json_object_get(launch, key));
    return s ? s : "";
}

void variants_force(strata_text *out, const json_t *launches)
{
    const char *part;
    const json_t *list, *launch;
    size_t i;
    json_object_foreach((json_t *)launches, part, list) json_array_foreach(list, i, launch)
        strata_text_format(out, "%s%s:%s=%s", out->length ? "," : "", text_of(launch, "node"),
                           text_of(launch, "pass"), text_of(launch, "variant"));
}

/* The first launch of a pass of a node in a list of launches; NULL: there is none. */
static const json_t *find(const json_t *list, const char *node, const char *pass)
{
    const json_t *launch;
    size_t i;
    json_array_foreach(list, i, launch) if (strcmp(text_of(launch, "node"), node) == 0 &&
                                            strcmp(text_of(launch, "pass"), pass) == 0) return launch;
    return NULL;
}

/* How a launch sums: "subgroup split in 4". */
typedef struct way {
    char s[80];
} way;

static way way_of(const json_t *launch)
{
    way w = { "none" };
    const int split = (int)json_integer_value(json_object_get(launch, "split"));
    if (launch) snprintf(w.s, sizeof w.s, "%.40s", text_of(launch, "variant"));
    if (split > 1) snprintf(w.s, sizeof w.s, "%.40s split in %d", text_of(launch, "variant"), split);
    return w;
}

void variants_compare(const json_t *before, const json_t *now,
                      void (*differs)(void *context, const char *node, const char *pass, const char *was,
                                      const char *is),
                      void *context)
{
    const char *part;
    const json_t *list, *launch;
    size_t i;
    json_object_foreach((json_t *)before, part, list) json_array_foreach(list, i, launch)
    {
        const char *node = text_of(launch, "node"), *pass = text_of(launch, "pass");
        if (find(list, node, pass) != launch) continue; /* one of several slices: the first tells */
        const way was = way_of(launch), is = way_of(find(json_object_get(now, part), node, pass));
        if (strcmp(was.s, is.s) != 0) differs(context, node, pass, was.s, is.s);
    }
}

void variants_compare_makers(const json_t *run, const strata_caps *now,
                             void (*differs)(void *context, const char *what, const char *was,
                                             const char *is),
                             void *context)
{
    const json_t *device = json_object_get(run, "device");
    const char *name = text_of(device, "name"), *driver = text_of(device, "driver"),
               *version = text_of(run, "strata"), *commit = text_of(run, "commit");
    if (*name && strcmp(name, now->name) != 0)
        differs(context, "the device", name, now->name);
    else if (*driver && strcmp(driver, now->driver) != 0)
        differs(context, "the driver", driver, now->driver);
    if (*version && strcmp(version, STRATA_VERSION) != 0)
        differs(context, "strata", version, STRATA_VERSION);
    else if (*commit && *STRATA_COMMIT && strcmp(commit, STRATA_COMMIT) != 0)
        differs(context, "strata's commit", commit, STRATA_COMMIT);
}
