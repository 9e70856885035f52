// What every kernel shares. Defines come from the launcher; these are the defaults. PASS is one of the names
// of src/core/kernel.h (FORWARD, BACKWARD_X, ...), which are defined too.
#extension GL_EXT_control_flow_attributes : require
#ifdef SG // a workgroup is SUBGROUPS subgroups of so many lanes
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_ballot : require
#endif
#ifdef LANE_STORES
#if LANE_STORES == 2
#define BY_ADDRESS
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#endif
#endif

#ifndef PASS
#define PASS FORWARD
#endif
#ifndef GROUP
#define GROUP 64 // invocations in a workgroup; a power of two
#endif
#ifndef SUBGROUPS
#define SUBGROUPS 1
#endif
layout(local_size_x = GROUP * SUBGROUPS) in;
#if SUBGROUPS > 1
#define lane (gl_LocalInvocationID.x % SG)
#else
#define lane gl_LocalInvocationID.x
#endif

// Long loops read copies of push constants, made before them. lavapipe before Mesa 25 takes one as the
// same in all lanes only where none can be masked out: in a loop it asks each lane, in some 50 instructions.

const float LOWEST = -3.4028234663852886e38;

// The index of this invocation in a full grid of one dimension, which the launcher folds over x and y where
// it has more than 65535 groups (strata_grid in src/ops/op.h).
uint flat_index() { return (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * GROUP + lane; }

// What push constants end in where STORE of lane_stores.glsl is used, of one to three buffers: 8 bytes for
// each, where it is by address, else a table of digits: of 64 bytes, or 16 or 8 with DIGIT_BITS 2 or 1. A
// digit is a load, so the most bits that there is room for are best.
#ifndef DIGIT_BITS
#define DIGIT_BITS 4
#endif
#ifdef BY_ADDRESS
#define PLACES_1(a) layout(offset = 120) uvec2 address_##a;
#define PLACES_2(a, b) layout(offset = 112) uvec2 address_##a; PLACES_1(b)
#define PLACES_3(a, b, c) layout(offset = 104) uvec2 address_##a; PLACES_2(b, c)
#else
#if !defined(LANE_STORES)
#define DIGITS
#elif DIGIT_BITS == 4
#define DIGITS layout(offset = 64) uint digit[16];
#elif DIGIT_BITS == 2
#define DIGITS layout(offset = 112) uint digit[4];
#else
#define DIGITS layout(offset = 120) uint digit[2];
#endif
#define PLACES_1(a) DIGITS
#define PLACES_2(a, b) DIGITS
#define PLACES_3(a, b, c) DIGITS
#endif
