/* Placing by lifetime, against a reckoning that looks at every time and every 256 bytes by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/place.h"
#include "ok.h"

enum { UNIT = 256, ITEMS = 40, TIMES = 14, BLOCKS = 6, UNITS = 512, ROUNDS = 600 };

typedef struct shelf {
    bool taken[TIMES][BLOCKS][UNITS];
} shelf;

static uint32_t below(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

static uint32_t units(const place_item *i) { return (uint32_t)((i->bytes + UNIT - 1) / UNIT); }

static bool is_free(const shelf *s, const place_item *item, uint32_t block, uint32_t at)
{
    for (uint32_t time = item->first; time <= item->last; time++)
        for (uint32_t u = 0; u < units(item); u++)
            if (s->taken[time][block][at + u]) return false;
    return true;
}

static void take(shelf *s, const place_item *item)
{
    for (uint32_t time = item->first; time <= item->last; time++)
        for (uint32_t u = 0; u < units(item); u++)
            s->taken[time][item->block][item->offset / UNIT + u] = true;
}

/* Sizes around whole units, many alike; lives of every length, many that end where another begins. */
static uint32_t random_items(place_item *items, strata_slice *slices, uint32_t *seed)
{
    const uint32_t n = 1 + below(seed, ITEMS);
    memset(items, 0, n * sizeof *items);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t whole = UNIT * (1 + below(seed, 10)), first = below(seed, TIMES);
        const uint32_t longest = below(seed, 3) ? TIMES - first : 1 + below(seed, 2);
        items[i].bytes = whole - (below(seed, 2) ? 0 : below(seed, UNIT));
        items[i].first = first;
        items[i].last = first + below(seed, longest);
        if (items[i].last >= TIMES) items[i].last = TIMES - 1;
        items[i].slice = &slices[i];
        items[i].name = "it";
    }
    return n;
}

static uint64_t most_alive(const place_item *items, uint32_t n)
{
    uint64_t most = 0;
    for (uint32_t time = 0; time < TIMES; time++) {
        uint64_t alive = 0;
        for (uint32_t i = 0; i < n; i++)
            if (items[i].first <= time && time <= items[i].last) alive += UNIT * (uint64_t)units(&items[i]);
        if (alive > most) most = alive;
    }
    return most;
}

/* Each lies at the first place of the first block that is free of those before it, at all its times. */
static void check_places(const place_item *items, uint32_t n, uint64_t limit, const uint64_t *bytes)
{
    static shelf s;
    uint64_t end[BLOCKS] = { 0 };
    memset(&s, 0, sizeof s);
    for (uint32_t i = 0; i < n; i++) {
        const place_item *item = &items[i];
        uint32_t block = 0, at = 0;
        if (i) assert_true(items[i - 1].bytes >= item->bytes);
        while (!is_free(&s, item, block, at)) {
            at++;
            if ((at + units(item)) * (uint64_t)UNIT > limit) block++, at = 0;
        }
        if (item->block != block || item->offset != at * (uint64_t)UNIT)
            fail_msg("item %u: block %u, byte %llu; block %u, unit %u is free", i, item->block,
                     (unsigned long long)item->offset, block, at);
        take(&s, item);
        if (end[block] < item->offset + UNIT * (uint64_t)units(item))
            end[block] = item->offset + UNIT * (uint64_t)units(item);
    }
    for (uint32_t b = 0; b < BLOCKS; b++) assert_int_equal(bytes[b], end[b]);
}

