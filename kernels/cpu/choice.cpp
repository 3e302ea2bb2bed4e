// The decisions of a conv block to and from the form that plain ops take.
#include "kernels/cpu/dispatch.h"
#include "kernels/norm.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const ChoiceDecode& k, Context& context) {
  const std::uint8_t* choice = k.choice.as<std::uint8_t>();
  std::int32_t* position = k.position.as<std::int32_t>();
  with_float(k.alive.dtype, "choice_decode", [&](auto tag) {
    using T = decltype(tag);
    T* alive = k.alive.template as<T>();
    parallel_chunks(context, k.choice.shape.numel(), kChunkElements, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const bool dead = choice[i] == kDead;
        position[i] = dead ? 0 : choice[i];
        alive[i] = dead ? T{0} : T{1};
      }
    });
  });
}

void run_here(const ChoiceEncode& k, Context& context) {
  const std::int32_t* position = k.position.as<std::int32_t>();
  std::uint8_t* choice = k.choice.as<std::uint8_t>();
  with_float(k.p.dtype, "choice_encode", [&](auto tag) {
    using T = decltype(tag);
    const T* p = k.p.template as<T>();
    parallel_chunks(context, k.choice.shape.numel(), kChunkElements, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int32_t at = position == nullptr ? 0 : position[i];
        choice[i] = p[i] > 0 ? static_cast<std::uint8_t>(at) : kDead;
      }
    });
  });
}

IL_REGISTER_KERNEL(ChoiceDecode);
IL_REGISTER_KERNEL(ChoiceEncode);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
