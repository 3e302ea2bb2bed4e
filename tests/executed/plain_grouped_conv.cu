#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/launch.cuh"
#include "tests/executed/plain_grouped_conv.h"

namespace innerloop::tests {
namespace {

using kernels::cudnn::Accumulate;
using kernels::cudnn::ConvDirection;
using kernels::cudnn::ConvProblem;

/// One element of what is written: all products of the convolution, those that reach it added up.
template <class T>
__global__ void plain_grouped_conv_kernel(ConvProblem z, T* image, T* filter, T* output, std::int64_t count) {
  kernels::cuda::grid_dependency_sync();
  const std::int64_t element = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (element >= count) return;
  const std::int64_t group_c = z.c / z.groups, group_k = z.k / z.groups;
  T sum = 0;
  for (std::int64_t n = 0; n < z.n; ++n)
    for (std::int64_t p = 0; p < z.p; ++p)
      for (std::int64_t q = 0; q < z.q; ++q)
        for (std::int64_t r = 0; r < z.r; ++r)
          for (std::int64_t s = 0; s < z.s; ++s) {
            const std::int64_t h = p * z.stride_h - z.pad_top + r * z.dilation_h;
            const std::int64_t w = q * z.stride_w - z.pad_left + s * z.dilation_w;
            if (h < 0 || h >= z.h || w < 0 || w >= z.w) continue;
            for (std::int64_t k = 0; k < z.k; ++k)
              for (std::int64_t c = 0; c < group_c; ++c) {
                const std::int64_t x_at = ((n * z.h + h) * z.w + w) * z.c + k / group_k * group_c + c;
                const std::int64_t w_at = ((k * z.r + r) * z.s + s) * group_c + c;
                const std::int64_t y_at = ((n * z.p + p) * z.q + q) * z.k + k;
                if (z.direction == ConvDirection::kForward && y_at == element) sum += image[x_at] * filter[w_at];
                if (z.direction == ConvDirection::kInputGrad && x_at == element) sum += output[y_at] * filter[w_at];
                if (z.direction == ConvDirection::kWeightGrad && w_at == element) sum += image[x_at] * output[y_at];
              }
          }
  T* const to = z.direction == ConvDirection::kForward     ? output
                : z.direction == ConvDirection::kInputGrad ? image
                                                           : filter;
  to[element] = z.accumulate == Accumulate::kYes ? to[element] + sum : sum;
}

}  // namespace

void plain_grouped_conv(cudaStream_t stream, const ConvProblem& z, void* image, void* filter, void* output) {
  const std::int64_t count = z.direction == ConvDirection::kForward     ? z.output_elements()
                             : z.direction == ConvDirection::kInputGrad ? z.image_elements()
                                                                        : z.filter_elements();
  kernels::cuda::with_float(z.dtype, "plain grouped convolution", [&]<class T>(T) {
    kernels::cuda::launch(plain_grouped_conv_kernel<T>, dim3(static_cast<unsigned>((count + 63) / 64)), dim3(64), 0,
                          stream, z, static_cast<T*>(image), static_cast<T*>(filter), static_cast<T*>(output), count);
  });
}

}  // namespace innerloop::tests
