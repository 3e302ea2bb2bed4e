// Labelled few-shot episodes: real classes, query images of their own.
//
// An episode is a pure function of (set, options, index). Determinism: the same bits at any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/dataset.h"
#include "meta/episode.h"

namespace innerloop::meta {

/// What to do with a class that has fewer images than an episode takes of it.
enum class SmallClasses : std::uint8_t { kError, kLeaveOut };

struct EpisodeOptions {
  std::int64_t ways = 5, shots = 1, queries = 15;
  SmallClasses small_classes = SmallClasses::kError;
  std::uint64_t seed = 1;
};

/// T episodes side by side.
struct Episodes {
  TaskBatch tasks;                                 ///< [T, ways*shots|queries, H, W, C], labels class-major
  std::vector<std::vector<std::int32_t>> classes;  ///< [T][ways] the class of the set behind each label
};

struct LeftOutClass {
  std::string name;
  std::int64_t images = 0;
};

class EpisodeSource {
 public:
  /// Shares the pixels of `set`, or copies them to the device of the current context. Throws Error naming the set: no labels, fewer classes than ways, a class with fewer
  /// images than shots + queries (with its name and both numbers), unless small classes are left out.
  EpisodeSource(const io::ImageSet& set, const EpisodeOptions& options);

  /// `ways` classes at random without replacement, and of each shots + queries images at random without replacement.
  /// Episodes first .. first + count - 1, each the same however many are drawn with it.
  Episodes draw(std::int64_t first, std::int64_t count) const;

  /// Classes that no episode uses, in the set's order.
  const std::vector<LeftOutClass>& left_out() const { return left_out_; }

 private:
  EpisodeOptions options_;
  Tensor pixels_, offsets_, members_;
  std::vector<std::int32_t> class_of_image_;
  std::vector<LeftOutClass> left_out_;
};

}  // namespace innerloop::meta
