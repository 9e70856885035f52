#define _XOPEN_SOURCE     700 /* realpath, fsync, fseeko */
#define _FILE_OFFSET_BITS 64
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Reading ------------------------------------------------------------------------ */

/* Read what `file` holds. Its size is only a hint: pipes and /proc have none, and a file may grow. What is no
 * file may have no end. */
static strata_status read_all(char **out, size_t *n, FILE *file, const char *path)
{
    static const size_t most_of_a_stream = (size_t)1 << 28;
    struct stat info;
    size_t room = 4096, length = 0;
    const bool regular = fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
    if (regular && info.st_size > 0)
        room = (size_t)info.st_size + 2; /* the NUL, and one byte so that the end is met without growing */
    char *bytes = malloc(room);
    while (bytes) {
        length += fread(bytes + length, 1, room - 1 - length, file);
        if (ferror(file)) {
            strata_status status = strata_fail(STRATA_FILE, "cannot read %s: %s", path, strerror(errno));
            free(bytes);
            return status;
        }
        if (feof(file)) {
            bytes[length] = '\0';
            *out = bytes;
            *n = length;
            return STRATA_OK;
        }
        if (!regular && length >= most_of_a_stream) {
            free(bytes);
            return strata_fail(STRATA_FILE, "cannot read %s: it is no file, and has no end within 256 MiB",
                               path);
        }
        char *grown = room <= SIZE_MAX / 2 ? realloc(bytes, 2 * room) : NULL;
        if (!grown)
            free(bytes);
        else
            room *= 2;
        bytes = grown;
    }
    return strata_fail(STRATA_NO_MEMORY, "no memory to read %s: %zu bytes wanted", path, room);
}

strata_status strata_file_read(char **out, size_t *n, const char *path)
{
    size_t length = 0;
    *out = NULL;
    if (n) *n = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return strata_fail(STRATA_FILE, "cannot open %s: %s", path, strerror(errno));
    strata_status status = read_all(out, &length, file, path);
    fclose(file);
    if (status == STRATA_OK && n) *n = length;
    return status;
}

strata_status strata_file_size(uint64_t *bytes, FILE *file, const char *path)
{
    const off_t end = fseeko(file, 0, SEEK_END) == 0 ? ftello(file) : -1;
    if (end < 0) return strata_fail(STRATA_FILE, "cannot read %s: %s", path, strerror(errno));
    *bytes = (uint64_t)end;
    return STRATA_OK;
}

strata_status strata_file_read_at(void *out, FILE *file, uint64_t at, size_t n, const char *path)
{
    if (at > INT64_MAX || fseeko(file, (off_t)at, SEEK_SET) != 0)
        return strata_fail(STRATA_FILE, "cannot read %s: %s", path, strerror(errno));
    if (n && fread(out, 1, n, file) != n)
        return strata_fail(STRATA_FILE, "cannot read %s: %s", path,
                           ferror(file) ? strerror(errno) : "the file became shorter while it was read");
    return STRATA_OK;
}

/* ---- Writing ------------------------------------------------------------------------ */

/* The temporaries of open writers. Whoever takes a name out of here has it to himself: what a handler removes
 * no other thread frees meanwhile. */
static char *_Atomic unfinished[64];

enum { MOST_UNFINISHED = sizeof unfinished / sizeof *unfinished };

/* Put `to` where `from` is; false: it is nowhere. */
static bool change(char *from, char *to)
{
    bool changed = false;
    for (int i = 0; i < MOST_UNFINISHED && !changed; i++) {
        char *is = from;
        changed = atomic_compare_exchange_strong(&unfinished[i], &is, to);
    }
    return changed;
}

void strata_file_writers_remove(void)
{
    for (int i = 0; i < MOST_UNFINISHED; i++) {
        const char *temporary = atomic_exchange(&unfinished[i], NULL);
        if (temporary) unlink(temporary);
    }
}

static void close_writer(strata_file_writer *w)
{
    if (!w->listed || change(w->temporary, NULL)) free(w->temporary);
    free(w->path);
    *w = (strata_file_writer) { 0 };
}

void strata_file_writer_abandon(strata_file_writer *w)
{
    if (w->file) {
        fclose(w->file);
        unlink(w->temporary);
    }
    close_writer(w);
}

/* Create a new file beside w->path. A name left by a killed process of the same number is passed over. */
static strata_status open_temporary(strata_file_writer *w, const char *path)
{
    const size_t room = strlen(w->path) + 64;
    w->temporary = malloc(room);
    if (!w->temporary) return strata_fail(STRATA_NO_MEMORY, "no memory to write %s", path);
    int fd = -1;
    for (int attempt = 0; attempt < 1000 && fd < 0; attempt++) {
        snprintf(w->temporary, room, "%s.%ld.%d.tmp", w->path, (long)getpid(), attempt);
        fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd < 0) return strata_fail(STRATA_FILE, "cannot create %s: %s", path, strerror(errno));
    w->listed = change(NULL, w->temporary);
    w->file = fdopen(fd, "wb"); /* whoever maps it has to read, too */
    if (!w->file) {
        close(fd);
        unlink(w->temporary);
        return strata_fail(STRATA_NO_MEMORY, "no memory to write %s", path);
    }
    return STRATA_OK;
}

