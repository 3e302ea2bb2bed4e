// Philox4x32-10: a counter-based generator. Every random number of the engine has an address and can be drawn again
// alone, in any order, on any device, with the same bits.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3 and table 2.
// Address: key = seed (64 bit); counter = {index, task, step, stream}. One block gives four 32-bit words.
#pragma once

#include <cstdint>

#include "tensor/host_device.h"

namespace innerloop {

/// What a random number is for. Streams never share a counter, so adding draws to one never moves another.
enum class Stream : std::uint32_t {
  kInit = 0,       ///< parameter initialisation
  kTask = 1,       ///< which groups, images and order make a training task
  kAugment = 2,    ///< noise and shift of query images
  kEpisode = 3,    ///< labelled evaluation episodes
  kHoldout = 4,    ///< which groups are kept for evaluation
  kSynthetic = 5,  ///< procedural images
  kDropout = 6,
  kCheck = 7,      ///< random directions of the truth checks
};

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// Ten Philox rounds on `counter` under `key`.
IL_HD constexpr PhiloxBlock philox4x32_10(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter.word[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.word[1] ^ key0, static_cast<std::uint32_t>(b),
                static_cast<std::uint32_t>(a >> 32) ^ counter.word[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The four words at the address (seed, stream, step, task, index).
IL_HD constexpr PhiloxBlock random_block(std::uint64_t seed, Stream stream, std::uint32_t step, std::uint32_t task,
                                         std::uint32_t index) {
  return philox4x32_10({{index, task, step, static_cast<std::uint32_t>(stream)}}, static_cast<std::uint32_t>(seed),
                       static_cast<std::uint32_t>(seed >> 32));
}

/// Uniform in [0, 1): the top 24 bits, so every value is exact in float32.
IL_HD constexpr float uniform01(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Uniform integer in [0, n) by multiply and shift; the bias is below n / 2^32. n > 0.
IL_HD constexpr std::uint32_t uniform_below(std::uint32_t word, std::uint32_t n) {
  return static_cast<std::uint32_t>((std::uint64_t{word} * n) >> 32);
}

/// A sequential reader of one (seed, stream, step, task) line of the address space, for host code that draws in order.
class PhiloxSequence {
 public:
  constexpr PhiloxSequence(std::uint64_t seed, Stream stream, std::uint32_t step = 0, std::uint32_t task = 0)
      : seed_(seed), stream_(stream), step_(step), task_(task) {}

  constexpr std::uint32_t next() {
    if (lane_ == 4) {
      block_ = random_block(seed_, stream_, step_, task_, index_++);
      lane_ = 0;
    }
    return block_.word[lane_++];
  }
  constexpr float uniform() { return uniform01(next()); }
  constexpr std::uint32_t below(std::uint32_t n) { return uniform_below(next(), n); }
  /// Standard normal by Box-Muller (one of the pair; the other is dropped to keep the reader stateless beyond its lane).
  double normal();

 private:
  std::uint64_t seed_;
  Stream stream_;
  std::uint32_t step_, task_, index_ = 0;
  int lane_ = 4;
  PhiloxBlock block_{};
};

}  // namespace innerloop
