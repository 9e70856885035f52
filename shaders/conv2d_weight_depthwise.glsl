// The depthwise variant where the launcher knows the window, TAPS_H x TAPS_W: an invocation sums a quad of
// all its taps, or of one line of them where ONE_LINE, over a chunk, EACH pixels of a line of dy at once,
// which share most of what they read of x. Columns [INNER_FROM, INNER_TO) of that lie inside x in all strips
// of a line, and are not looked after. WHOLE: chunks and lines are whole strips.
#if defined(DEPTHWISE) && defined(EACH)
const int COLUMNS = (EACH - 1) * STRIDE_W + TAPS_W;
#ifdef ONE_LINE
const uint LINES_EACH = 1;
#else
const uint LINES_EACH = TAPS_H;
#endif
const uint TAPS_EACH = LINES_EACH * TAPS_W;

void add_line(inout vec4 sum[TAPS_EACH], uint r, vec4 dys[EACH], int from, int left, bool line_inside)
{
    vec4 xs[COLUMNS];
    [[unroll]] for (int c = 0; c < COLUMNS; c++) {
#ifdef INNER_FROM // lines outside were left out
        bool inside = c >= INNER_FROM && c < INNER_TO || uint(left + c) < x_w;
#else
        bool inside = all(bvec2(line_inside, uint(left + c) < x_w));
#endif
        xs[c] = mix(vec4(0.0), X(mix(0, from + c * int(x_quads), inside)), bvec4(inside));
    }
    [[unroll]] for (int s = 0; s < TAPS_W; s++)
        [[unroll]] for (int e = 0; e < EACH; e++) sum[r * TAPS_W + s] += xs[e * STRIDE_W + s] * dys[e];
}

void main()
{
    uint i = flat_index(), line_of_taps = i / y_quads, col = i - line_of_taps * y_quads;
    uint z = line_of_taps / (TAPS_H / LINES_EACH), first_r = line_of_taps % (TAPS_H / LINES_EACH);
    if (z >= chunks) return;
    uvec2 pixels = chunk_pixels(z);
    uint to = ((chunk_first + z) * (TAPS_H * TAPS_W) + first_r * TAPS_W) * y_quads + col;
    vec4 sum[TAPS_EACH];
    [[unroll]] for (uint t = 0; t < TAPS_EACH; t++) {
        sum[t] = vec4(0.0);
#ifdef OLD // start == START_OLD, see conv2d_depthwise.glsl
        sum[t] = dw[to + t * y_quads];
#endif
    }

    // Strips begin at multiples of EACH on a line; a chunk may begin or end within one.
    uint line = pixels.x / y_w, n = line / y_h, p = line - n * y_h, q = pixels.x - line * y_w;
    q -= q % EACH;
    for (uint k = line * y_w + q; k < pixels.y;) {
        vec4 dys[EACH];
        [[unroll]] for (uint e = 0; e < EACH; e++) {
#ifdef WHOLE
            dys[e] = DY((k + e) * y_quads + col);
#else
            bool mine = q + e < y_w && k + e >= pixels.x && k + e < pixels.y;
            dys[e] = mix(vec4(0.0), DY(min(k + e, pixels.y - 1) * y_quads + col), bvec4(mine));
#endif
        }
        int top = int(p) * stride_h - pad_h, left = int(q) * STRIDE_W - pad_w;
        [[unroll]] for (uint r = 0; r < LINES_EACH; r++) {
            int h = top + int(first_r + r) * dilation_h, line_of_x = (int(n * x_h) + h) * int(x_w);
            int from = (line_of_x + left) * int(x_quads) + int(col);
#ifdef INNER_FROM
            if (uint(h) < x_h)
#endif
                add_line(sum, r, dys, from, left, uint(h) < x_h);
        }
        bool next = q + EACH >= y_w;
        k = mix(k + EACH, k + y_w - q, next);
        q = mix(q + EACH, 0, next);
        p += uint(next);
        bool over = p == y_h;
        p = mix(p, 0, over);
        n += uint(over);
    }
    [[unroll]] for (uint t = 0; t < TAPS_EACH; t++) dw[to + t * y_quads] = mask_columns(sum[t], col);
}
#endif
