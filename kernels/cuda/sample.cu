// Drawing tasks, gathering and augmenting images: the formulas of kernels/sample_math.h, bit for bit those of the CPU.
#include <algorithm>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/sample_check.h"
#include "kernels/sample_math.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

// ------------------------------------------------------------------------------------------------------------- GatherAugment

constexpr unsigned kGatherThreads = 128;
constexpr int kQuad = 4;  ///< values of a thread: those of one Philox block, one 16-byte store

struct Gather {
  const std::uint8_t* images;
  std::int64_t count;  ///< images there are
  const std::int64_t* index;
  float* out;
  unsigned height, width, channels, values;  ///< values of an image
  unsigned per_task, parts;                  ///< images of a task, blocks of an image
  std::uint64_t seed;
  std::uint32_t step, task0, image0, plain_period;
  const std::int64_t* clock;
  unsigned augmentations;
  Augmentation list[kMaxAugmentations];
  bool aligned;  ///< a quad of out is 16 aligned bytes, one of images 4
};

/// A value on its way through the augmentations: where it is in the image at this stage, which may be outside.
struct Traveller {
  float value;
  std::int32_t y, x;
  unsigned channel;

  __device__ __forceinline__ bool inside(const Gather& k) const {
    return static_cast<unsigned>(y) < k.height && static_cast<unsigned>(x) < k.width;
  }
  __device__ __forceinline__ unsigned pixel(const Gather& k) const {
    return static_cast<unsigned>(y) * k.width + static_cast<unsigned>(x);
  }
};

__device__ __forceinline__ float chosen_of(const float (&z)[4], unsigned i) {
  return i < 2 ? (i == 0 ? z[0] : z[1]) : (i == 2 ? z[2] : z[3]);
}

/// The random numbers of one augmentation of one image. A quad needs one block of them, two after a shift, and more only at the
/// ends of rows; so the last one is kept.
class Randoms {
 public:
  __device__ __forceinline__ Randoms(const Gather& k, std::uint32_t step, std::uint32_t task, std::uint32_t first)
      : seed_(k.seed), step_(step), task_(task), first_(first) {}

  __device__ __forceinline__ std::uint32_t word(unsigned i) {
    if (turn_to(i / 4)) words_ = block(i / 4);
    const unsigned j = i % 4;
    return j < 2 ? (j == 0 ? words_.word[0] : words_.word[1]) : (j == 2 ? words_.word[2] : words_.word[3]);
  }
  __device__ __forceinline__ float normal(unsigned i) {
    if (turn_to(i / 4)) {
      const PhiloxBlock words = block(i / 4);
      const Pair a = normal_pair(words.word[0], words.word[1]), b = normal_pair(words.word[2], words.word[3]);
      normals_[0] = a.first, normals_[1] = a.second, normals_[2] = b.first, normals_[3] = b.second;
    }
    return chosen_of(normals_, i % 4);
  }
  __device__ __forceinline__ PhiloxBlock block(unsigned i) const {
    return random_block(seed_, Stream::kAugment, step_, task_, first_ + i);
  }

 private:
  __device__ __forceinline__ bool turn_to(unsigned block) {
    const bool changes = block != block_;
    block_ = block;
    return changes;
  }

  std::uint64_t seed_;
  std::uint32_t step_, task_, first_;
  unsigned block_ = ~0u;
  PhiloxBlock words_{};
  float normals_[4] = {};
};

/// Applies the augmentations in their order. A shift moves the travellers; what it moves in from outside is 0, whatever
/// happened there before.
__device__ __forceinline__ void augment(const Gather& k, std::uint32_t step, std::uint32_t task, std::uint32_t image,
                                        const Offset* moves, Traveller (&quad)[kQuad]) {
  for (unsigned a = 0; a < k.augmentations; ++a) {
    const Augmentation& augmentation = k.list[a];
    Randoms randoms(k, step, task, augmentation_address(image, a));
#pragma unroll
    for (Traveller& t : quad) {
      const bool inside = t.inside(k);
      switch (augmentation.kind) {
        case AugmentKind::kSaltPepper:
          if (inside)
            t.value = salt_pepper(t.value, randoms.word(t.pixel(k)), augmentation.probability, augmentation.salt);
          break;
        case AugmentKind::kGaussian:
          if (inside)
            t.value = add_noise(t.value, randoms.normal(t.pixel(k) * k.channels + t.channel), augmentation.std);
          break;
        case AugmentKind::kShift:
          if (!inside) t.value = 0;
          t.y += moves[a].y, t.x += moves[a].x;
          break;
      }
    }
  }
}

