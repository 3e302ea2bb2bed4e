#include "meta/task_source.h"

#include <limits>

#include "meta/class_index.h"
#include "meta/work_phase.h"

namespace innerloop::meta {
namespace {

using kernels::TaskScheme;

void check_groups(const io::ImageSet& set, const ClassIndex& index, const TaskSourceOptions& o) {
  if (is_unlabelled(set))
    fail(
        "task.scheme: {} has no class folders, and `groups` draws each label from a class of its own; use "
        "task.scheme = \"instances\"",
        describe(set));
  const auto classes = static_cast<std::int64_t>(index.classes.size());
  IL_CHECK(classes >= o.ways,
           "task.ways: {} has {} classes to train on and a task takes {}; lower task.ways, or use "
           "task.scheme = \"instances\"",
           describe(set), classes, o.ways);
  for (std::size_t g = 0; g < index.members.size(); ++g)
    IL_CHECK(static_cast<std::int64_t>(index.members[g].size()) >= o.shots,
             "task.shots: class '{}' of {} has {} images to train on and a task takes {}; lower task.shots, or give it "
             "more images",
             set.classes[static_cast<std::size_t>(index.classes[g])], describe(set), index.members[g].size(), o.shots);
}

}  // namespace

Tensor class_major_labels(std::int64_t tasks, std::int64_t ways, std::int64_t each) {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(tasks * ways * each));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i) % (ways * each) / each;
  return Tensor::from({tasks, ways * each}, labels);
}

TaskSource::TaskSource(const io::ImageSet& set, TaskSourceOptions options)
    : options_(std::move(options)), pixels_(set.pixels.to_context()) {
  const TaskSourceOptions& o = options_;
  IL_CHECK(o.ways >= 1 && o.shots >= 1 && o.queries >= 1 && o.tasks >= 1,
           "task: ways {}, shots {}, queries {} and tasks {} must all be at least 1", o.ways, o.shots, o.queries,
           o.tasks);
  IL_CHECK(o.ways * (o.shots + o.queries) <= kernels::kMaxImagesPerTask,
           "task: {} ways of {} + {} images are {} a task; at most {} are possible: lower task.ways, task.shots or "
           "task.queries",
           o.ways, o.shots, o.queries, o.ways * (o.shots + o.queries), kernels::kMaxImagesPerTask);
  support_labels_ = class_major_labels(o.tasks, o.ways, o.shots);
  query_labels_ = class_major_labels(o.tasks, o.ways, o.queries);
  if (o.scheme == TaskScheme::kInstances) {
    IL_CHECK(set.count() >= o.ways,
             "task.ways: {} has {} images to train on and a task takes {}; lower task.ways or give more images",
             describe(set), set.count(), o.ways);
    return;
  }
  const ClassIndex index = class_index(set);
  check_groups(set, index, o);
  offsets_ = index.offsets_tensor();
  members_ = index.members_tensor();
}

TaskBatch TaskSource::draw(std::int64_t step) const { return draw(step, options_.tasks); }

TaskBatch TaskSource::draw(std::int64_t step, std::int64_t count) const {
  IL_CHECK(step >= 0 && step <= std::numeric_limits<std::uint32_t>::max(), "task: step {} has no address", step);
  IL_CHECK(count >= 0 && count <= options_.tasks, "task: {} of {} tasks", count, options_.tasks);
  return draw(static_cast<std::uint32_t>(step), {}, count);
}

TaskBatch TaskSource::draw(const Tensor& clock) const { return draw(0, clock.view(), options_.tasks); }

TaskBatch TaskSource::draw(std::uint32_t step, ConstView clock, std::int64_t count) const {
  const WorkPhase phase("draw tasks");
  const TaskSourceOptions& o = options_;
  Context& context = Context::current();
  const Shape& p = pixels_.shape();
  TaskBatch batch{Tensor::empty({count, o.ways * o.shots, p[1], p[2], p[3]}, DType::kF32),
                  support_labels_.slice(0, count),
                  Tensor::empty({count, o.ways * o.queries, p[1], p[2], p[3]}, DType::kF32),
                  query_labels_.slice(0, count)};

  kernels::DrawEpisodes k;
  k.draw.scheme = o.scheme;
  if (o.scheme == TaskScheme::kGroups) {
    k.draw.offsets = offsets_.view();
    k.draw.members = members_.view();
  }
  k.draw.image_count = p[0];
  k.draw.ways = static_cast<std::int32_t>(o.ways);
  k.draw.shots = static_cast<std::int32_t>(o.shots);
  k.draw.queries = static_cast<std::int32_t>(o.queries);
  k.draw.seed = k.support.seed = k.query.seed = o.seed;
  k.draw.step = k.support.step = k.query.step = step;
  k.draw.clock = k.support.clock = k.query.clock = clock;

  k.support.images = k.query.images = pixels_.view();
  k.support.out = batch.support_x.mutable_view();
  // A class of `instances` is one image: its further support copies differ by the augmentation alone.
  if (o.scheme == TaskScheme::kInstances && o.shots > 1) {
    k.support.augmentations = o.augment;
    k.support.plain_period = static_cast<std::uint32_t>(o.shots);
  }
  k.query.out = batch.query_x.mutable_view();
  k.query.augmentations = o.augment;
  k.query.image0 = static_cast<std::uint32_t>(o.ways * o.shots);
  kernels::run(k, context);
  return batch;
}

}  // namespace innerloop::meta
