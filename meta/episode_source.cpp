#include "meta/episode_source.h"

#include <limits>

#include "kernels/sample.h"
#include "meta/class_index.h"
#include "meta/task_source.h"

namespace innerloop::meta {

EpisodeSource::EpisodeSource(const io::ImageSet& set, const EpisodeOptions& options)
    : options_(options), pixels_(set.pixels.to_context()) {
  const EpisodeOptions& o = options_;
  IL_CHECK(o.ways >= 1 && o.shots >= 1 && o.queries >= 1,
           "eval: ways {}, shots {} and queries {} must all be at least 1", o.ways, o.shots, o.queries);
  IL_CHECK(!is_unlabelled(set),
           "eval: {} has no class folders, so no answer can be right or wrong; evaluate on a folder "
           "with one subfolder a class",
           describe(set));
  ClassIndex index;
  const ClassIndex all = class_index(set);
  const std::int64_t each = o.shots + o.queries;
  for (std::size_t g = 0; g < all.classes.size(); ++g) {
    const auto images = static_cast<std::int64_t>(all.members[g].size());
    const std::string& name = set.classes[static_cast<std::size_t>(all.classes[g])];
    if (images >= each) {
      index.classes.push_back(all.classes[g]);
      index.members.push_back(all.members[g]);
      continue;
    }
    IL_CHECK(
        o.small_classes == SmallClasses::kLeaveOut,
        "eval: class '{}' of {} has {} images and an episode takes {} ({} shots + {} queries); lower eval.shots or "
        "eval.queries, or give it more images",
        name, describe(set), images, each, o.shots, o.queries);
    left_out_.push_back({name, images});
  }
  const auto classes = static_cast<std::int64_t>(index.classes.size());
  IL_CHECK(classes >= o.ways,
           "eval.ways: {} has {} classes{} and an episode takes {}; lower eval.ways or give more classes",
           describe(set), classes, left_out_.empty() ? "" : " with enough images", o.ways);
  class_of_image_ = set.labels;
  offsets_ = index.offsets_tensor();
  members_ = index.members_tensor();
}

Episodes EpisodeSource::draw(std::int64_t first, std::int64_t count) const {
  const EpisodeOptions& o = options_;
  IL_CHECK(first >= 0 && count >= 1 && first + count - 1 <= std::numeric_limits<std::uint32_t>::max(),
           "eval: episodes {} to {} have no address", first, first + count - 1);
  const std::int64_t each = o.shots + o.queries;
  Tensor drawn = Tensor::empty({count, o.ways * each}, DType::kI64);
  kernels::DrawTasks draw;
  draw.scheme = kernels::TaskScheme::kGroups;
  draw.offsets = offsets_.view();
  draw.members = members_.view();
  draw.image_count = pixels_.shape()[0];
  draw.ways = static_cast<std::int32_t>(o.ways);
  draw.shots = static_cast<std::int32_t>(each);
  draw.seed = o.seed;
  draw.stream = Stream::kEpisode;
  draw.task0 = static_cast<std::uint32_t>(first);
  draw.support_index = drawn.mutable_view();
  kernels::run(draw, Context::current());

  // The first `shots` images of each class are its support, the others its queries.
  const Tensor on_host = drawn.to_host();
  const auto images = on_host.data<std::int64_t>();
  std::vector<std::int64_t> support, query;
  Episodes episodes;
  for (std::int64_t t = 0; t < count; ++t) {
    episodes.classes.emplace_back();
    for (std::int64_t c = 0; c < o.ways; ++c) {
      const auto at = static_cast<std::size_t>((t * o.ways + c) * each);
      for (std::size_t i = 0; i < static_cast<std::size_t>(each); ++i)
        (i < static_cast<std::size_t>(o.shots) ? support : query).push_back(images[at + i]);
      episodes.classes.back().push_back(class_of_image_[static_cast<std::size_t>(images[at])]);
    }
  }
  const auto gather = [&](const std::vector<std::int64_t>& index, std::int64_t n) {
    return gather_images(pixels_, Tensor::from({count, o.ways * n}, index));
  };
  episodes.tasks = {gather(support, o.shots), class_major_labels(count, o.ways, o.shots), gather(query, o.queries),
                    class_major_labels(count, o.ways, o.queries)};
  return episodes;
}

}  // namespace innerloop::meta
