// What the kernels for GPUs share that multiply matrices in tiles: a workgroup sums TILE_ROWS x TILE_COLS,
// an invocation BLOCK x BLOCK of it. Both factors pass through shared memory, ROUND terms of every sum at a
// time.
//   An invocation's quads of rows are ROW_STEP apart and its quads of columns COL_STEP, so that neighbours
// read neighbouring words of shared memory and write neighbouring quads of the result.
//   ROLLED keeps the terms of a round in a loop: some compilers spill registers where all are in line
// (tests/portability), and others make faster code of that.
#ifdef TILE_ROWS
const uint ROUND = 16;
const uint ROW_QUADS = TILE_ROWS / 4, COL_QUADS = TILE_COLS / 4, QUADS = BLOCK / 4;
const uint ROW_STEP = TILE_ROWS / BLOCK, COL_STEP = TILE_COLS / BLOCK; // quads; GROUP = ROW_STEP * COL_STEP
const uint A_LOADS = ROUND * ROW_QUADS / GROUP, B_LOADS = ROUND * COL_QUADS / GROUP; // of an invocation
shared vec4 as[ROUND * ROW_QUADS]; // [term][quad of rows, see turned]
shared vec4 bs[ROUND * COL_QUADS]; // [term][quad of columns]
vec4 sum[BLOCK][QUADS];

#ifdef ROLLED
#define EACH_TERM [[dont_unroll]]
#else
#define EACH_TERM [[unroll]]
#endif

// The row of a tile, and the quad of columns, of sum[i][j].
uint row_of(uint i) { return 4 * (lane / COL_STEP + i / 4 * ROW_STEP) + i % 4; }
uint col_of(uint j) { return lane % COL_STEP + j * COL_STEP; }

void clear_sums()
{
    [[unroll]] for (uint i = 0; i < BLOCK; i++)
        [[unroll]] for (uint j = 0; j < QUADS; j++) sum[i][j] = vec4(0.0);
}

// Where row `row` of term 4 q lies: an invocation that brings 4 terms of one row turns them, and neighbours
// with other q must not meet in a bank of shared memory.
uint turned(uint q, uint row) { return 4 * q * ROW_QUADS + (row / 4 ^ 2 * q); }

void put_turned(uint q, uint row, vec4 terms)
{
    [[unroll]] for (uint d = 0; d < 4; d++) as[turned(q, row) + d * ROW_QUADS][row % 4] = terms[d];
}

// sum += what `as` and `bs` hold, term by term. TURN: 2 where put_turned filled `as`, 0 where it is plain.
void multiply(const uint turn)
{
    EACH_TERM for (uint k = 0; k < ROUND; k++) {
        vec4 a[QUADS], b[QUADS];
        [[unroll]] for (uint i = 0; i < QUADS; i++)
            a[i] = as[k * ROW_QUADS + (lane / COL_STEP + i * ROW_STEP ^ turn * (k / 4))];
        [[unroll]] for (uint j = 0; j < QUADS; j++) b[j] = bs[k * COL_QUADS + col_of(j)];
        [[unroll]] for (uint i = 0; i < BLOCK; i++)
            [[unroll]] for (uint j = 0; j < QUADS; j++) sum[i][j] += a[i / 4][i % 4] * b[j];
    }
}
#endif
