#include "kernels/matmul.h"

#include <span>

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

const MatmulCase kMatmulCases[] = {
    {1, 1, 1, 1, 1, 1},    {1, 1, 1, 5, 64, 5},    {3, 3, 3, 5, 64, 5, 2},    {3, 1, 3, 7, 17, 16},
    {1, 3, 3, 6, 31, 33},  {3, 3, 1, 5, 20, 5, 2}, {3, 1, 1, 4, 9, 70},       {1, 1, 1, 75, 800, 20},
    {1, 1, 1, 5, 6000, 5}, {2, 2, 2, 5, 5000, 3},  {2, 2, 1, 3, 4500, 64, 2}, {1, 1, 1, 500, 5, 64},
    {1, 1, 1, 5, 5, 700},  {2, 2, 2, 0, 4, 3},     {2, 2, 2, 3, 0, 4},        {1, 1, 1, 11, 12, 128},
};

/// Around the edges of the tiles (16, 64), steps (32) and slices (128) of the device's kernel, in the shapes of a head
/// and of its two gradients, and with many tasks.
const MatmulCase kEdges[] = {
    {1, 1, 1, 16, 32, 32},     {1, 1, 1, 17, 33, 33},    {2, 2, 2, 64, 128, 64},     {2, 2, 2, 65, 129, 65, 2},
    {2, 2, 1, 63, 127, 31, 2}, {2, 1, 2, 25, 1568, 5},   {3, 3, 1, 30, 260, 20, 2},  {2, 2, 2, 290, 25, 5},
    {2, 2, 2, 25, 5, 290},     {150, 150, 150, 3, 5, 2}, {150, 150, 1, 3, 5, 2},
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

void expect_three_loops(std::span<const MatmulCase> cases, DType dtype) {
  for (const MatmulCase& c : cases)
    for (const Transpose left : {Transpose::kNo, Transpose::kYes})
      for (const Transpose right : {Transpose::kNo, Transpose::kYes}) {
        SCOPED_TRACE(std::to_string(c.m) + " " + std::to_string(c.k) + " " + std::to_string(c.n) + " tasks " +
                     std::to_string(c.ta) + std::to_string(c.tb) + std::to_string(c.to) + " transposed " +
                     std::to_string(left == Transpose::kYes) + std::to_string(right == Transpose::kYes));
        Array a[2], b[2];
        for (int p = 0; p < c.pairs; ++p) {
          a[p] = operand(c.ta, c.m, c.k, left, dtype, static_cast<unsigned>(1 + p));
          b[p] = operand(c.tb, c.k, c.n, right, dtype, static_cast<unsigned>(3 + p));
        }
        Array out({c.to, c.m, c.n}, dtype);
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

TEST_P(MatmulTest, AgainstThreeLoops) { expect_three_loops(kMatmulCases, GetParam()); }

TEST_P(MatmulTest, AgainstThreeLoopsAtEdges) { expect_three_loops(kEdges, GetParam()); }

/// The cut of a sum must not depend on the other tasks: a task alone gives the bits that it gives among others.
TEST_P(MatmulTest, ATaskDoesNotSeeTheOthers) {
  const Array a = random_array({9, 5, 3000}, GetParam(), 1), b = random_array({9, 3000, 5}, GetParam(), 2);
  Array all({9, 5, 5}, GetParam()), alone({1, 5, 5}, GetParam());
  Context context(1, one_target());
  run(Matmul{Transpose::kNo, Transpose::kNo, {a.view(), {}}, {b.view(), {}}, all.mutable_view()}, context);
  const auto task = [](ConstView v, std::int64_t t) {
    const Shape shape = v.shape.with(0, 1);
    const auto bytes = static_cast<std::size_t>(t * shape.numel()) * size_of(v.dtype);
    return ConstView{static_cast<const char*>(v.data) + bytes, v.dtype, shape};
  };
  for (std::int64_t t = 0; t < 9; ++t) {
    run(Matmul{Transpose::kNo, Transpose::kNo, {task(a.view(), t), {}}, {task(b.view(), t), {}}, alone.mutable_view()},
        context);
    wait_for_device();
    for (std::size_t i = 0; i < 25; ++i)
      ASSERT_EQ(alone[i], all[static_cast<std::size_t>(t) * 25 + i]) << t << " " << i;
  }
}

}  // namespace
}  // namespace innerloop::kernels