static void nothing_shares_a_byte_while_both_live(void **state)
{
    (void)state;
    uint32_t seed = 1, several = 0;
    place_room room;
    OK(place_room_init(&room, 0, TIMES));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        place_item items[ITEMS];
        strata_slice slices[ITEMS];
        strata_block blocks[BLOCKS];
        uint64_t bytes[BLOCKS] = { 0 }, all = 0;
        uint32_t n_blocks = 0;
        const uint32_t n = random_items(items, slices, &seed);
        const uint64_t limit = round % 3 ? UNITS * UNIT : UNIT * (uint64_t)(25 + below(&seed, 60));
        OK(place_items(items, n, limit, bytes, BLOCKS, &n_blocks));
        check_places(items, n, limit, bytes);
        for (uint32_t b = 0; b < BLOCKS; b++) all += bytes[b], assert_int_equal(bytes[b] > 0, b < n_blocks);
        assert_int_equal(place_least(items, n, &room), most_alive(items, n));
        assert_true(all >= most_alive(items, n));
        several += n_blocks > 1;
        place_bind(items, n, blocks);
        for (uint32_t i = 0; i < n; i++) {
            assert_ptr_equal(items[i].slice->block, &blocks[items[i].block]);
            assert_int_equal(items[i].slice->offset, items[i].offset);
            assert_int_equal(items[i].slice->bytes, items[i].bytes);
        }
    }
    assert_true(several > ROUNDS / 20);
    place_room_free(&room);
}

/* Whatever order items come in: the same plan each time. */
static void the_order_of_items_is_their_own(void **state)
{
    (void)state;
    uint32_t seed = 2;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        place_item items[ITEMS], again[ITEMS];
        strata_slice slices[ITEMS];
        uint64_t bytes[BLOCKS];
        uint32_t n_blocks = 0;
        const uint32_t n = random_items(items, slices, &seed);
        memcpy(again, items, sizeof items);
        for (uint32_t i = n; i-- > 1;) {
            const uint32_t other = below(&seed, i + 1);
            const place_item kept = again[i];
            again[i] = again[other];
            again[other] = kept;
        }
        OK(place_items(items, n, UNITS * UNIT, bytes, BLOCKS, &n_blocks));
        OK(place_items(again, n, UNITS * UNIT, bytes, BLOCKS, &n_blocks));
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(items[i].bytes, again[i].bytes);
            assert_int_equal(items[i].first, again[i].first);
            assert_int_equal(items[i].last, again[i].last);
            assert_int_equal(items[i].block, again[i].block);
            assert_int_equal(items[i].offset, again[i].offset);
        }
    }
}

/* What lives for ever ends behind the last time. */
static void nothing_ends_beyond_time(void **state)
{
    (void)state;
    const place_item items[] = { { .bytes = UNIT, .first = 1, .last = UINT32_MAX },
                                 { .bytes = UNIT, .first = 0, .last = 0 },
                                 { .bytes = UNIT + 1, .first = 2, .last = 2 } };
    place_room room;
    OK(place_room_init(&room, 0, 3));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(place_least(items, 3, &room), 3 * UNIT);
        assert_int_equal(place_least(items, 2, &room), UNIT);
        assert_int_equal(place_least(items, 0, &room), 0);
    }
    place_room_free(&room);
}

static void what_does_not_fit_is_told(void **state)
{
    (void)state;
    place_item items[3] = { 0 };
    uint64_t bytes[2];
    uint32_t n_blocks;
    for (int i = 0; i < 3; i++) items[i] = (place_item) { 2 * UNIT, 0, 0, NULL, "tensor", 0, 0 };
    OK(place_items(items, 2, 2 * UNIT, bytes, 2, &n_blocks)); /* a block full to the last byte each */
    assert_int_equal(n_blocks, 2);
    assert_int_equal(place_items(items, 3, 2 * UNIT, bytes, 2, &n_blocks), STRATA_DEVICE_MEMORY);
    assert_non_null(strstr(strata_message(), "more than 2 blocks"));
    items[1].bytes = 2 * UNIT + 1;
    assert_int_equal(place_items(items, 2, 2 * UNIT, bytes, 2, &n_blocks), STRATA_DEVICE_MEMORY);
    assert_non_null(strstr(strata_message(), "tensor takes"));
    OK(place_items(items, 0, 2 * UNIT, bytes, 2, &n_blocks));
    assert_int_equal(n_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_shares_a_byte_while_both_live),
        cmocka_unit_test(the_order_of_items_is_their_own),
        cmocka_unit_test(nothing_ends_beyond_time),
        cmocka_unit_test(what_does_not_fit_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
