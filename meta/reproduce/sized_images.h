// The images of a comparison, at every side at which a system sees them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/dataset.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/sizes.h"

namespace innerloop::meta::reproduce {

/// Indices mean the same image at every side, so one plan serves all.
class SizedImages {
 public:
  /// `base` is what everybody sees who has no side of its own; it must outlive this.
  SizedImages(const io::ImageSet& base, Sizes sizes) : base_(base), sizes_(std::move(sizes)) {}

  /// Adds the same images at another side. Throws Error naming what differs: the data have changed in between.
  void add(io::ImageSet same);
  bool has(std::int64_t side) const { return side == base_.height || others_.contains(side); }

  std::int64_t side_of(const Contestant& contestant) const;
  /// Throws Error when its side has not been added.
  const io::ImageSet& of(const Contestant& contestant) const;

 private:
  const io::ImageSet& base_;
  Sizes sizes_;
  std::map<std::int64_t, io::ImageSet> others_;  ///< by side
};

}  // namespace innerloop::meta::reproduce
