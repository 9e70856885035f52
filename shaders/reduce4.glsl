// As group_sum of reduce.glsl, for four sums at a time.
shared vec4 reduce4_room[GROUP];

vec4 group_sum4(vec4 x)
{
    barrier(); // the room may still be read by a call before
    reduce4_room[lane] = x;
    barrier();
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        if (lane < half_size) reduce4_room[lane] += reduce4_room[lane + half_size];
        barrier();
    }
    return reduce4_room[0];
}
