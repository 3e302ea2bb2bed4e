// From bytes to an episode: draw tasks from a data set that stays in memory, gather its images, scale them,
// augment them.
//
// Every random number is a pure function of its Philox address, so any task, and any image of any task, can be made
// again alone. Determinism: the same bits at any number of threads, on every CPU target and, by construction, on any
// device: the formulas in kernels/sample_math.h use explicit fused multiply-adds and no library functions.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel.h"
#include "tensor/philox.h"

namespace innerloop::kernels {

// Where the random numbers of an image lie: augmentation a (its place in the list) of image n of a task owns the
// kBlocksPerAugmentation Philox blocks from index (n * kMaxAugmentations + a) * kBlocksPerAugmentation on.
inline constexpr std::uint32_t kMaxAugmentations = 8;
inline constexpr std::uint32_t kBlocksPerAugmentation = 1u << 18;  ///< four values a block: 2^20 values an image
inline constexpr std::uint32_t kAddressesPerImage = kMaxAugmentations * kBlocksPerAugmentation;
inline constexpr std::uint32_t kMaxImagesPerTask = 1u << 11;  ///< fills the 32 bits of a Philox index

// Where the draws of a task lie: class c picks its group or image with the block c * kDrawsPerClass, and its s-th
// support image with the block c * kDrawsPerClass + 1 + s. Only the first word of a block is used.
inline constexpr std::uint32_t kDrawsPerClass = 1u << 16;

enum class AugmentKind : std::uint8_t { kSaltPepper, kGaussian, kShift };

struct Augmentation {
  AugmentKind kind = AugmentKind::kSaltPepper;
  float probability = 0;    ///< salt_pepper: share of pixels hit, in [0, 1]
  float salt = 0;           ///< salt_pepper: share of hit pixels set to 1, in [0, 1]
  float std = 0;            ///< gaussian: standard deviation, >= 0, on the scale where white is 1
  std::int32_t pixels = 0;  ///< shift: the longest way along each axis, in [0, 2^20]
};

/// out[t,n] = augment(images[index[t,n]] / 255), the augmentations in the order given, each mapping [0, 1] to [0, 1]:
///   salt_pepper  a pixel (all channels alike) is hit with `probability`; a hit pixel becomes 1 with share `salt`,
///                else 0
///   gaussian     adds std * normal to every value, then clamps to [0, 1]
///   shift        moves the image by dx, dy, each uniform in {-pixels, ..., pixels}, and fills with zeros
/// The address of image (t, n) is (seed, kAugment, step, task0 + t, (image0 + n) * kAddressesPerImage + ...): support
/// and query images of one task that are both augmented take disjoint ranges by image0.
///
/// Shapes: images u8 [M, H, W, C]; index i64 [T, N] in [0, M); out f32 [T, N, H, W, C].
/// Limits: image0 + N <= kMaxImagesPerTask, H * W * C <= 4 * kBlocksPerAugmentation when anything is augmented.
/// Traffic: one byte read and four written a value, and once more through the nearest cache for each augmentation.
/// Errors: other shapes or dtypes, an index or a parameter out of its range. On a device the index is not known to the host:
/// an image whose index is out of range becomes NaN.
struct GatherAugment {
  static constexpr std::string_view kName = "gather_augment";
  ConstView images, index;
  std::span<const Augmentation> augmentations;  ///< at most kMaxAugmentations; empty: gather and scale only
  std::uint64_t seed = 0;
  std::uint32_t step = 0, task0 = 0, image0 = 0;
  /// Images with n % plain_period == 0 are gathered and scaled only; 0: all are augmented. With the `instances` scheme,
  /// whose class is one image, plain_period = shots keeps a class's first support image and augments its copies.
  std::uint32_t plain_period = 0;
  View out;
  /// i64 [1] beside `out`; the step of the address is then step + clock[0], modulo 2^32. It lets a recorded launch be replayed.
  ConstView clock{};
};
inline KernelCost cost_of(const GatherAugment& k) {
  // A value: scaled 1, noise 2. Of the images, the bytes that are gathered.
  std::int64_t a_value = 1;
  for (const Augmentation& a : k.augmentations) a_value += a.kind == AugmentKind::kGaussian ? 2 : 0;
  return {a_value * elements_of(k.out), elements_of(k.out) + bytes_of(k.index, k.out, k.clock)};
}

enum class TaskScheme : std::uint8_t { kGroups, kInstances };

/// Draws the images of T tasks; task t has the address (seed, stream, step, task0 + t).
///   kGroups     Algorithm 1 of the paper: `ways` groups at random without replacement, in random order, become the
///               classes 0 .. ways-1 in that order; of each, `shots` images at random without replacement
///   kInstances  UMTRA's variant: `ways` images at random without replacement, each a class of its own. One image has
///               no second one of its class, so with shots > 1 a class repeats its image, and the copies differ by the
///               augmentation alone, as UMTRA makes them. (n*k images that are each their own class, in one task, are
///               ways = n*k and shots = 1: the number of classes is always `ways`, which is the width of the head.)
/// In both, query image j of a class is its support image j % shots, to be augmented. Outputs are class-major: row t
/// holds class 0's images first, so the label of entry i is i / shots (or i / queries).
///
/// Labelled episodes, whose queries are images of their own: kGroups on Stream::kEpisode with shots = k + q and
/// queries = 0; the first k of each class are the support, the others the query.
///
/// Shapes: offsets i64 [G+1] and members i64 [M]: group g holds the images members[offsets[g] .. offsets[g+1]);
/// support_index i64 [T, ways*shots], query_index i64 [T, ways*queries] (no view when queries = 0). kInstances draws
/// from `members`, or from 0 .. image_count-1 where there are no members, and has no offsets.
/// Errors: fewer groups (or images) than ways, a group with fewer images than shots, other shapes or dtypes. On a device the
/// offsets are not known to the host: the images of a group that is too small, or that is not inside `members`, are all -1.
/// Cost: ways * (1 + shots) Philox blocks and O(ways^2 + ways * shots^2) comparisons a task, no memory but the outputs; on a
/// device 4 * ways * (2 + shots) bytes a task besides.
struct DrawTasks {
  static constexpr std::string_view kName = "draw_tasks";
  TaskScheme scheme = TaskScheme::kGroups;
  ConstView offsets, members;
  std::int64_t image_count = 0;
  std::int32_t ways = 0, shots = 0, queries = 0;
  std::uint64_t seed = 0;
  Stream stream = Stream::kTask;
  std::uint32_t step = 0, task0 = 0;
  View support_index, query_index;
  ConstView clock{};  ///< as GatherAugment's
};
inline KernelCost cost_of(const DrawTasks& k) {
  // Of the members, one for each index that is drawn.
  return {0, 2 * bytes_of(k.support_index, k.query_index)};
}

/// Tasks and their images at once: `draw` and then `support` and `query` of the images that it draws. The indices of the three are
/// left absent: they are nobody else's business, and a target need not write them down.
///
/// Shapes: support.out f32 [T, ways*shots, H, W, C], query.out f32 [T, ways*queries, H, W, C]. Errors, limits and bits: those of the
/// three. compose() is what every target can do: the three, one after another.
struct DrawEpisodes {
  static constexpr std::string_view kName = "draw_episodes";
  DrawTasks draw;
  GatherAugment support, query;
};
inline KernelCost cost_of(const DrawEpisodes& k) { return cost_of(k.draw) + cost_of(k.support) + cost_of(k.query); }

/// The same with these indices, i64 [T, ways*shots] and [T, ways*queries].
DrawEpisodes with_indices(const DrawEpisodes& k, View support, View query);
void compose(const DrawEpisodes& k, Context& context);

}  // namespace innerloop::kernels
