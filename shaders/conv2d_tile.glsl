// The variant for GPUs: a workgroup sums a TILE x TILE piece of y (rows x columns), an invocation 4 x 4 of
// it; x and w pass through shared memory, ROUND of the taps and channels at a time.
#ifdef TILE
const uint SIDE = TILE / 4, ROUND = 16, LOADS = 4 * TILE / GROUP; // GROUP = SIDE * SIDE
shared float xs[ROUND][TILE + 1];                                 // one more: rows fall into different banks
shared vec4 ws[ROUND][SIDE];

struct Step { // a quad of the sum
    int a, b;
    uint quad;
};

void advance(inout Step k, uint quads)
{
    k.quad += quads;
    while (k.quad >= quad_end) {
        k.quad -= quad_end - quad_begin;
        k.b++;
        if (k.b == int(taps_w)) {
            k.b = 0;
            k.a++;
        }
    }
}

bool is_tap(Step k) { return uint(k.a) * taps_w + uint(k.b) < tap_end; }

void main()
{
    uint row = tile_of_rows() * TILE, col = gl_WorkGroupID.z * SIDE;
    uint i0 = 4 * (lane / SIDE), j = lane % SIDE;
    Pixel at[LOADS];
    Step kx = Step(int(tap_begin / taps_w), int(tap_begin % taps_w), quad_begin), kw[LOADS];
    [[unroll]] for (uint l = 0; l < LOADS; l++) {
        at[l] = pixel_of_row(row + (lane + l * GROUP) / 4);
        kw[l] = kx;
        advance(kw[l], (lane + l * GROUP) / SIDE / 4);
    }
    advance(kx, lane % 4);

    uint to[4];
    vec4 sum[4];
    bool here = col + j < y_quads;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        to[i] = pixel_of_row(row + i0 + i).to;
        if (to[i] != NOWHERE) to[i] = here ? to[i] * y_quads + col + j : NOWHERE;
        sum[i] = vec4(0.0);
        if (start == START_BIAS && here) sum[i] = bias[col + j];
        if (start == START_OLD && to[i] != NOWHERE) sum[i] = GET(y, to[i]);
    }

    uint quads = (tap_end - tap_begin) * (quad_end - quad_begin);
    for (uint k = 0; k < quads; k += ROUND / 4) {
        barrier();
        [[unroll]] for (uint l = 0; l < LOADS; l++) {
            uint e = lane + l * GROUP, from = is_tap(kx) ? source_of(at[l], kx.a, kx.b) : NOWHERE;
            vec4 v = from == NOWHERE ? vec4(0.0) : mask(X(from + kx.quad), kx.quad);
            [[unroll]] for (uint d = 0; d < 4; d++) xs[4 * (e % 4) + d][e / 4] = v[d];

            uint d = e / SIDE; // of the round
            bool is_weight = is_tap(kw[l]) && here; // e % SIDE is j
            uint tap = uint(w_first + kw[l].a * w_step_h + kw[l].b * w_step_w) + col + j;
            ws[d][j] = is_weight ? W(tap + (4 * kw[l].quad + d % 4) * y_quads) : vec4(0.0);
            advance(kw[l], ROUND / 4);
        }
        advance(kx, ROUND / 4);
        barrier();
        [[unroll]] for (uint d = 0; d < ROUND; d++) {
            vec4 b = ws[d][j];
            [[unroll]] for (uint i = 0; i < 4; i++) sum[i] += xs[d][i0 + i] * b;
        }
    }
    [[unroll]] for (uint i = 0; i < 4; i++)
        if (to[i] != NOWHERE) PUT(y, to[i], sum[i]);
}
#endif
