// The depthwise variant where the launcher knows the window, TAPS_H x TAPS_W: an invocation sums a quad of
// all its taps over a chunk, EACH pixels of a line of dy at once, which share most of what they read of x.
#if defined(DEPTHWISE) && defined(EACH)
const int COLUMNS = (EACH - 1) * STRIDE_W + TAPS_W;

void main()
{
    uint i = flat_index(), z = i / y_quads, col = i - z * y_quads;
    if (z >= chunks) return;
    uvec2 pixels = chunk_pixels(z);
    uint to = (chunk_first + z) * (TAPS_H * TAPS_W) * y_quads + col;
    vec4 sum[TAPS_H * TAPS_W];
    [[unroll]] for (uint t = 0; t < TAPS_H * TAPS_W; t++) {
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
            bool mine = q + e < y_w && k + e >= pixels.x && k + e < pixels.y;
            dys[e] = mix(vec4(0.0), DY(min(k + e, pixels.y - 1) * y_quads + col), bvec4(mine));
        }
        int top = int(p) * stride_h - pad_h, left = int(q) * STRIDE_W - pad_w;
        [[unroll]] for (int r = 0; r < TAPS_H; r++) {
            vec4 xs[COLUMNS];
            int h = top + r * dilation_h, line_of_x = (int(n * x_h) + h) * int(x_w);
            int from = (line_of_x + left) * int(x_quads) + int(col);
            [[unroll]] for (int c = 0; c < COLUMNS; c++) {
                bool inside = all(lessThan(uvec2(h, left + c), uvec2(x_h, x_w)));
                xs[c] = mix(vec4(0.0), X(mix(0, from + c * int(x_quads), inside)), bvec4(inside));
            }
            [[unroll]] for (int s = 0; s < TAPS_W; s++)
                [[unroll]] for (int e = 0; e < EACH; e++)
                    sum[r * TAPS_W + s] += xs[e * STRIDE_W + s] * dys[e];
        }
        bool next = q + EACH >= y_w;
        k = mix(k + EACH, k + y_w - q, next);
        q = mix(q + EACH, 0, next);
        p += uint(next);
        bool over = p == y_h;
        p = mix(p, 0, over);
        n += uint(over);
    }
    [[unroll]] for (uint t = 0; t < TAPS_H * TAPS_W; t++) dw[to + t * y_quads] = mask_columns(sum[t], col);
}
#endif
