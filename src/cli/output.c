#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"

/* ---- Signals ----------------------------------------------------------------------------------- */

static const char *volatile unfinished; /* the temporary of the file that is being written; NULL: none is */

static void on_signal(int number)
{
    if (unfinished) unlink(unfinished);
    raise(number); /* which ends the process when this is left: see SA_RESETHAND */
}

/* A process that is told to end takes what is no file yet with it. */
static void keep_clean(const char *temporary)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    unfinished = temporary;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction was, action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
        sigemptyset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
    }
}

/* ---- A table ------------------------------------------------------------------------------------- */

strata_status cli_output_begin(cli_output *o, const char *path)
{
    struct stat info;
    *o = (cli_output) { .file = stdout, .path = path };
    if (!path) return STRATA_OK;
    const bool stream = stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    if (!stream) STRATA_TRY(strata_file_writer_begin(&o->writer, path));
    if (!stream) keep_clean(o->writer.temporary);
    o->file = stream ? fopen(path, "w") : o->writer.file;
    if (o->file) return STRATA_OK;
    return cli_fail(STRATA_FILE, "cannot write %s: %s", path, strerror(errno));
}

void cli_print(cli_output *o, const char *format, ...)
{
    va_list values;
    if (!o->file) return;
    va_start(values, format);
    const int n = vfprintf(o->file, format, values);
    va_end(values);
    if (n > 0) o->writer.n_bytes += (uint64_t)n;
    if (n < 0 && !o->reason) o->reason = errno;
}

strata_status cli_output_end(cli_output *o, strata_status status)
{
    unfinished = NULL;
    if (o->file && o->path && status == STRATA_OK && o->reason)
        status = cli_fail(STRATA_FILE, "cannot write all of %s: %s", o->path, strerror(o->reason));
    if (o->writer.file && status == STRATA_OK) {
        status = strata_file_writer_commit(&o->writer);
    } else if (o->writer.file) {
        strata_file_writer_abandon(&o->writer);
    } else if (o->file && o->path && fclose(o->file) != 0 && status == STRATA_OK) {
        status = cli_fail(STRATA_FILE, "cannot write all of %s: %s", o->path, strerror(errno));
    }
    *o = (cli_output) { 0 };
    return status;
}