strata_status strata_file_writer_begin(strata_file_writer *w, const char *path)
{
    *w = (strata_file_writer) { 0 };
    struct stat info;
    const bool found = stat(path, &info) == 0;
    if (found && !S_ISREG(info.st_mode))
        return strata_fail(STRATA_FILE, "cannot write %s: wanted a regular file or nothing there, found %s",
                           path, S_ISDIR(info.st_mode) ? "a folder" : "a device, pipe or socket");
    w->path = found ? realpath(path, NULL) : strdup(path); /* a link stays, its target is replaced */
    if (!w->path) return strata_fail(STRATA_FILE, "cannot write %s: %s", path, strerror(errno));
    strata_status status = open_temporary(w, path);
    if (status != STRATA_OK) close_writer(w);
    return status;
}

strata_status strata_file_writer_put(strata_file_writer *w, const void *data, size_t n)
{
    if (!w->file) return strata_fail(STRATA_FILE, "cannot write %zu bytes: the file is closed", n);
    if (n == 0) return STRATA_OK;
    if (fwrite(data, 1, n, w->file) != n) {
        const int reason = errno;
        strata_fail(STRATA_FILE, "cannot write %s: %s after %llu bytes, %zu more wanted", w->path,
                    strerror(reason), (unsigned long long)w->n_bytes, n);
        strata_file_writer_abandon(w);
        return STRATA_FILE;
    }
    w->n_bytes += n;
    return STRATA_OK;
}

