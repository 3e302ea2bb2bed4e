// Which engine computes convolutions: our own kernels, or a library that joined (conv_backend.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace innerloop::kernels::cuda {

enum class ConvEngine : std::uint8_t {
  kAuto,   ///< for each shape the fastest on this device, timed once and kept in a file (conv_choices.h)
  kOwn,    ///< conv_own.h
  kCudnn,  ///< cuDNN
  kGemm,   ///< products of patches by cuBLAS (conv_by_matmul.h)
};
inline constexpr int kConvEngineCount = 4;
inline constexpr ConvEngine kConvEngines[kConvEngineCount] = {ConvEngine::kAuto, ConvEngine::kOwn, ConvEngine::kCudnn,
                                                              ConvEngine::kGemm};

std::string_view name_of(ConvEngine engine);

/// Where nothing else is asked for. Engines differ in the last bits, and what is fastest may change from machine to
/// machine, so only our own give the same bits everywhere.
inline constexpr ConvEngine kDefaultConvEngine = ConvEngine::kOwn;

/// The process's setting: what set_conv_engine() said last, else IL_CONV_ENGINE = auto | own | cudnn | gemm, else the
/// default. Throws UsageError when the variable holds anything else. An engine that is asked for by name serves every
/// convolution or the convolution throws; nothing takes its place silently.
ConvEngine conv_engine();
void set_conv_engine(ConvEngine engine);

}  // namespace innerloop::kernels::cuda
