#include "kernels/pack.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

TEST(Pack, InterleavePutsColumnsSideBySide) {
  for (const DType dtype : {DType::kF32, DType::kF64})
    for (const std::int64_t columns : {1, 2, 5, 60}) {
      std::vector<Array> parts;
      std::vector<ConstView> views;
      for (std::int64_t k = 0; k < columns; ++k) parts.push_back(random_array({7}, dtype, static_cast<unsigned>(k)));
      for (const Array& p : parts) views.push_back(p.view());
      Array out({7, columns}, dtype);
      run_everywhere({&out}, [&](Context& c) { run(Interleave{views, out.mutable_view()}, c); }, [&] {
        for (std::size_t t = 0; t < 7; ++t)
          for (std::size_t k = 0; k < parts.size(); ++k) EXPECT_EQ(out[t * parts.size() + k], parts[k][t]);
      });
    }
}

TEST(Pack, PackRowWritesTheRowOfItsClock) {
  std::vector<Array> parts;
  for (unsigned i = 0; i < 50; ++i)
    parts.push_back(random_array({1 + static_cast<std::int64_t>(i % 3)}, i % 2 == 0 ? DType::kF32 : DType::kF64, i));
  std::vector<ConstView> views;
  std::vector<double> expected;
  for (const Array& p : parts) {
    views.push_back(p.view());
    for (double x : p.values()) expected.push_back(x);
  }
  const auto width = static_cast<std::int64_t>(expected.size());
  const Array clock({1}, DType::kI64, {7});
  Array ring({3, width}, DType::kF64);
  run_everywhere({&ring}, [&](Context& c) { run(PackRow{views, clock.view(), ring.mutable_view()}, c); }, [&] {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(ring[expected.size() + i], expected[i]);  // 7 % 3 = 1
      EXPECT_TRUE(std::isnan(ring[i]));
    }
  });
}

}  // namespace
}  // namespace innerloop::kernels
