/* Lists of options, "KEY[=VALUE],KEY[=VALUE]": what each key says is said once. */
#ifndef STRATA_CORE_ITEMS_H
#define STRATA_CORE_ITEMS_H

#include <stddef.h>

/* The first item of `list` whose key an item before it has already; NULL: there is none. Nothing between two
 * commas is no key.
 *   length  out: of its key, which ends at '=', ',' or the list's end */
const char *strata_item_twice(const char *list, size_t *length);

#endif
