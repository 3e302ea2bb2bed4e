// The modes of our own convolutions, for as long as a test needs another one; and the context that runs them.
#pragma once

#include "kernels/cuda/conv_stages.h"
#include "kernels/cuda/full_wave.h"
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

/// Whether small ones have their norm in their launch.
class StagesScope {
 public:
  explicit StagesScope(bool on) : saved_(cuda::conv_stages()) { cuda::set_conv_stages(on); }
  ~StagesScope() { cuda::set_conv_stages(saved_); }
  StagesScope(const StagesScope&) = delete;
  StagesScope& operator=(const StagesScope&) = delete;

 private:
  bool saved_;
};

/// As many blocks as `blocks` fill the device (kernels/cuda/full_wave.h); 0 leaves that to it.
class WaveScope {
 public:
  explicit WaveScope(std::int64_t blocks) : saved_(cuda::full_wave()) {
    if (blocks > 0) cuda::set_full_wave(blocks);
  }
  ~WaveScope() { cuda::set_full_wave(saved_); }
  WaveScope(const WaveScope&) = delete;
  WaveScope& operator=(const WaveScope&) = delete;

 private:
  std::int64_t saved_;
};

inline Context& device() {
  static Context context(1, Target::kCuda);
  return context;
}

}  // namespace innerloop::kernels
