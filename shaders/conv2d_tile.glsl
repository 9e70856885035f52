// The variants for GPUs, see tile.glsl: rows are pixels of y, the terms of a sum its taps and channels, in
// quads.
#ifdef TILE_ROWS
#include "tile.glsl"

struct Step { // a quad of the sum
    int a, b;
    uint quad;
};

// True where it comes to another tap.
bool advance(inout Step k, uint quads)
{
    k.quad += quads;
    bool next = k.quad >= quad_end;
#ifdef WHOLE // rounds begin and end with taps
    if (next) {
#else
    while (k.quad >= quad_end) {
#endif
        k.quad -= quad_end - quad_begin;
        k.b++;
        if (k.b == int(taps_w)) {
            k.b = 0;
            k.a++;
        }
    }
    return next;
}

bool is_tap(Step k) { return uint(k.a) * taps_w + uint(k.b) < tap_end; }

// What an invocation brings from memory: of x always the same rows and, of a round, the same quad; of w the
// same columns. With WHOLE all its rows of w belong to one tap.
#ifdef WHOLE
const uint B_STEPS = 1;
#else
const uint B_STEPS = B_LOADS;
#endif
Pixel at[A_LOADS];
uint from[A_LOADS];
Step kx, kw[B_STEPS];

void locate()
{
    bool exists = is_tap(kx);
    [[unroll]] for (uint l = 0; l < A_LOADS; l++) from[l] = exists ? source_of(at[l], kx.a, kx.b) : NOWHERE;
}

void begin(uint row)
{
    [[unroll]] for (uint l = 0; l < A_LOADS; l++) at[l] = pixel_of_row(row + (lane + l * GROUP) / 4);
    kx = Step(int(tap_begin / taps_w), int(tap_begin % taps_w), quad_begin);
    [[unroll]] for (uint l = 0; l < B_STEPS; l++) {
        kw[l] = kx;
#ifndef WHOLE
        advance(kw[l], (lane + l * GROUP) / COL_QUADS / 4);
#endif
    }
    advance(kx, lane % 4);
    locate();
}

// Bring a round, and go on to the next.
void bring(uint col)
{
    vec4 xs[A_LOADS], ws[B_LOADS];
    [[unroll]] for (uint l = 0; l < A_LOADS; l++)
        xs[l] = from[l] == NOWHERE ? vec4(0.0) : mask(X(from[l] + kx.quad), kx.quad);
    [[unroll]] for (uint l = 0; l < B_LOADS; l++) {
        uint term = (lane + l * GROUP) / COL_QUADS;
        Step k = kw[l % B_STEPS];
        uint tap = uint(w_first + k.a * w_step_h + k.b * w_step_w) + col;
#ifdef WHOLE
        k.quad += term / 4;
#endif
        ws[l] = is_tap(k) && col < y_quads ? W(tap + (4 * k.quad + term % 4) * y_quads) : vec4(0.0);
    }
    [[unroll]] for (uint l = 0; l < B_STEPS; l++) advance(kw[l], ROUND / 4);
    if (advance(kx, ROUND / 4)) locate();
    barrier(); // all have multiplied the round before
    [[unroll]] for (uint l = 0; l < A_LOADS; l++) put_turned(lane % 4, (lane + l * GROUP) / 4, xs[l]);
    [[unroll]] for (uint l = 0; l < B_LOADS; l++) bs[lane + l * GROUP] = ws[l];
    barrier();
}

#define NUMBER(i) AT(table, i * y_quads + min(col + col_of(j), y_quads - 1))
void main()
{
    uint row = tile_of_rows() * TILE_ROWS, col = gl_WorkGroupID.z * COL_QUADS;
    clear_sums();
    if (START != START_ZERO)
        [[unroll]] for (uint i = 0; i < BLOCK; i++) {
            uint to = START == START_BIAS ? 0 : pixel_of_row(row + row_of(i)).to;
            [[unroll]] for (uint j = 0; j < QUADS; j++) {
                uint c = col + col_of(j);
                if (c >= y_quads || to == NOWHERE) continue;
                if (START == START_BIAS)
                    sum[i][j] = bias[c];
                else
                    sum[i][j] = GET(y, to * y_quads + c);
            }
        }
    uint quads = (tap_end - tap_begin) * (quad_end - quad_begin);
    begin(row);
    for (uint k = 0; k < quads; k += ROUND / 4) {
        bring(col + lane % COL_QUADS);
        multiply(2);
    }
    Ending of[QUADS];
    [[unroll]] for (uint j = 0; j < QUADS; j++) of[j] = ENDING(NUMBER);
    [[unroll]] for (uint i = 0; i < BLOCK; i++) {
        uint to = pixel_of_row(row + row_of(i)).to;
        [[unroll]] for (uint j = 0; j < QUADS; j++) {
            uint c = col + col_of(j);
            if (to == NOWHERE || c >= y_quads) continue;
            PUT(y, to * y_quads + c, ENDED(sum[i][j], of[j], AT(z, to * y_quads + c)));
        }
    }
}
#endif
