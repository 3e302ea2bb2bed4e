// Rows of a padded image as the taps of a filter meet them: for each column tap and channel the inputs of a row of y,
// side by side.
#pragma once

#include "kernels/cpu/patches/shape.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// In float64, less a middle of each channel's values; a ring of as many rows as a filter spans.
template <class T>
class PatchLines {
 public:
  static constexpr int kLanes = Vec<double>::kLanes;

  /// `middle` [channels] must outlive this.
  PatchLines(const PatchShape& shape, const double* middle, Context& context)
      : shape_(shape),
        middle_(middle),
        slots_(shape.rows(1, 1)),
        each_(shape.z.s * shape.z.c),
        length_(ceil_div(shape.z.q, kLanes) * kLanes),
        memory_(context, (slots_ * each_ + 1) * length_) {
    // What lies behind the last column stays zero, and so does the last line.
    for (std::int64_t i = 0; i < (slots_ * each_ + 1) * length_; ++i) memory_.data()[i] = 0;
  }

  /// Of a row: one for each column tap and channel.
  std::int64_t each() const { return each_; }
  /// Values of a line, whole vectors.
  std::int64_t length() const { return length_; }

  /// Begins with row `row` of the padded image.
  void begin(const T* image, std::int64_t row) {
    image_ = image;
    next_ = row;
  }
  /// Makes the rows up to `last` be there, and those that a filter spans before it stay.
  void show(std::int64_t last) {
    for (; next_ <= last; ++next_) fill(next_);
  }
  /// Line i of a row; zeros behind the last.
  const double* line(std::int64_t row, std::int64_t i) const {
    return memory_.data() + (i < each_ ? row % slots_ * each_ + i : slots_ * each_) * length_;
  }

 private:
  void fill(std::int64_t row) const {
    const ConvSizes& z = shape_.z;
    const std::int64_t h = row - shape_.geometry.pad_top, step = shape_.geometry.stride_w;
    const bool inside = h >= 0 && h < z.h;
    double* to = memory_.data() + row % slots_ * each_ * length_;
    for (std::int64_t b = 0; b < z.s; ++b) {
      const std::int64_t left = b * shape_.geometry.dilation_w - shape_.geometry.pad_left;
      const std::int64_t begin = smaller(z.q, left >= 0 ? 0 : ceil_div(-left, step));
      const std::int64_t end =
          inside ? larger(begin, smaller(z.q, left >= z.w ? 0 : ceil_div(z.w - left, step))) : begin;
      for (std::int64_t c = 0; c < z.c; ++c, to += length_) {
        for (std::int64_t q = 0; q < z.q; ++q) to[q] = -middle_[c];
        for (std::int64_t q = begin; q < end; ++q)
          to[q] = static_cast<double>(image_[(h * z.w + left + q * step) * z.c + c]) - middle_[c];
      }
    }
  }

  const PatchShape& shape_;
  const double* middle_;
  std::int64_t slots_, each_, length_;
  Scratch<double> memory_;
  const T* image_ = nullptr;
  std::int64_t next_ = 0;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
