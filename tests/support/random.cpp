#include "support/random.h"

#include <utility>

#include "tensor/philox.h"

namespace innerloop::test {
namespace {

constexpr std::uint64_t kTestSeed = 20240611;

}  // namespace

Tensor random_tensor(const Shape& shape, Range range, std::uint32_t seed, std::uint32_t which) {
  PhiloxSequence random(kTestSeed, Stream::kCheck, seed, which);
  Tensor t = Tensor::empty(shape, DType::kF64);
  const auto x = t.mutable_data<double>();
  const double width = range.high - range.low;
  const auto cells = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = range.fill == Fill::kSpread ? (static_cast<double>(i) + 0.5) / cells : random.uniform();
    x[i] = range.low + width * at;
  }
  if (range.fill == Fill::kSpread) {
    // An odd number of cells has its middle in the centre of the range, which may be a kink.
    if (x.size() % 2 == 1) x[x.size() / 2] += 0.25 * width / cells;
    for (std::size_t i = x.size(); i > 1; --i) std::swap(x[i - 1], x[random.below(static_cast<std::uint32_t>(i))]);
  }
  return t;
}

std::vector<Tensor> random_like(const std::vector<Tensor>& like, std::uint32_t seed) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < like.size(); ++i)
    out.push_back(random_tensor(like[i].shape(), {}, seed, 1000 + static_cast<std::uint32_t>(i)));
  return out;
}

Tensor random_labels(const Shape& shape, std::int64_t classes, std::uint32_t seed) {
  PhiloxSequence random(kTestSeed, Stream::kCheck, seed, 2000);
  Tensor t = Tensor::empty(shape, DType::kI64);
  const auto x = t.mutable_data<std::int64_t>();
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::int64_t>(i) % classes;
  for (std::size_t i = x.size(); i > 1; --i) std::swap(x[i - 1], x[random.below(static_cast<std::uint32_t>(i))]);
  return t;
}

}  // namespace innerloop::test
