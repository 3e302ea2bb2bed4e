// The mode of our own convolutions, for as long as a test needs another one; and the context that runs them.
#pragma once

#include "kernels/cuda/conv_own.h"
#include "tensor/context.h"

namespace innerloop::kernels {

class MathScope {
 public:
  explicit MathScope(cuda::ConvMath math) : saved_(cuda::conv_math()) { cuda::set_conv_math(math); }
  ~MathScope() { cuda::set_conv_math(saved_); }
  MathScope(const MathScope&) = delete;
  MathScope& operator=(const MathScope&) = delete;

 private:
  cuda::ConvMath saved_;
};

inline Context& device() {
  static Context context(1, Target::kCuda);
  return context;
}

}  // namespace innerloop::kernels
