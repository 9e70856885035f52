/* Files that one process at a time has for itself. */
#ifndef STRATA_CORE_LOCK_H
#define STRATA_CORE_LOCK_H

#include <stdbool.h>

typedef struct strata_lock { /* zeroed holds nothing */
    char *path;              /* NULL: nothing */
    int fd;
} strata_lock;

/* Lock the file at `path`, which is made where it is missing and holds the process's number. However the
 * process ends, the system takes the lock back.
 *   *holder  out: where it is another's, the number of its process; 0: not known
 * Owner:   caller; release with strata_lock_release. It holds nothing where the file system has no locks or
 *          the file cannot be made: nobody is kept out then.
 * Returns: false: another has it. */
bool strata_lock_take(strata_lock *lock, const char *path, long *holder);

/* Does another process hold it? *holder as above. Makes nothing, changes nothing and keeps nobody out. */
bool strata_lock_held(const char *path, long *holder);

/* Remove the file and let it go. One that holds nothing is allowed. */
void strata_lock_release(strata_lock *lock);

#endif
