// The decisions of a conv block to and from the form that plain ops take. A pack is as many elements as 16 bytes of the
// floating side hold, so that its choices are 4 or 2 bytes.
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/norm.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
struct DecodeBody {
  const std::uint8_t* choice;
  std::int32_t* position;
  T* alive;

  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const auto c = load_pack<kWidth>(choice + i);
    Pack<std::int32_t, kWidth> where;
    Pack<T, kWidth> lives;
    for (int j = 0; j < kWidth; ++j) {
      const bool dead = c.lane[j] == kDead;
      where.lane[j] = dead ? 0 : c.lane[j];
      lives.lane[j] = dead ? T{0} : T{1};
    }
    store_pack(position + i, where);
    store_pack(alive + i, lives);
  }
};

template <class T>
struct EncodeBody {
  const T* p;
  const std::int32_t* position;  ///< or nullptr
  std::uint8_t* choice;

  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const auto x = load_pack<kWidth>(p + i);
    Pack<std::int32_t, kWidth> where{};
    if (position != nullptr) where = load_pack<kWidth>(position + i);
    Pack<std::uint8_t, kWidth> c;
    for (int j = 0; j < kWidth; ++j)
      c.lane[j] = x.lane[j] > 0 ? static_cast<std::uint8_t>(where.lane[j]) : std::uint8_t{kDead};
    store_pack(choice + i, c);
  }
};

void run_here(const ChoiceDecode& k, Context& context) {
  with_float(k.alive.dtype, "choice_decode", [&]<class T>(T) {
    for_each_pack<T>(
        stream_of(context), k.choice.shape.numel(), packs_fit({k.choice.data, k.position.data, k.alive.data}),
        DecodeBody<T>{k.choice.as<std::uint8_t>(), k.position.as<std::int32_t>(), k.alive.as<T>()});
  });
}

void run_here(const ChoiceEncode& k, Context& context) {
  with_float(k.p.dtype, "choice_encode", [&]<class T>(T) {
    for_each_pack<T>(stream_of(context), k.choice.shape.numel(),
                     packs_fit({k.p.data, k.position.data, k.choice.data}),
                     EncodeBody<T>{k.p.as<T>(), k.position.as<std::int32_t>(), k.choice.as<std::uint8_t>()});
  });
}

IL_REGISTER_KERNEL(ChoiceDecode);
IL_REGISTER_KERNEL(ChoiceEncode);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
