// IL_HD marks a function that host and device compilers both build, so that one formula serves both backends.
#pragma once

#if defined(__CUDACC__)
#define IL_HD __host__ __device__
#else
#define IL_HD
#endif
