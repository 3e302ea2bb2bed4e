#include "tensor/shape.h"

#include <algorithm>

#include "tensor/error.h"

namespace innerloop {

Shape::Shape(std::initializer_list<std::int64_t> extents) {
  IL_CHECK(extents.size() <= kMaxRank, "shape: {} axes asked for, at most {} are supported", extents.size(),
           kMaxRank);
  for (std::int64_t e : extents) {
    IL_CHECK(e >= 0, "shape: extent {} is negative", e);
    extents_[static_cast<std::size_t>(rank_++)] = e;
  }
}

Shape Shape::with(int i, std::int64_t extent) const {
  Shape s = *this;
  s.extents_[static_cast<std::size_t>(i < 0 ? i + rank_ : i)] = extent;
  return s;
}

Shape Shape::append(std::int64_t extent) const {
  IL_CHECK(rank_ < kMaxRank, "shape: {} has no room for another axis", to_string());
  Shape s = *this;
  s.extents_[static_cast<std::size_t>(s.rank_++)] = extent;
  return s;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string((*this)[i]);
  return text + "]";
}

Shape broadcast(const Shape& a, const Shape& b, const char* op) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  Shape out = longer;
  for (int i = 1; i <= longer.rank(); ++i) {
    const std::int64_t ea = i <= a.rank() ? a[-i] : 1;
    const std::int64_t eb = i <= b.rank() ? b[-i] : 1;
    IL_CHECK(ea == eb || ea == 1 || eb == 1, "{}: shapes {} and {} do not broadcast", op, a.to_string(),
             b.to_string());
    out = out.with(-i, ea == 1 ? eb : ea);
  }
  return out;
}

}  // namespace innerloop
