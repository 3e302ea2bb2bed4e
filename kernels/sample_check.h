// What sampling asks of its operands, as far as the host can see: shapes, dtypes and parameters.
#pragma once

#include "kernels/sample.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

inline void check_clock(const ConstView& clock, const char* op) {
  IL_CHECK(!clock || (clock.dtype == DType::kI64 && clock.shape.numel() == 1), "{}: clock is {} {}; it must be i64 [1]", op,
           name_of(clock.dtype), clock.shape.to_string());
}

inline bool is_share(float x) { return x >= 0.0f && x <= 1.0f; }

inline void check(const Augmentation& a) {
  switch (a.kind) {
    case AugmentKind::kSaltPepper:
      IL_CHECK(is_share(a.probability) && is_share(a.salt),
               "gather_augment: salt_pepper has probability {} and salt {}; both are shares in [0, 1]", a.probability,
               a.salt);
      return;
    case AugmentKind::kGaussian:
      IL_CHECK(a.std >= 0.0f && a.std < 1e6f, "gather_augment: gaussian has std {}; use a number in [0, 1e6)", a.std);
      return;
    case AugmentKind::kShift:
      IL_CHECK(a.pixels >= 0 && a.pixels <= (1 << 20), "gather_augment: shift has pixels {}; use a number in [0, 2^20]",
               a.pixels);
      return;
  }
  fail("gather_augment: unknown augmentation {}", static_cast<int>(a.kind));
}

inline void check(const GatherAugment& k) {
  IL_CHECK(k.images.dtype == DType::kU8 && k.images.shape.rank() == 4,
           "gather_augment: images are {} {}; they must be u8 [M, H, W, C]", name_of(k.images.dtype),
           k.images.shape.to_string());
  IL_CHECK(k.index.dtype == DType::kI64 && k.index.shape.rank() == 2,
           "gather_augment: index is {} {}; it must be i64 [T, N]", name_of(k.index.dtype), k.index.shape.to_string());
  const Shape& s = k.images.shape;
  const Shape wanted{k.index.shape[0], k.index.shape[1], s[1], s[2], s[3]};
  IL_CHECK(k.out.dtype == DType::kF32 && k.out.shape == wanted, "gather_augment: out is {} {}; it must be f32 {}",
           name_of(k.out.dtype), k.out.shape.to_string(), wanted.to_string());
  check_clock(k.clock, "gather_augment");
  if (k.augmentations.empty()) return;
  IL_CHECK(k.augmentations.size() <= kMaxAugmentations, "gather_augment: {} augmentations; at most {} are possible",
           k.augmentations.size(), kMaxAugmentations);
  IL_CHECK(s[1] * s[2] * s[3] <= 4 * std::int64_t{kBlocksPerAugmentation},
           "gather_augment: images of {} have more than 2^20 values, which is all that augmentation can address; make "
           "them smaller",
           s.to_string());
  IL_CHECK(k.image0 + k.index.shape[1] <= kMaxImagesPerTask,
           "gather_augment: images {} to {} of a task; augmentation can address {}", k.image0,
           k.image0 + k.index.shape[1], kMaxImagesPerTask);
  for (const Augmentation& a : k.augmentations) check(a);
}

inline void check_output(const View& view, const char* name, std::int64_t row) {
  IL_CHECK(view.dtype == DType::kI64 && view.shape.rank() == 2 && view.shape[1] == row,
           "draw_tasks: {} is {} {}; it must be i64 [T, {}]", name, name_of(view.dtype), view.shape.to_string(), row);
}

/// All but the contents of the offsets. Number of groups or images that a class is drawn from.
inline std::int64_t check(const DrawTasks& k) {
  IL_CHECK(k.ways >= 1 && k.shots >= 1 && k.queries >= 0 && k.ways <= 65535 && k.shots <= 65535,
           "draw_tasks: ways {}, shots {}, queries {}; ways and shots count from 1 to 65535, queries from 0", k.ways,
           k.shots, k.queries);
  check_output(k.support_index, "support_index", std::int64_t{k.ways} * k.shots);
  if (k.queries > 0) {
    check_output(k.query_index, "query_index", std::int64_t{k.ways} * k.queries);
    IL_CHECK(k.query_index.shape[0] == k.support_index.shape[0],
             "draw_tasks: support_index has {} tasks and query_index {}; they must agree", k.support_index.shape[0],
             k.query_index.shape[0]);
  }
  if (k.members)
    IL_CHECK(k.members.dtype == DType::kI64 && k.members.shape.rank() == 1,
             "draw_tasks: members are {} {}; they must be i64 [M]", name_of(k.members.dtype),
             k.members.shape.to_string());
  std::int64_t population = k.members ? k.members.shape[0] : k.image_count;
  IL_CHECK(population < (std::int64_t{1} << 32), "draw_tasks: {} images; at most 2^32 - 1 can be drawn from",
           population);
  if (k.scheme == TaskScheme::kGroups) {
    IL_CHECK(k.members && k.offsets && k.offsets.dtype == DType::kI64 && k.offsets.shape.rank() == 1 &&
                 k.offsets.shape[0] >= 1,
             "draw_tasks: the groups scheme needs members i64 [M] and offsets i64 [G+1]");
    population = k.offsets.shape[0] - 1;
  }
  IL_CHECK(population >= k.ways, "draw_tasks: {} {} for {} ways; lower ways or give more data", population,
           k.scheme == TaskScheme::kGroups ? "groups" : "images", k.ways);
  check_clock(k.clock, "draw_tasks");
  return population;
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
