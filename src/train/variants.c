#include "train/variants.h"

#include <string.h>

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

/* The variant that runs a pass of a node in a list of launches; NULL: none does. */
static const char *find(const json_t *list, const char *node, const char *pass)
{
    const json_t *launch;
    size_t i;
    json_array_foreach(list, i, launch) if (strcmp(text_of(launch, "node"), node) == 0 &&
                                            strcmp(text_of(launch, "pass"), pass) ==
                                                0) return text_of(launch, "variant");
    return NULL;
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
        const char *is = find(json_object_get(now, part), node, pass);
        if (!is || strcmp(is, text_of(launch, "variant")) != 0)
            differs(context, node, pass, text_of(launch, "variant"), is ? is : "none");
    }
}
