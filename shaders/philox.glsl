// Philox4x32-10: random numbers as a function of a counter. Twin: src/core/random.c gives the same bits.
uvec4 philox(uvec4 counter, uvec2 key)
{
    for (int round = 0; round < 10; round++) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, counter.x, high0, low0);
        umulExtended(0xCD9E8D57u, counter.z, high1, low1);
        counter = uvec4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

// Uniform in [0, 1): the upper 24 bits, exact in float.
vec4 uniform4(uvec4 words) { return vec4(words >> 8) * (1.0 / 16777216.0); }
