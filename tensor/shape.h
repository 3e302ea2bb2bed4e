// Shape: up to six extents, row-major, the last one contiguous. No strides: every tensor is dense.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace innerloop {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  constexpr Shape() = default;
  /// Throws when there are more than kMaxRank extents or one is negative.
  Shape(std::initializer_list<std::int64_t> extents);

  constexpr int rank() const { return rank_; }
  /// Extent of axis `i`; negative `i` counts from the end. The caller keeps `i` in range.
  constexpr std::int64_t operator[](int i) const { return extents_[static_cast<std::size_t>(i < 0 ? i + rank_ : i)]; }
  /// Product of the extents; 1 for rank 0.
  constexpr std::int64_t numel() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= extents_[static_cast<std::size_t>(i)];
    return n;
  }
  /// A copy with axis `i` set to `extent`.
  Shape with(int i, std::int64_t extent) const;
  /// A copy with one more axis at the end.
  Shape append(std::int64_t extent) const;
  /// "[5, 28, 28, 1]", as every error text prints it.
  std::string to_string() const;

  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

/// NumPy's broadcast of two shapes: aligned at the end, extents equal or 1. Throws, naming `op`, when they do not fit.
Shape broadcast(const Shape& a, const Shape& b, const char* op);

}  // namespace innerloop
