// IL_HD marks a function that host and device compilers both build, so that one formula serves both backends.
// IL_HD_INLINE is the same for a small formula that is always inlined: kernels/cpu compiles one source for several
// instruction sets, and a formula that is inlined leaves no copy of itself that another target could be linked to.
#pragma once

#if defined(__CUDACC__)
#define IL_HD __host__ __device__
#define IL_HD_INLINE __host__ __device__ __forceinline__
#else
#define IL_HD
#define IL_HD_INLINE [[gnu::always_inline]] inline
#endif
