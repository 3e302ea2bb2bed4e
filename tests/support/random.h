// Random tensors of the tests: a pure function of a seed, from the stream that is theirs alone.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::test {

enum class Fill {
  kUniform,  ///< independent, uniform
  kSpread,   ///< a shuffled grid of cell centres: no two alike, and none nearer to a symmetric range's 0 than half a
             ///< cell
};

struct Range {
  double low = -1, high = 1;
  Fill fill = Fill::kUniform;
};

/// float64 values in [low, high]. Different `which` under one seed are independent.
Tensor random_tensor(const Shape& shape, Range range, std::uint32_t seed, std::uint32_t which);

/// One random float64 tensor for the shape of each, uniform in [-1, 1].
std::vector<Tensor> random_like(const std::vector<Tensor>& like, std::uint32_t seed);

/// Labels i64 in [0, classes), every class as often as the number allows.
Tensor random_labels(const Shape& shape, std::int64_t classes, std::uint32_t seed);

}  // namespace innerloop::test
