// Meta-training tasks, drawn from a data set in memory: which images, and their augmented queries.
//
// A batch is a pure function of (set, options, step): any batch can be drawn again alone, which is what a resumed run
// does. Determinism: the same bits at any number of threads. Cost: O(tasks * ways * shots) draws and one pass over the
// images.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/dataset.h"
#include "kernels/sample.h"
#include "meta/episode.h"

namespace innerloop::meta {

struct TaskSourceOptions {
  kernels::TaskScheme scheme = kernels::TaskScheme::kInstances;
  std::int64_t ways = 5, shots = 1;
  std::int64_t queries = 1;  ///< augmented query images a class, >= 1
  std::int64_t tasks = 32;   ///< tasks a batch
  std::vector<kernels::Augmentation> augment;
  std::uint64_t seed = 1;
};

/// The groups of the `groups` scheme are the classes of the set: Algorithm 1 picks `ways` of them and drops their
/// names. The `instances` scheme takes any images, each as a class of its own. In both, query j of a class is its
/// support image j % shots, augmented; with `instances` a class is one image, so its support copies after the first are
/// augmented too.
class TaskSource {
 public:
  /// Shares the pixels of `set`, or copies them to the device of the current context. Throws Error naming the set: fewer classes (or images) than ways, a class with fewer
  /// images than shots (with its name and both numbers), `groups` on a set without labels (use instances), too many
  /// images a task, images too large to augment.
  TaskSource(const io::ImageSet& set, TaskSourceOptions options);

  /// The batch of meta-step `step`: images f32 [tasks, ways*shots|queries, H, W, C] in [0, 1], labels i64, class-major.
  TaskBatch draw(std::int64_t step) const;
  /// Its first `count` tasks only, the same bits as in draw().
  TaskBatch draw(std::int64_t step, std::int64_t count) const;
  /// The batch of meta-step clock[0], i64 [1], which is read where and when the kernels run: the host need not know it.
  TaskBatch draw(const Tensor& clock) const;

  const TaskSourceOptions& options() const { return options_; }

 private:
  TaskBatch draw(std::uint32_t step, ConstView clock, std::int64_t count) const;

  TaskSourceOptions options_;
  Tensor pixels_, offsets_, members_;
  Tensor support_labels_, query_labels_;  ///< of options_.tasks tasks
};

/// Labels i64 [tasks, ways * each]: entry i of every row is i / each.
Tensor class_major_labels(std::int64_t tasks, std::int64_t ways, std::int64_t each);

}  // namespace innerloop::meta
