/* Not in file.c: what that asks of the system's headers hides flock on some. */
#include "core/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is the open file still the one at `path`? Whoever had the lock before may have removed it. */
static bool is_there(int fd, const char *path)
{
    struct stat own, there;
    return fstat(fd, &own) == 0 && stat(path, &there) == 0 && own.st_dev == there.st_dev &&
           own.st_ino == there.st_ino;
}

static long read_number(int fd)
{
    char text[32] = "";
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static void keep(strata_lock *lock, int fd, const char *path)
{
    char text[32];
    const int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        /* the number is for people: the lock holds without it */
    }
    *lock = (strata_lock) { strdup(path), fd };
    if (!lock->path) close(fd);
}

bool strata_lock_take(strata_lock *lock, const char *path, long *holder)
{
    enum { ATTEMPTS = 100 }; /* each fails only where a holder let go between two lines of it */
    *lock = (strata_lock) { 0 };
    *holder = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) return true;
        int failed;
        do failed = flock(fd, LOCK_EX | LOCK_NB) != 0 ? errno : 0;
        while (failed == EINTR);
        if (!failed && is_there(fd, path)) {
            keep(lock, fd, path);
            return true;
        }
        if (failed == EWOULDBLOCK) *holder = read_number(fd);
        if (failed && failed != EWOULDBLOCK) unlink(path);
        close(fd);
        if (failed) return failed != EWOULDBLOCK;
    }
    return true;
}

bool strata_lock_held(const char *path, long *holder)
{
    *holder = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (held) *holder = read_number(fd);
    close(fd);
    return held;
}

void strata_lock_release(strata_lock *lock)
{
    if (lock->path) {
        unlink(lock->path); /* while it is held: whoever opened it meanwhile sees that it is gone */
        close(lock->fd);
    }
    free(lock->path);
    *lock = (strata_lock) { 0 };
}
