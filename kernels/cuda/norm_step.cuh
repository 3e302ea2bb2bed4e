// The step of scale and shift, as the passes of the norm's gradients take it.
#pragma once

#include "kernels/cuda/norm_grid.cuh"
#include "kernels/cuda/norm_step.h"

namespace innerloop::kernels::cuda {

template <class T>
struct ChannelStep {
  T rate = 0;
  const T *gamma = nullptr, *beta = nullptr;
  T *next_gamma = nullptr, *next_beta = nullptr;  ///< null: not wanted

  ChannelStep() = default;
  explicit ChannelStep(const NormStep& s)
      : rate(static_cast<T>(s.rate)),
        gamma(s.gamma.as<T>()),
        beta(s.beta.as<T>()),
        next_gamma(s.next_gamma.as<T>()),
        next_beta(s.next_beta.as<T>()) {}

  __device__ __forceinline__ ChannelStep of_task(unsigned task, unsigned channels) const {
    ChannelStep step = *this;
    step.gamma = cuda::of_task(gamma, task, channels), step.beta = cuda::of_task(beta, task, channels);
    step.next_gamma = cuda::of_task(next_gamma, task, channels), step.next_beta = cuda::of_task(next_beta, task, channels);
    return step;
  }
  __device__ __forceinline__ void take(unsigned channel, T ggamma, T gbeta) const {
    if (next_gamma != nullptr) next_gamma[channel] = descended(gamma[channel], rate, ggamma);
    if (next_beta != nullptr) next_beta[channel] = descended(beta[channel], rate, gbeta);
  }
};

}  // namespace innerloop::kernels::cuda
