// Stores of whole subgroups, each a workgroup or a part of one, whose lanes write neighbours, for lavapipe.
//   STORE(name, store_index() + .., value): of lane l, a vec4, to name[store_index() + .. + l], or with a
// LANE_AT to name[store_index() + .. + LANE_AT(l)]
// The buffer is declared once more by STORES(binding, name), PLACES_1(name) of kernel.glsl ends the push
// constants, and ALIGN_SPILLS stands once in main. Without LANE_STORES it is a store like any other, and
// store_index() is flat_index().
//   That driver's own way is to ask each lane of a store whether it takes part and where it writes: before
// Mesa 25 in a loop that spills all that is stored into memory in each round to pick one lane of it, since
// then in line, with a branch for each lane and float, which takes seconds to compile.
//   LANE_STORES=2 (BY_ADDRESS) stores to the address of the buffer. From Mesa 25 on that is a scatter of a
// whole subgroup under its mask, for which processors with AVX-512 have an instruction, and nobody asks for
// the end of the buffer: a kernel of 64 rows compiles in half a second instead of three. Pairs of floats go
// as doubles, whose value nobody reads: half as many scatters.
//   LANE_STORES=1 is for those before. An address that is the same in all lanes they take for one store, of
// what the first lane has. So all lanes store what each of them has, one lane after the other: the same bits
// to the same place. Each store has a branch on the end of the buffer, so two floats go as one double here,
// too. It stands outside of every loop and branch, behind no return, and all lanes take part. To see that an
// address is the same that driver looks no further than constants, push constants and sums of them, but takes
// it from Vulkan that the index of an array of push constants is. So the number of a workgroup goes through
// the table of digits in base 16, 4 or 2 that ends the push constants. And it looks anew at each use of a
// term: what follows from itself, row by row, takes it for ever.
#include "subgroup.glsl"
#ifdef LANE_STORES

uint same_bits(uint v, uint bits) // v, below 2^bits
{
#ifdef BY_ADDRESS
    return v;
#else
    uint sum = 0, digits = (bits + DIGIT_BITS - 1) / DIGIT_BITS; // one by one, or Mesa 22 does not unroll it
    [[unroll]] for (uint d = 0; d < digits; d++)
        sum += digit[v >> d * DIGIT_BITS & (1 << DIGIT_BITS) - 1] << d * DIGIT_BITS;
    return sum;
#endif
}
uint same(uint v) { return same_bits(v, 24); }
uint group_index() // of a subgroup
{
    uint workgroup = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    return workgroup * SUBGROUPS + gl_LocalInvocationID.x / SG;
}
uint store_index() { return same(group_index()) * SG; }

// A strip is what a workgroup takes of a tensor that is gone through quad by quad: EACH quads of an
// invocation, STEP apart, loaded from strip_from() on and stored from strip_to(). With PAGES a quarter of the
// lanes takes from a page of 4 KiB, and workgroups one after the other share four: a processor fetches ahead
// within a page, and is a third faster where it does so in four at once.
#ifdef PAGES
#define STEP (SG / 4)
#define PAGE 256 // quads
#define LANE_AT(l) ((l) / STEP * PAGE + (l) % STEP)
#define PART (STEP * EACH) // of a page
#define PARTS (PAGE / PART)
#define PART_BITS (PARTS > 16 ? 6 : PARTS > 4 ? 4 : 2)
#define strip_from() (group_index() / PARTS * (4 * PAGE) + group_index() % PARTS * PART + LANE_AT(lane))
#define strip_to()                                                                                           \
    (same_bits(group_index() / PARTS, 16) * (4 * PAGE) + same_bits(group_index() % PARTS, PART_BITS) * PART)
#else
#define STEP SG
#define strip_from() (group_index() * (SG * EACH) + lane)
#define strip_to() (store_index() * EACH)
#endif

#ifndef LANE_AT
#define LANE_AT(l) (l)
#endif
#ifdef BY_ADDRESS
layout(buffer_reference, std430, buffer_reference_align = 16) writeonly buffer Quads { dvec2 quad[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Pairs { double pair[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Floats { float single[]; };
#define STORES(at, name)
#define ALIGN_SPILLS(name, value) // a scatter takes no vector apart
#define STORE_PAIRS(name, at, pairs) Quads(address_##name).quad[(at) + LANE_AT(lane)] = pairs;
#if WIDE == 1 // a convolution's lane may have one float or two
#define STORE_OUT(name, at, value) Floats(address_##name).single[(at) + lane] = value;
#elif WIDE == 2
#define STORE_OUT(name, at, value)                                                                           \
    Pairs(address_##name).pair[(at) + lane] = packDouble2x32(floatBitsToUint(value));
#endif
#else
#define STORES(at, name)                                                                                     \
    layout(binding = at) buffer name##_stored_buffer { dvec2 name[]; }                                       \
    name##_stored;
// Never taken. LLVM aligns all that it spills where a vector is taken apart in memory, as the driver's own
// stores do it: else every spill of 64 bytes lies across two lines of the cache.
#define ALIGN_SPILLS(name, value)                                                                            \
    if (digit[0] != 0) name[lane] = value;
#define STORE_LANE(name, at, pairs, l) name##_stored.name[(at) + LANE_AT(l)] = FROM_LANE(pairs, l);
#define STORE_4(name, at, pairs, l)                                                                          \
    STORE_LANE(name, at, pairs, l) STORE_LANE(name, at, pairs, l + 1)                                        \
    STORE_LANE(name, at, pairs, l + 2) STORE_LANE(name, at, pairs, l + 3)
#if SG == 4
#define STORE_PAIRS(name, at, pairs) STORE_4(name, at, pairs, 0)
#elif SG == 8
#define STORE_PAIRS(name, at, pairs) STORE_4(name, at, pairs, 0) STORE_4(name, at, pairs, 4)
#else
#define STORE_PAIRS(name, at, pairs)                                                                         \
    STORE_4(name, at, pairs, 0) STORE_4(name, at, pairs, 4)                                                  \
    STORE_4(name, at, pairs, 8) STORE_4(name, at, pairs, 12)
#endif
#endif
#define STORE(name, at, value)                                                                               \
    {                                                                                                        \
        const uint lane_0 = at;                                                                              \
        const uvec4 bits = floatBitsToUint(value);                                                           \
        const dvec2 pairs = dvec2(packDouble2x32(bits.xy), packDouble2x32(bits.zw));                         \
        STORE_PAIRS(name, lane_0, pairs)                                                                     \
    }
#else
#define STORES(at, name)
#define ALIGN_SPILLS(name, value)
#define STORE(name, at, value) PUT(name, at, value);
uint store_index() { return flat_index(); }
#endif
#ifndef STORE_OUT
#define STORE_OUT(name, at, value) STORE(name, at, value)
#endif
