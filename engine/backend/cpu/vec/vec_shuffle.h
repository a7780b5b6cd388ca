/*
 * vec_shuffle.h - what moves numbers between the lanes of vectors; included by vec_internal.h.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_SHUFFLE_H
#define ENGINE_BACKEND_CPU_VEC_VEC_SHUFFLE_H

/* Lanes of a and b by number: those of b follow those of a. of(lane, arg) is a constant. */
#if VEC_LANES == 16
#define VEC_SHUFFLE(a, b, of, arg)                                                                 \
    __builtin_shufflevector(a, b, of(0, arg), of(1, arg), of(2, arg), of(3, arg), of(4, arg),      \
                            of(5, arg), of(6, arg), of(7, arg), of(8, arg), of(9, arg),            \
                            of(10, arg), of(11, arg), of(12, arg), of(13, arg), of(14, arg),       \
                            of(15, arg))
#else
#define VEC_SHUFFLE(a, b, of, arg)                                                                 \
    __builtin_shufflevector(a, b, of(0, arg), of(1, arg), of(2, arg), of(3, arg), of(4, arg),      \
                            of(5, arg), of(6, arg), of(7, arg))
#endif

/* The lane that is so far away. */
#define VEC_ACROSS(lane, step) ((lane) ^ (step))

VEC_INLINE float vec_sum(vec_f32 v) {
    if (VEC_LANES == 16)
        v += VEC_SHUFFLE(v, v, VEC_ACROSS, VEC_LANES / 2);
    v += VEC_SHUFFLE(v, v, VEC_ACROSS, 4);
    v += VEC_SHUFFLE(v, v, VEC_ACROSS, 2);
    v += VEC_SHUFFLE(v, v, VEC_ACROSS, 1);
    return v[0];
}

VEC_INLINE float vec_largest(vec_f32 v) {
    if (VEC_LANES == 16)
        v = vec_max(v, VEC_SHUFFLE(v, v, VEC_ACROSS, VEC_LANES / 2));
    v = vec_max(v, VEC_SHUFFLE(v, v, VEC_ACROSS, 4));
    v = vec_max(v, VEC_SHUFFLE(v, v, VEC_ACROSS, 2));
    v = vec_max(v, VEC_SHUFFLE(v, v, VEC_ACROSS, 1));
    return v[0];
}

/* A step of a transposition: which lanes of a pair of rows become the first or second of them. */
#define VEC_FIRST(lane, step) ((lane) & (step) ? VEC_LANES + (lane) - (step) : (lane))
#define VEC_SECOND(lane, step) ((lane) & (step) ? VEC_LANES + (lane) : (lane) + (step))
#define VEC_EXCHANGE(row, step)                                                                    \
    for (int i_ = 0; i_ < VEC_LANES; i_++)                                                         \
        if (!(i_ & (step))) {                                                                      \
            vec_f32 a_ = (row)[i_], b_ = (row)[i_ + (step)];                                       \
            (row)[i_] = VEC_SHUFFLE(a_, b_, VEC_FIRST, step);                                      \
            (row)[i_ + (step)] = VEC_SHUFFLE(a_, b_, VEC_SECOND, step);                            \
        }

/* Lane j of row i becomes lane i of row j. */
VEC_INLINE void vec_transpose(vec_f32 row[VEC_LANES]) {
    VEC_EXCHANGE(row, 1)
    VEC_EXCHANGE(row, 2)
    VEC_EXCHANGE(row, 4)
    if (VEC_LANES == 16)
        VEC_EXCHANGE(row, VEC_LANES / 2)
}

#endif
