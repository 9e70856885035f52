// How the sums of a convolution begin and end. What becomes of them before they are stored, in the same pass
// over memory, is said by defines; without one nothing does.
//   RELU  0 where a sum is not above it; a NaN stays
// `start` is one of the first three; where RELU is defined END_RELU is added, which tells the reference.
const uint START_ZERO = 0, START_BIAS = 1, START_OLD = 2; // the last: y is added to
const uint END_RELU = 4;

#ifdef RELU
#define START (start - END_RELU)
float ended(float v) { return v <= 0.0 ? 0.0 : v; }
vec2 ended(vec2 v) { return mix(v, vec2(0.0), lessThanEqual(v, vec2(0.0))); }
vec4 ended(vec4 v) { return mix(v, vec4(0.0), lessThanEqual(v, vec4(0.0))); }
#else
#define START start
#define ended(v) v
#endif
