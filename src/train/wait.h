/* How long the device had nothing to do while the host made images for it.
 *
 * The device is asked between the pieces of a batch. Nothing that it still did counts, so the measure is
 * never too long; what it had been idle for when a look first found it so is not counted, at most a piece of
 * each batch. */
#ifndef STRATA_TRAIN_WAIT_H
#define STRATA_TRAIN_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed is no wait. */
typedef struct data_wait {
    double seconds; /* in all */
    double since;   /* when the device was first seen idle, of the batch that is made */
    bool idle;      /* it was */
} data_wait;

/* The device was looked at. */
void data_wait_look(data_wait *w, double now, bool idle);

/* The batch was made, and the device has work again. */
void data_wait_end(data_wait *w, double now);

/* Rows of the next piece of a batch of `n`, of which `done` are made: an eighth of it, at least one. */
uint32_t data_wait_piece(uint32_t n, uint32_t done);

#endif
