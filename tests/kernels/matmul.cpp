#include "kernels/matmul.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class MatmulTest : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, MatmulTest, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

struct MatmulCase {
  std::int64_t ta, tb, to;  ///< task extents of a, b and the output
  std::int64_t m, k, n;
  int pairs = 1;
};

const MatmulCase kCases[] = {
    {1, 1, 1, 1, 1, 1},    {1, 1, 1, 5, 64, 5},    {3, 3, 3, 5, 64, 5, 2},    {3, 1, 3, 7, 17, 16},
    {1, 3, 3, 6, 31, 33},  {3, 3, 1, 5, 20, 5, 2}, {3, 1, 1, 4, 9, 70},       {1, 1, 1, 75, 800, 20},
    {1, 1, 1, 5, 6000, 5}, {2, 2, 2, 5, 5000, 3},  {2, 2, 1, 3, 4500, 64, 2}, {1, 1, 1, 500, 5, 64},
    {1, 1, 1, 5, 5, 700},  {2, 2, 2, 0, 4, 3},     {2, 2, 2, 3, 0, 4},        {1, 1, 1, 11, 12, 128},
};

/// f32 sums of slices of a few hundred products, then of the slices: a typical error of a few epsilon times the
/// magnitude.
constexpr double kMatmulFactor = 4;

Array operand(std::int64_t t, std::int64_t rows, std::int64_t columns, Transpose transpose, DType dtype,
              unsigned seed) {
  return transpose == Transpose::kNo ? random_array({t, rows, columns}, dtype, seed)
                                     : random_array({t, columns, rows}, dtype, seed);
}

double element(const Array& a, Transpose transpose, std::int64_t task, std::int64_t row, std::int64_t column) {
  if (a.shape()[0] == 1) task = 0;
  if (transpose == Transpose::kYes) std::swap(row, column);
  return a[static_cast<std::size_t>((task * a.shape()[1] + row) * a.shape()[2] + column)];
}

TEST_P(MatmulTest, AgainstThreeLoops) {
  for (const MatmulCase& c : kCases)
    for (const Transpose left : {Transpose::kNo, Transpose::kYes})
      for (const Transpose right : {Transpose::kNo, Transpose::kYes}) {
        SCOPED_TRACE(std::to_string(c.m) + " " + std::to_string(c.k) + " " + std::to_string(c.n) + " tasks " +
                     std::to_string(c.ta) + std::to_string(c.tb) + std::to_string(c.to) + " transposed " +
                     std::to_string(left == Transpose::kYes) + std::to_string(right == Transpose::kYes));
        Array a[2], b[2];
        for (int p = 0; p < c.pairs; ++p) {
          a[p] = operand(c.ta, c.m, c.k, left, GetParam(), static_cast<unsigned>(1 + p));
          b[p] = operand(c.tb, c.k, c.n, right, GetParam(), static_cast<unsigned>(3 + p));
        }
        Array out({c.to, c.m, c.n}, GetParam());
        std::vector<Num> want(out.size());
        for (std::int64_t t = 0; t < std::max(c.ta, c.tb); ++t)
          for (int p = 0; p < c.pairs; ++p)
            for (std::int64_t i = 0; i < c.m; ++i)
              for (std::int64_t j = 0; j < c.n; ++j) {
                Num& sum = want[static_cast<std::size_t>(((c.to == 1 ? 0 : t) * c.m + i) * c.n + j)];
                for (std::int64_t k = 0; k < c.k; ++k)
                  sum += Num(element(a[p], left, t, i, k)) * Num(element(b[p], right, t, k, j));
              }
        const Matmul kernel{left, right, {a[0].view(), a[1].view()}, {b[0].view(), b[1].view()}, out.mutable_view()};
        run_everywhere(
            {&out}, [&](Context& context) { run(kernel, context); },
            [&] { expect_near(out, want, kMatmulFactor, "out"); });
      }
}

}  // namespace
}  // namespace innerloop::kernels
