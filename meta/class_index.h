// The images of each class that has any, in the form that the draw kernel reads. Internal to meta.
#pragma once

#include <string>
#include <vector>

#include "io/dataset.h"

namespace innerloop::meta {

struct ClassIndex {
  std::vector<std::int32_t> classes;               ///< [G] the set's class behind each group
  std::vector<std::vector<std::int64_t>> members;  ///< [G] images of each
  Tensor offsets_tensor() const;                   ///< i64 [G+1]
  Tensor members_tensor() const;                   ///< i64 [M]
};

/// Classes without an image (a subset keeps their names) are left out.
ClassIndex class_index(const io::ImageSet& set);

/// True when the set is a flat folder: one class without a name.
bool is_unlabelled(const io::ImageSet& set);

/// The set's name for error texts.
std::string describe(const io::ImageSet& set);

/// f32 images [1 or T, N, H, W, C] in [0, 1] of the u8 `pixels` at `index` i64 [T, N].
Tensor gather_images(const Tensor& pixels, const Tensor& index);

}  // namespace innerloop::meta
