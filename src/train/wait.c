#include "train/wait.h"

enum { PIECES = 8 }; /* a look takes a microsecond or less, a batch worth looking at a thousand */

void data_wait_look(data_wait *w, double now, bool idle)
{
    if (idle && !w->idle) w->since = now;
    w->idle = w->idle || idle;
}

void data_wait_end(data_wait *w, double now)
{
    if (w->idle) w->seconds += now - w->since;
    w->idle = false;
}

uint32_t data_wait_piece(uint32_t n, uint32_t done)
{
    const uint32_t rows = n > PIECES ? (n + PIECES - 1) / PIECES : 1;
    return rows < n - done ? rows : n - done;
}
