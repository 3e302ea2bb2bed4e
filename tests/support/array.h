// Array: what oracles compute with. A float64 array with checked, readable indexing; nothing of the engine but its
// shapes.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::test {

struct Array {
  Shape shape;
  std::vector<double> v;

  Array() = default;
  explicit Array(const Shape& s, double value = 0) : shape(s), v(static_cast<std::size_t>(s.numel()), value) {}
  explicit Array(const Tensor& t);

  template <class... I>
  double& operator()(I... i) {
    return v[offset(i...)];
  }
  template <class... I>
  double operator()(I... i) const {
    return v[offset(i...)];
  }
  /// The flat position of an index; throws when it lies outside.
  template <class... I>
  std::size_t offset(I... i) const {
    const std::int64_t at[] = {static_cast<std::int64_t>(i)...};
    IL_CHECK(sizeof...(I) == static_cast<std::size_t>(shape.rank()), "oracle: {} indices into {}", sizeof...(I),
             shape.to_string());
    std::int64_t o = 0;
    for (int a = 0; a < shape.rank(); ++a) {
      IL_CHECK(at[a] >= 0 && at[a] < shape[a], "oracle: index {} on axis {} of {}", at[a], a, shape.to_string());
      o = o * shape[a] + at[a];
    }
    return static_cast<std::size_t>(o);
  }
};

using Arrays = std::vector<Array>;

/// a[t] where a has tasks, a[0] where one entry serves all.
inline std::int64_t task_of(const Array& a, std::int64_t t) { return a.shape[0] == 1 ? 0 : t; }

}  // namespace innerloop::test