/* Bring a rename in `path`'s folder to the disk. File systems that cannot sync a folder are left alone. */
static void sync_folder(char *path)
{
    char *slash = strrchr(path, '/');
    const char *folder = ".";
    if (slash) {
        slash[slash == path ? 1 : 0] = '\0'; /* the path is not read again */
        folder = path;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

strata_status strata_file_writer_commit(strata_file_writer *w)
{
    if (!w->file) return strata_fail(STRATA_FILE, "cannot finish a file that is closed");
    const bool printed = !ferror(w->file); /* by whom writes to it without put, who may not look */
    bool good = printed && fflush(w->file) == 0;
    /* EINVAL: a file system without fsync, where nothing more can be done. */
    good = good && (fsync(fileno(w->file)) == 0 || errno == EINVAL);
    int reason = printed ? errno : EIO;
    if (fclose(w->file) != 0 && good) {
        reason = errno;
        good = false;
    }
    w->file = NULL;
    if (good && rename(w->temporary, w->path) != 0) {
        reason = errno;
        good = false;
    }
    if (good) {
        sync_folder(w->path);
    } else {
        strata_fail(STRATA_FILE, "cannot write %s: %s while saving its %llu bytes", w->path, strerror(reason),
                    (unsigned long long)w->n_bytes);
        unlink(w->temporary);
    }
    close_writer(w);
    return good ? STRATA_OK : STRATA_FILE;
}

strata_status strata_file_write(const char *path, const void *data, size_t n)
{
    strata_file_writer w;
    STRATA_TRY(strata_file_writer_begin(&w, path));
    STRATA_TRY(strata_file_writer_put(&w, data, n));
    return strata_file_writer_commit(&w);
}

strata_status strata_file_put(const char *path, const void *data, size_t n)
{
    FILE *file = fopen(path, "wb");
    if (!file) return strata_fail(STRATA_FILE, "cannot create %s: %s", path, strerror(errno));
    const bool good = fwrite(data, 1, n, file) == n;
    const int reason = errno;
    if (fclose(file) == 0 && good) return STRATA_OK;
    return strata_fail(STRATA_FILE, "cannot write %zu bytes to %s: %s", n, path,
                       strerror(good ? errno : reason));
}

strata_status strata_file_check(const char *path)
{
    strata_file_writer w;
    STRATA_TRY(strata_file_writer_begin(&w, path));
    strata_file_writer_abandon(&w);
    return STRATA_OK;
}

/* ---- Logs --------------------------------------------------------------------------- */

strata_status strata_log_open(strata_log *log, const char *path)
{
    *log = (strata_log) { 0 };
    FILE *file = fopen(path, "a+b");
    if (!file) return strata_fail(STRATA_FILE, "cannot open %s for appending: %s", path, strerror(errno));
    char *copy = strdup(path);
    if (!copy) {
        fclose(file);
        return strata_fail(STRATA_NO_MEMORY, "no memory to open %s", path);
    }
    *log = (strata_log) { .file = file, .path = copy };
    struct stat info;
    const bool regular = fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
    const bool cut = regular && fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n';
    if (regular) fseek(file, 0, SEEK_END); /* C wants a seek between reading and writing */
    if (!cut) return STRATA_OK;
    strata_status status = strata_log_line(log, "");
    if (status != STRATA_OK) strata_log_close(log);
    return status;
}

strata_status strata_log_line(strata_log *log, const char *line)
{
    if (!log->file) return strata_fail(STRATA_FILE, "cannot append a line: the log is closed");
    if (fputs(line, log->file) >= 0 && fputc('\n', log->file) != EOF && fflush(log->file) == 0)
        return STRATA_OK;
    return strata_fail(STRATA_FILE, "cannot append %zu bytes to %s: %s", strlen(line) + 1, log->path,
                       strerror(errno));
}

void strata_log_close(strata_log *log)
{
    if (log->file) fclose(log->file);
    free(log->path);
    *log = (strata_log) { 0 };
}

/* ---- Folders and paths -------------------------------------------------------------- */

static strata_status make_one(const char *path, const char *wanted, mode_t mode)
{
    struct stat info;
    if (mkdir(path, mode) == 0) return STRATA_OK;
    const int reason = errno; /* EEXIST, or on some systems EROFS or EACCES, for a folder that exists */
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return STRATA_OK;
        return strata_fail(STRATA_FILE, "cannot make folder %s: %s is a file", wanted, path);
    }
    return strata_fail(STRATA_FILE, "cannot make folder %s: %s", wanted, strerror(reason));
}

static strata_status make_folders(const char *path, mode_t mode)
{
    if (path[0] == '\0') return strata_fail(STRATA_FILE, "cannot make a folder without a name");
    char *above = strdup(path);
    if (!above) return strata_fail(STRATA_NO_MEMORY, "no memory to make folder %s", path);
    strata_status status = STRATA_OK;
    for (char *s = above + 1; *s && status == STRATA_OK; s++) {
        if (*s != '/') continue;
        *s = '\0';
        status = make_one(above, path, mode);
        *s = '/';
    }
    if (status == STRATA_OK) status = make_one(above, path, mode);
    free(above);
    return status;
}

strata_status strata_folder_make(const char *path) { return make_folders(path, 0777); }

strata_status strata_folder_check(const char *path)
{
    strata_status status = STRATA_OK;
    char *above = malloc(strlen(path) + 2);
    if (!above) return strata_fail(STRATA_NO_MEMORY, "no memory to make folder %s", path);
    strcpy(above, path);
    for (bool there = false; !there && status == STRATA_OK;) {
        char *slash = strrchr(above, '/');
        there = *above && strata_path_exists(above);
        if (there && !strata_folder_exists(above))
            status = strata_fail(STRATA_FILE, "cannot make folder %s: %s is a file", path, above);
        else if (there && access(above, W_OK | X_OK) != 0)
            status = strata_fail(STRATA_FILE, "cannot make folder %s: %s: %s", path, above, strerror(errno));
        else if (!there && slash && slash > above)
            *slash = '\0';
        else if (!there)
            strcpy(above, slash ? "/" : ".");
    }
    free(above);
    return status;
}

bool strata_folder_empty(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return false;
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(folder));)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(folder);
    return empty;
}

bool strata_folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool strata_path_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

strata_status strata_path_join(char **out, const char *folder, const char *name)
{
    const size_t length = strlen(folder);
    const char *between = length > 0 && folder[length - 1] != '/' ? "/" : "";
    const size_t room = length + strlen(name) + 2;
    *out = malloc(room);
    if (!*out) return strata_fail(STRATA_NO_MEMORY, "no memory for a path of %zu bytes", room);
    snprintf(*out, room, "%s%s%s", folder, between, name);
    return STRATA_OK;
}

strata_status strata_path_name(char **out, const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    if (start == end && end > 0) start = end - 1; /* "/" itself */
    *out = strndup(path + start, end - start);
    if (!*out) return strata_fail(STRATA_NO_MEMORY, "no memory for the name in %s", path);
    return STRATA_OK;
}

/* The XDG specification says to ignore a relative path, and to let nobody else into folders made here. */
strata_status strata_cache_folder(char *out, size_t room)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (xdg && xdg[0] == '/')
        n = snprintf(out, room, "%s/strata", xdg);
    else if (home && home[0] == '/')
        n = snprintf(out, room, "%s/.cache/strata", home);
    strata_status status = STRATA_OK;
    if (n < 0)
        status = strata_fail(STRATA_FILE, "the cache has no folder: neither XDG_CACHE_HOME nor HOME is set");
    else if ((size_t)n >= room)
        status = strata_fail(STRATA_FILE, "the cache has no folder: a path of %d bytes is too long", n);
    else
        status = make_folders(out, 0700);
    if (status != STRATA_OK) out[0] = '\0';
    return status;
}
