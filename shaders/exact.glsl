// Functions of +, - and *, which Vulkan asks to be rounded correctly, and of whole numbers alone: the same
// bits on every device. sin, sqrt and division may be off by more than the last place. Twin: src/cpu/exact.h.

// 1 / x and 1 / sqrt(x) to about a unit in the last place, x > 0: a guess by the exponent, then Newton's
// steps.
float exact_inverse(float x)
{
    precise float y = uintBitsToFloat(0x7EF311C7u - floatBitsToUint(x));
    for (int i = 0; i < 4; i++) y = y * (2.0 - x * y);
    return y;
}

float exact_root(float x) // sqrt(x)
{
    precise float y = uintBitsToFloat(0x5F3759DFu - (floatBitsToUint(x) >> 1)), half_x = 0.5 * x;
    for (int i = 0; i < 4; i++) y = y * (1.5 - half_x * y * y);
    y = x * y;
    return y;
}

// 2^x, x in [-64, 64].
float exact_exp2(float x)
{
    precise float whole = floor(x + 0.5), t = (x - whole) * 0.69314718;
    precise float y = 0.041666667 + t * (0.0083333333 + t * 0.0013888889);
    y = 1.0 + t * (1.0 + t * (0.5 + t * (0.16666667 + t * y)));
    y = y * uintBitsToFloat(uint(int(whole) + 127) << 23);
    return y;
}

// (cos, sin) of a turn, x in [-1, 1]: of what is left of it after quarters.
vec2 exact_turn(float x)
{
    precise float quarters = floor(4.0 * x + 0.5), t = (x - 0.25 * quarters) * 6.2831853, s = t * t;
    precise float c = 1.0 + s * (-0.5 + s * (0.041666667 + s * (-0.0013888889 + s * 2.4801587e-5)));
    precise float d = 0.0083333333 + s * (-1.9841270e-4 + s * 2.7557319e-6);
    d = t * (1.0 + s * (-0.16666667 + s * d));
    uint k = uint(int(quarters) + 4) % 4u;
    return k == 0 ? vec2(c, d) : k == 1 ? vec2(-d, c) : k == 2 ? vec2(-c, -d) : vec2(d, -c);
}

// log(x / (1 - x)), x in [0.25, 0.75]: twice the inverse hyperbolic tangent of 2 x - 1.
float exact_logit(float x)
{
    precise float z = 2.0 * x - 1.0, s = z * z;
    precise float y = 0.11111111 + s * (0.090909091 + s * (0.076923077 + s * 0.066666667));
    y = 2.0 * z * (1.0 + s * (0.33333333 + s * (0.2 + s * (0.14285714 + s * y))));
    return y;
}
