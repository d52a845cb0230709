// For functions shared by processors and GPUs. Inlined always: they are compiled for several instruction sets, and
// where the linker keeps one of several copies it must not keep one that this processor cannot run.
#pragma once

#if defined(__CUDACC__)
#define PWMLFF_INLINE __host__ __device__ __forceinline__
#else
#define PWMLFF_INLINE inline __attribute__((always_inline))
#endif

// Before a loop that is to be unrolled, of at most so many turns.
#if defined(__CUDA_ARCH__)
#define PWMLFF_UNROLL(turns) _Pragma("unroll")
#elif defined(__CUDACC__)
#define PWMLFF_UNROLL(turns)
#else
#define PWMLFF_PRAGMA(text) _Pragma(#text)
#define PWMLFF_UNROLL(turns) PWMLFF_PRAGMA(GCC unroll turns)
#endif
