// The depthwise variant where the launcher knows the window, TAPS_H x TAPS_W: an invocation sums a quad of
// EACH pixels, side by side on a line of the grid, which share the weights and most of what they read of x.
// Columns of x are MUL_W apart from pixel to pixel, and STEP_W from tap to tap. Of the columns of a strip
// [INNER_FROM, INNER_TO) lie inside x in all strips of a line, and are not looked after.
#if defined(DEPTHWISE) && defined(EACH)
const int BEFORE = min(0, (TAPS_W - 1) * STEP_W);
const int COLUMNS = (EACH - 1) * MUL_W + (TAPS_W - 1) * abs(STEP_W) + 1;

uint to_of(uint n, uint row, uint j) { return y_first + n * y_image + row * y_line + j * y_step; }

// The taps of line a, which read x from (h, left) on.
void add_line(inout vec4 sum[EACH], int a, uint n, int h, int left, uint col)
{
    vec4 xs[COLUMNS], ws[TAPS_W];
    int from = ((int(n * x_h) + h) * int(x_w) + left) * int(x_quads) + int(col);
    [[unroll]] for (int b = 0; b < TAPS_W; b++) ws[b] = W(uint(w_first + a * w_step_h + b * w_step_w) + col);
    [[unroll]] for (int c = 0; c < COLUMNS; c++) {
#ifdef INNER_FROM // lines outside were left out
        bool inside = c >= INNER_FROM && c < INNER_TO || uint(left + c) < x_w;
#else
        bool inside = all(lessThan(uvec2(h, left + c), uvec2(x_h, x_w)));
#endif
        xs[c] = mix(vec4(0.0), X(mix(0, from + c * int(x_quads), inside)), bvec4(inside));
    }
    [[unroll]] for (int e = 0; e < EACH; e++)
        [[unroll]] for (int b = 0; b < TAPS_W; b++) sum[e] += xs[e * MUL_W + b * STEP_W - BEFORE] * ws[b];
}

STORES(3, y)
#define NUMBER(i) AT(table, i * y_quads + col)
void main()
{
    uint strips = (rows_w + EACH - 1) / EACH;
#ifdef LINES // the grid is of such
    uint i = gl_WorkGroupID.x * GROUP + lane, strip = i / y_quads, j = strip * EACH;
    uint n = gl_WorkGroupID.z, row = gl_WorkGroupID.y;
    bool exists = strip < strips;
#else
    uint i = flat_index(), strip = i / y_quads, line = strip / strips, j = (strip - line * strips) * EACH;
    uint n = line / rows_h, row = line - n * rows_h;
    bool exists = n < images;
#endif
    uint col = i - strip * y_quads, to = to_of(n, row, j) * y_quads + col;
#ifdef LANE_STORES // no workgroup too many
    uint same_i = same_bits(gl_WorkGroupID.x, BITS_X) * SG, same_strip = same_i / y_quads;
    uint same_n = same_bits(gl_WorkGroupID.z, BITS_Z), same_row = same_bits(gl_WorkGroupID.y, BITS_Y);
    uint same_to = to_of(same_n, same_row, same_strip * EACH) * y_quads + same_i - same_strip * y_quads;
#else
    if (!exists) return;
    uint same_to = to;
#endif
    int top = int(row) * mul_h + first_h, left = int(j) * MUL_W + first_w + BEFORE;
    vec4 sum[EACH];
    [[unroll]] for (uint e = 0; e < EACH; e++) {
        sum[e] = vec4(0.0);
#ifdef OLD // START == START_OLD; loads in a branch that is not taken cost what they cost in one that is
        if (j + e < rows_w) sum[e] = GET(y, to + e * y_step * y_quads);
#elif defined(BIASED)
        sum[e] = bias[col];
#endif
    }
    [[unroll]] for (int a = 0; a < TAPS_H; a++) {
        int h = top + a * step_h;
#ifdef INNER_FROM
        if (uint(h) < x_h)
#endif
            add_line(sum, a, n, h, left, col);
    }
    Ending of = ENDING(NUMBER);
    [[unroll]] for (uint e = 0; e < EACH; e++) {
#ifndef WHOLE // lines of EACH pixels
        if (j + e < rows_w)
#endif
            STORE(y, same_to + e * y_step * y_quads, ENDED(sum[e], of, AT(z, to + e * y_step * y_quads)))
    }
    ALIGN_SPILLS(y, sum[0])
}
#endif
