// Sums and maxima over a workgroup, in a fixed order and for any subgroup size: a tree in shared memory.
// Every invocation must call them, and gets the result.
shared float reduce_room[GROUP];

float group_sum(float x)
{
    barrier(); // the room may still be read by a call before
    reduce_room[lane] = x;
    barrier();
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        if (lane < half_size) reduce_room[lane] += reduce_room[lane + half_size];
        barrier();
    }
    return reduce_room[0];
}

float group_max(float x)
{
    barrier();
    reduce_room[lane] = x;
    barrier();
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        if (lane < half_size) reduce_room[lane] = max(reduce_room[lane], reduce_room[lane + half_size]);
        barrier();
    }
    return reduce_room[0];
}
