#include "core/items.h"

#include <string.h>

static const char *next(const char *item)
{
    item += strcspn(item, ",");
    return *item ? item + 1 : NULL;
}

const char *strata_item_twice(const char *list, size_t *length)
{
    for (const char *item = list; item; item = next(item)) {
        *length = strcspn(item, "=,");
        for (const char *before = list; before < item; before = next(before))
            if (*length && strcspn(before, "=,") == *length && strncmp(before, item, *length) == 0)
                return item;
    }
    return NULL;
}
