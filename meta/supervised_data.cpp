// The images of a supervised fit: labels, and what early stopping watches.
#include <fmt/format.h>

#include <numeric>

#include "io/groups.h"
#include "meta/supervised.h"

namespace innerloop::meta {
namespace {

/// Whether every class that `whole` has images of has one in `part`.
bool has_every_class(const io::ImageSet& whole, const io::ImageSet& part) {
  const auto all = whole.by_class(), some = part.by_class();
  for (std::size_t c = 0; c < all.size(); ++c)
    if (!all[c].empty() && some[c].empty()) return false;
  return true;
}

TrainPart all_trains(const io::ImageSet& set, std::string why) { return {set, {}, std::move(why)}; }

}  // namespace

LabelledImages labelled_images(const io::ImageSet& set) { return {set.pixels, set.labels}; }

TrainPart split_validation(const io::ImageSet& set, double share, std::uint64_t seed) {
  if (share == 0) return all_trains(set, "no validation images (supervised.validation = 0): every iteration is run");
  io::Split split;
  try {
    split = io::split_holdout(set, share, seed);
  } catch (const UsageError&) {
    throw;
  } catch (const Error&) {
    // Too few patients for two sides; told below.
  }
  TrainPart part;
  if (!split.train.empty() && !split.held_out.empty()) {
    part.train = io::subset(set, split.train);
    part.validation = io::subset(set, split.held_out);
  }
  if (split.held_out.empty() || !has_every_class(set, part.train) || !has_every_class(set, part.validation))
    return all_trains(
        set, fmt::format("no validation images: {} training images are too few to spare one of every class, so every "
                         "iteration is run",
                         set.count()));
  part.note =
      fmt::format("{} training images, {} more for early stopping", part.train.count(), part.validation.count());
  return part;
}

}  // namespace innerloop::meta
