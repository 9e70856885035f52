#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[4096];

strata_status strata_fail(strata_status code, const char *format, ...)
{
    char text[sizeof message]; /* not written in place: strata_message() may be among the values */
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    memcpy(message, text, sizeof message);
    return code;
}

const char *strata_message(void) { return message; }

const char *strata_status_text(strata_status status)
{
#define TEXT(name, code, text) [STRATA_##name] = text,
    static const char *const texts[] = { STRATA_STATUS_LIST(TEXT) };
    return (unsigned)status < sizeof texts / sizeof *texts ? texts[status] : "unknown status";
}

int strata_status_exit_code(strata_status status)
{
#define CODE(name, code, text) [STRATA_##name] = code,
    static const int codes[] = { STRATA_STATUS_LIST(CODE) };
    return (unsigned)status < sizeof codes / sizeof *codes ? codes[status] : 1;
}
