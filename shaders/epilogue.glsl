// How the sums of a convolution begin and end. What becomes of them before they are stored, in the same pass
// over memory, is said by defines, in this order; without one nothing does.
//   NORM  (v - mean) scale + offset, as batch_norm.comp has it: numbers of a channel, which
//         batch_norm_finish.comp makes of running statistics; table [4, y_quads]
//   SUM   another tensor z, which lies as y does, is added
//   RELU  0 where that is not above it; a NaN stays
// A kernel sums values of type ENDS: float, vec2 or vec4.
//   Ending of = ENDING(NUMBER);   once for a channel, or for as many as a value has; NUMBER(i) is row i of
//                                 the table for it
//   PUT(y, i, ENDED(sum, of, AT(z, i)));   the last is not looked at without SUM
// `start` is one of the first three; where RELU is defined END_RELU is added, which tells the reference.
const uint START_ZERO = 0, START_BIAS = 1, START_OLD = 2; // the last: y is added to
const uint END_RELU = 4;

#ifdef NORM
struct Ending { ENDS mean, scale, offset; };
#define ENDING(number) Ending(number(0), number(2), number(3))
#define NORMED(v, of) (((v) - of.mean) * of.scale + of.offset)
#else
struct Ending { uint none; };
#define ENDING(number) Ending(0)
#define NORMED(v, of) v
#endif
#ifdef SUM
#define SUMMED(v, z) (v) + (z)
#else
#define SUMMED(v, z) v
#endif
#ifdef RELU
#define START (start - END_RELU)
float above_zero(float v) { return v <= 0.0 ? 0.0 : v; }
vec2 above_zero(vec2 v) { return mix(v, vec2(0.0), lessThanEqual(v, vec2(0.0))); }
vec4 above_zero(vec4 v) { return mix(v, vec4(0.0), lessThanEqual(v, vec4(0.0))); }
#else
#define START start
#define above_zero(v) v
#endif
#define ENDED(v, of, z) above_zero(SUMMED(NORMED(v, of), z))