/// Block x: part + parts * image, images counted through all tasks.
__global__ void __launch_bounds__(kGatherThreads) gather_augment_kernel(const __grid_constant__ Gather k) {
  const unsigned which = blockIdx.x / k.parts, part = blockIdx.x % k.parts;
  const unsigned n = which % k.per_task;
  const std::uint32_t task = k.task0 + which / k.per_task, image = k.image0 + n;
  const bool plain = k.augmentations == 0 || (k.plain_period != 0 && n % k.plain_period == 0);
  const std::uint32_t step = step_at(k.step, k.clock);

  IL_SHARED(Offset, moves, [kMaxAugmentations]);
  if (!plain) {
    if (threadIdx.x < k.augmentations) {
      const unsigned a = threadIdx.x;
      const bool is_shift = k.list[a].kind == AugmentKind::kShift;
      moves[a] = is_shift ? shift_of(Randoms(k, step, task, augmentation_address(image, a)).block(0), k.list[a].pixels)
                          : Offset{0, 0};
    }
    __syncthreads();
  }
  const unsigned first = (part * kGatherThreads + threadIdx.x) * kQuad;
  if (first >= k.values) return;
  float* to = k.out + static_cast<std::int64_t>(which) * k.values + first;
  const std::int64_t source = k.index[which];
  const bool exists = source >= 0 && source < k.count;
  const std::uint8_t* from = k.images + (exists ? source : 0) * k.values;

  Offset total{0, 0};
  if (!plain)
    for (unsigned a = 0; a < k.augmentations; ++a) total.x += moves[a].x, total.y += moves[a].y;
  Traveller quad[kQuad];
  const unsigned pixel = first / k.channels;
  unsigned channel = first - pixel * k.channels, row = pixel / k.width, column = pixel - row * k.width;
#pragma unroll
  for (Traveller& t : quad) {
    t = {0, static_cast<std::int32_t>(row) - total.y, static_cast<std::int32_t>(column) - total.x, channel};
    if (++channel == k.channels) {
      channel = 0;
      if (++column == k.width) column = 0, ++row;
    }
  }
  if (exists && k.aligned && total.x == 0 && total.y == 0) {
    const auto bytes = load_as<uchar4>(from + first);
    quad[0].value = byte_to_unit(bytes.x), quad[1].value = byte_to_unit(bytes.y);
    quad[2].value = byte_to_unit(bytes.z), quad[3].value = byte_to_unit(bytes.w);
  } else if (exists) {
#pragma unroll
    for (Traveller& t : quad)
      if (t.inside(k)) t.value = byte_to_unit(from[t.pixel(k) * k.channels + t.channel]);
  }
  if (!plain) augment(k, step, task, image, moves, quad);

  const float none = __int_as_float(0x7fc00000);
  const float4 result{exists ? quad[0].value : none, exists ? quad[1].value : none, exists ? quad[2].value : none,
                      exists ? quad[3].value : none};
  if (k.aligned) {
    st4(to, result);
  } else {
    to[0] = result.x;
    if (first + 1 < k.values) to[1] = result.y;
    if (first + 2 < k.values) to[2] = result.z;
    if (first + 3 < k.values) to[3] = result.w;
  }
}

void run_here(const GatherAugment& k, Context& context) {
  check(k);
  const Shape& s = k.images.shape;
  const std::int64_t images = k.index.shape.numel(), values = s[1] * s[2] * s[3];
  if (images == 0 || values == 0) return;
  constexpr std::int64_t kBlockValues = kGatherThreads * kQuad, kMost = (std::int64_t{1} << 31) - 1;
  const std::int64_t parts = (values + kBlockValues - 1) / kBlockValues;
  IL_CHECK(values <= kMost - kBlockValues && images * parts <= kMost,
           "gather_augment: {} images of {} are more than one launch can address; gather fewer at a time", images,
           s.to_string());
  const auto narrow = [](std::int64_t n) { return static_cast<unsigned>(n); };
  const auto fits = [&](const void* address, std::uintptr_t bytes) {
    return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
  };
  Gather g{};
  g.images = k.images.as<std::uint8_t>(), g.count = s[0], g.index = k.index.as<std::int64_t>(), g.out = k.out.as<float>();
  g.height = narrow(s[1]), g.width = narrow(s[2]), g.channels = narrow(s[3]), g.values = narrow(values);
  g.per_task = narrow(k.index.shape[1]), g.parts = narrow(parts);
  g.seed = k.seed, g.step = k.step, g.task0 = k.task0, g.image0 = k.image0, g.plain_period = k.plain_period;
  g.clock = k.clock.as<std::int64_t>();
  g.augmentations = narrow(std::ssize(k.augmentations));
  std::copy(k.augmentations.begin(), k.augmentations.end(), g.list);
  g.aligned = values % kQuad == 0 && fits(g.out, kQuad * sizeof(float)) && fits(g.images, kQuad);
  launch(gather_augment_kernel, dim3(narrow(images * parts)), dim3(kGatherThreads), 0, stream_of(context), g);
}
IL_REGISTER_KERNEL(GatherAugment);

