// Winograd's F(2x2,3x3) in one kernel, for GPUs: 2 x 2 outputs of a 3 x 3 convolution from 4 x 4 inputs with
// 16 products instead of 36. In one dimension, with the points 0, 1, -1 and infinity (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2015),
//   y = A^T ((G g) * (B^T d)),    d: 4 inputs, g: 3 taps, y: 2 outputs
// and in two dimensions each matrix is applied to the columns and then to the rows.
//   What is transformed never comes to memory. A workgroup multiplies two matrices at all 16 points
// f = (i, j), 32 rows by 32 columns; an invocation sums a block of 8 x 8 at one point. Both factors pass
// through shared memory, ROUND terms of every sum at a time; at the end the sums do, where the points of an
// output meet.
//   ROLLED keeps the terms of a round in a loop, see tile.glsl.
const uint ROUND = 8;
const uint POINTS = 16, LINE = 8; // quads of 32 rows or of 32 columns
const uint FACTOR = ROUND * POINTS * LINE;
shared vec4 room[2 * FACTOR]; // [term][point][quad of rows], then the same of columns; at the end `leave`
vec4 sum[8][2];

#ifdef ROLLED
#define EACH_TERM [[dont_unroll]]
#else
#define EACH_TERM [[unroll]]
#endif

// The row of sum[i][j]; its quad of columns is lane % 4 + 4 j.
uint row_of(uint i) { return 4 * (lane / 4 % 4 + i / 4 * 4) + i % 4; }

void clear_sums()
{
    [[unroll]] for (uint i = 0; i < 8; i++)
        [[unroll]] for (uint j = 0; j < 2; j++) sum[i][j] = vec4(0.0);
}

// Row r of the terms 4 q + d at a point: an invocation that brings 4 terms of one row turns them, and
// neighbours with other q must not meet in a bank of shared memory.
void put_turned(uint q, uint point, uint r, vec4 terms)
{
    uint to = (4 * q * POINTS + point) * LINE + (r / 4 ^ 4 * q);
    [[unroll]] for (uint d = 0; d < 4; d++) room[to + d * POINTS * LINE][r % 4] = terms[d];
}

// sum += what the room holds. TURN: 4 where put_turned filled the rows, 0 where they are plain. Places are a
// number of the invocation's plus a constant, which compilers put into the load.
void multiply(const uint turn)
{
    uint rows = lane / 16 * LINE + lane / 4 % 4, columns = lane / 16 * LINE + lane % 4 + FACTOR;
    EACH_TERM for (uint k = 0; k < ROUND; k++) {
        vec4 a[2], b[2];
        [[unroll]] for (uint i = 0; i < 2; i++)
            a[i] = room[rows + (k * POINTS * LINE + (4 * i ^ turn * (k / 4)))];
        [[unroll]] for (uint j = 0; j < 2; j++) b[j] = room[columns + (k * POINTS * LINE + 4 * j)];
        [[unroll]] for (uint i = 0; i < 8; i++)
            [[unroll]] for (uint j = 0; j < 2; j++) sum[i][j] += a[i / 4][i % 4] * b[j];
    }
}

// Where a row and a quad of columns are left at point (i, k), so that neighbours of other rows or other lines
// of points do not meet in a bank.
uint place_of(uint i, uint k, uint row, uint quad)
{
    return (((4 * i + k) * 32 + row) * 4 + quad) ^ 4 * ((row / 4 + i) % 2);
}

// Leave half of the sums, the quads of columns 4 j to 4 j + 3, for all to read.
void leave(const uint j)
{
    barrier();
    [[unroll]] for (uint r = 0; r < 8; r++)
        room[place_of(lane / 64, lane / 16 % 4, row_of(r), lane % 4)] = sum[r][j];
    barrier();
}

// What was left at point (i, k): a row of one of those quads.
vec4 left(uint i, uint k, uint row, uint quad) { return room[place_of(i, k, row, quad)]; }

vec4[4] input_points(vec4 d[4]) // B^T d
{
    return vec4[4](d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

vec4[4] output_points(vec4 y[2]) // A y
{
    return vec4[4](y[0], y[0] + y[1], y[0] - y[1], -y[1]);
}

vec4[2] output_pixels(vec4 m[4]) // A^T m
{
    return vec4[2](m[0] + m[1] + m[2], m[1] - m[2] - m[3]);
}

vec4[3] weight_taps(vec4 u[4]) // G^T u
{
    vec4 ends = 0.5 * (u[1] + u[2]);
    return vec4[3](u[0] + ends, 0.5 * (u[1] - u[2]), ends + u[3]);
}
