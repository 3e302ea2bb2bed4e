// Drawing tasks on a device: the arguments, checked, and the images of a group.
#pragma once

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/sample_check.h"
#include "kernels/sample_math.h"

namespace innerloop::kernels::cuda {

struct Draw {
  TaskScheme scheme;
  const std::int64_t *offsets, *members, *clock;
  std::int64_t member_count, population;
  unsigned ways, shots, queries;
  std::uint64_t seed;
  Stream stream;
  std::uint32_t step, task0;
  std::int64_t *support, *query;
  std::uint32_t* scratch;  ///< a task's swap places of classes [ways], chosen [ways], swap places of images [ways, shots]
};

/// The images of a group; `size` is 0 where the group is not inside the members or has too few images.
struct Group {
  std::int64_t begin;
  std::uint32_t size;
  __device__ __forceinline__ Group(const Draw& k, std::uint32_t chosen) : begin(k.offsets[chosen]), size(0) {
    const std::int64_t end = k.offsets[chosen + 1];
    if (begin >= 0 && end <= k.member_count && end - begin >= k.shots) size = static_cast<std::uint32_t>(end - begin);
  }
};

/// `population` as check() returns it.
inline Draw draw_of(const DrawTasks& k, std::int64_t population) {
  const auto narrow = [](std::int64_t n) { return static_cast<unsigned>(n); };
  Draw d{};
  d.scheme = k.scheme;
  d.offsets = k.offsets.as<std::int64_t>(), d.members = k.members.as<std::int64_t>();
  d.clock = k.clock.as<std::int64_t>();
  d.member_count = k.members ? k.members.shape[0] : 0, d.population = population;
  d.ways = narrow(k.ways), d.shots = narrow(k.shots), d.queries = narrow(k.queries);
  d.seed = k.seed, d.stream = k.stream, d.step = k.step, d.task0 = k.task0;
  d.support = k.support_index.as<std::int64_t>(), d.query = k.query_index.as<std::int64_t>();
  return d;
}

}  // namespace innerloop::kernels::cuda