// ----------------------------------------------------------------------------------------------------------------- DrawTasks

constexpr unsigned kDrawThreads = 128;

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

/// One block a task. Every draw has its own address, and what a shuffle makes of it depends on the earlier swap places alone:
/// so all draws of a step are made side by side.
__global__ void __launch_bounds__(kDrawThreads) draw_tasks_kernel(Draw k) {
  const unsigned support_count = k.ways * k.shots, query_count = k.ways * k.queries;
  const TaskAddress at{k.seed, k.stream, step_at(k.step, k.clock), k.task0 + blockIdx.x};
  std::uint32_t* swaps = k.scratch + std::int64_t{blockIdx.x} * (2 * k.ways + support_count);
  std::uint32_t *chosen = swaps + k.ways, *places = chosen + k.ways;
  std::int64_t* support = k.support + std::int64_t{blockIdx.x} * support_count;

  for (unsigned i = threadIdx.x; i < k.ways; i += kDrawThreads)
    swaps[i] = swap_place(at, 0, kDrawsPerClass, i, static_cast<std::uint32_t>(k.population));
  __syncthreads();
  for (unsigned i = threadIdx.x; i < k.ways; i += kDrawThreads) chosen[i] = resolve_draw(swaps, 1, i);
  __syncthreads();
  if (k.scheme == TaskScheme::kGroups) {
    for (unsigned i = threadIdx.x; i < support_count; i += kDrawThreads) {
      const unsigned c = i / k.shots;
      const Group group(k, chosen[c]);
      places[i] = group.size == 0 ? 0 : swap_place(at, c * kDrawsPerClass + 1, 1, i - c * k.shots, group.size);
    }
    __syncthreads();
    for (unsigned i = threadIdx.x; i < support_count; i += kDrawThreads) {
      const unsigned c = i / k.shots;
      const Group group(k, chosen[c]);
      support[i] =
          group.size == 0 ? -1 : k.members[group.begin + resolve_draw(places + c * k.shots, 1, i - c * k.shots)];
    }
  } else {
    for (unsigned i = threadIdx.x; i < support_count; i += kDrawThreads) {
      const std::uint32_t image = chosen[i / k.shots];
      support[i] = k.members != nullptr ? k.members[image] : image;
    }
  }
  if (query_count == 0) return;
  __syncthreads();
  for (unsigned i = threadIdx.x; i < query_count; i += kDrawThreads) {
    const unsigned c = i / k.queries;
    k.query[std::int64_t{blockIdx.x} * query_count + i] = support[c * k.shots + (i - c * k.queries) % k.shots];
  }
}

void run_here(const DrawTasks& k, Context& context) {
  const std::int64_t population = check(k), tasks = k.support_index.shape[0];
  const std::int64_t support = std::int64_t{k.ways} * k.shots, query = std::int64_t{k.ways} * k.queries;
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
  IL_CHECK(support + 2 * k.ways <= kMost && query <= kMost && tasks <= kMost,
           "draw_tasks: {} tasks of {} + {} images are more than one launch can address; draw fewer", tasks, support, query);
  if (tasks == 0) return;
  const auto scratch = context.arena().allocate(static_cast<std::size_t>(tasks * (2 * k.ways + support)) *
                                                sizeof(std::uint32_t));
  const auto narrow = [](std::int64_t n) { return static_cast<unsigned>(n); };
  Draw d{};
  d.scheme = k.scheme;
  d.offsets = k.offsets.as<std::int64_t>(), d.members = k.members.as<std::int64_t>();
  d.clock = k.clock.as<std::int64_t>();
  d.member_count = k.members ? k.members.shape[0] : 0, d.population = population;
  d.ways = narrow(k.ways), d.shots = narrow(k.shots), d.queries = narrow(k.queries);
  d.seed = k.seed, d.stream = k.stream, d.step = k.step, d.task0 = k.task0;
  d.support = k.support_index.as<std::int64_t>(), d.query = k.query_index.as<std::int64_t>();
  d.scratch = static_cast<std::uint32_t*>(scratch.get());
  launch(draw_tasks_kernel, dim3(narrow(tasks)), dim3(kDrawThreads), 0, stream_of(context), d);
}
IL_REGISTER_KERNEL(DrawTasks);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
