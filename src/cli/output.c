#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/args.h"

strata_status cli_output_begin(cli_output *o, const char *path)
{
    struct stat info;
    *o = (cli_output) { .file = stdout, .path = path };
    if (!path) return STRATA_OK;
    const bool stream = stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    if (!stream) STRATA_TRY(strata_file_writer_begin(&o->writer, path));
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
