// The map from Matmul to cuBLAS arguments: the calls are carried out here as cuBLAS documents them, column-major, and
// must give what Matmul's contract says. Entries are small integers, so every sum is exact and compared with ==.
#include "kernels/cuda/cublas/gemm_call.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "tensor/philox.h"

namespace innerloop::kernels::cublas {
namespace {

/// cublasDgemmStridedBatched by its documentation: C = op(A) op(B) + beta C, everything read down its columns.
void interpret(const GemmCall& call) {
  const auto* a = static_cast<const double*>(call.a);
  const auto* b = static_cast<const double*>(call.b);
  auto* c = static_cast<double*>(call.c);
  ASSERT_GE(call.lda, call.op_a == Transpose::kNo ? call.m : call.k);
  ASSERT_GE(call.ldb, call.op_b == Transpose::kNo ? call.k : call.n);
  ASSERT_GE(call.ldc, call.m);
  for (std::int64_t t = 0; t < call.batch; ++t)
    for (std::int64_t j = 0; j < call.n; ++j)
      for (std::int64_t i = 0; i < call.m; ++i) {
        double sum = 0;
        for (std::int64_t p = 0; p < call.k; ++p) {
          const std::int64_t at_a = call.op_a == Transpose::kNo ? i + p * call.lda : p + i * call.lda;
          const std::int64_t at_b = call.op_b == Transpose::kNo ? p + j * call.ldb : j + p * call.ldb;
          sum += a[t * call.stride_a + at_a] * b[t * call.stride_b + at_b];
        }
        double& out = c[t * call.stride_c + i + j * call.ldc];
        out = call.beta == 0 ? sum : sum + call.beta * out;
      }
}

struct Case {
  Transpose transpose_a, transpose_b;
  std::int64_t tasks_a[2], tasks_b[2], tasks_out;
  int pairs;
  std::int64_t m, n, k;
};

struct Problem {
  std::vector<double> a[2], b[2], out;
  Matmul matmul;
};

Problem make(const Case& z) {
  PhiloxSequence random(7, Stream::kCheck);
  const auto fill = [&](std::int64_t n) {
    std::vector<double> v(static_cast<std::size_t>(n));
    for (double& x : v) x = static_cast<double>(random.below(15)) - 7;
    return v;
  };
  Problem p;
  p.matmul.transpose_a = z.transpose_a;
  p.matmul.transpose_b = z.transpose_b;
  for (int i = 0; i < z.pairs; ++i) {
    p.a[i] = fill(z.tasks_a[i] * z.m * z.k);
    p.b[i] = fill(z.tasks_b[i] * z.k * z.n);
    const bool flip_a = z.transpose_a == Transpose::kYes, flip_b = z.transpose_b == Transpose::kYes;
    p.matmul.a[i] = {p.a[i].data(), DType::kF64, {z.tasks_a[i], flip_a ? z.k : z.m, flip_a ? z.m : z.k}};
    p.matmul.b[i] = {p.b[i].data(), DType::kF64, {z.tasks_b[i], flip_b ? z.n : z.k, flip_b ? z.k : z.n}};
  }
  // What no call writes stays NaN and compares unequal.
  p.out.assign(static_cast<std::size_t>(z.tasks_out * z.m * z.n), std::numeric_limits<double>::quiet_NaN());
  p.matmul.out = {p.out.data(), DType::kF64, {z.tasks_out, z.m, z.n}};
  return p;
}

/// Matmul's contract, row-major, straight from kernels/matmul.h.
std::vector<double> expected(const Case& z, const Problem& p) {
  std::vector<double> out(p.out.size(), 0.0);
  std::int64_t tasks = z.tasks_out;
  for (int i = 0; i < z.pairs; ++i) tasks = std::max({tasks, z.tasks_a[i], z.tasks_b[i]});
  for (std::int64_t t = 0; t < tasks; ++t)
    for (int i = 0; i < z.pairs; ++i)
      for (std::int64_t r = 0; r < z.m; ++r)
        for (std::int64_t c = 0; c < z.n; ++c)
          for (std::int64_t k = 0; k < z.k; ++k) {
            const std::int64_t ta = z.tasks_a[i] == 1 ? 0 : t, tb = z.tasks_b[i] == 1 ? 0 : t;
            const std::int64_t at_a = z.transpose_a == Transpose::kYes ? k * z.m + r : r * z.k + k;
            const std::int64_t at_b = z.transpose_b == Transpose::kYes ? c * z.k + k : k * z.n + c;
            const std::int64_t at = ((z.tasks_out == 1 ? 0 : t) * z.m + r) * z.n + c;
            out[static_cast<std::size_t>(at)] += p.a[i][static_cast<std::size_t>(ta * z.m * z.k + at_a)] *
                                                 p.b[i][static_cast<std::size_t>(tb * z.k * z.n + at_b)];
          }
  return out;
}

TEST(GemmCall, EveryTransposeTaskExtentAndPairGivesTheProduct) {
  int cases = 0;
  for (const Transpose ta : {Transpose::kNo, Transpose::kYes})
    for (const Transpose tb : {Transpose::kNo, Transpose::kYes})
      for (int bits = 0; bits < 32; ++bits)
        for (const int pairs : {1, 2}) {
          const auto extent = [&](int bit) -> std::int64_t { return bits >> bit & 1 ? 3 : 1; };
          if (pairs == 1 && bits >= 8) continue;
          const Case z{ta, tb, {extent(0), extent(3)}, {extent(1), extent(4)}, extent(2), pairs, 4, 5, 6};
          Problem p = make(z);
          for (const GemmCall& call : gemm_calls(p.matmul)) interpret(call);
          EXPECT_EQ(p.out, expected(z, p))
              << "transposes " << int(ta) << int(tb) << " bits " << bits << " pairs " << pairs;
          ++cases;
        }
  EXPECT_EQ(cases, 4 * (8 + 32));
}

TEST(GemmCall, OddExtentsGiveTheProduct) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1}, {1, 7, 3}, {7, 1, 3}, {5, 3, 1}, {2, 9, 11}}) {
    const Case z{Transpose::kYes, Transpose::kNo, {2, 2}, {2, 1}, 2, 2, m, n, k};
    Problem p = make(z);
    for (const GemmCall& call : gemm_calls(p.matmul)) interpret(call);
    EXPECT_EQ(p.out, expected(z, p)) << m << " " << n << " " << k;
  }
}

TEST(GemmCall, CountsItsCalls) {
  const auto calls = [](Case z) { return gemm_calls(make(z).matmul); };
  const Transpose no = Transpose::kNo, yes = Transpose::kYes;
  const auto batched = calls({no, no, {3, 1}, {3, 1}, 3, 1, 4, 5, 6});
  ASSERT_EQ(batched.size(), 1u);
  EXPECT_EQ(batched[0].batch, 3);
  const auto shared = calls({no, no, {3, 1}, {1, 1}, 3, 1, 4, 5, 6});
  ASSERT_EQ(shared.size(), 1u);  // tasks are rows of one product
  EXPECT_EQ(shared[0].batch, 1);
  EXPECT_EQ(shared[0].n, 12);
  const auto summed = calls({yes, no, {3, 1}, {3, 1}, 1, 1, 4, 5, 6});
  ASSERT_EQ(summed.size(), 1u);  // tasks are a longer sum
  EXPECT_EQ(summed[0].k, 18);
  const auto one_by_one = calls({no, yes, {3, 1}, {3, 1}, 1, 1, 4, 5, 6});
  ASSERT_EQ(one_by_one.size(), 3u);
  EXPECT_EQ(one_by_one[0].beta, 0);
  EXPECT_EQ(one_by_one[2].beta, 1);
}

TEST(GemmCall, AnEmptySumHasNoCall) {
  EXPECT_TRUE(gemm_calls(make({Transpose::kNo, Transpose::kNo, {2, 1}, {2, 1}, 2, 1, 4, 5, 0}).matmul).empty());
}

TEST(GemmCall, RefusesWhatDoesNotFit) {
  const auto text = [](const Matmul& m) -> std::string {
    try {
      gemm_calls(m);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  Problem p = make({Transpose::kNo, Transpose::kNo, {2, 1}, {2, 1}, 2, 1, 4, 5, 6});
  Matmul m = p.matmul;
  m.b[0].shape = {2, 7, 5};
  EXPECT_NE(text(m).find("[2, 4, 6] times [2, 7, 5]"), std::string::npos) << text(m);
  m = p.matmul;
  m.b[0].shape = {3, 6, 5};
  EXPECT_NE(text(m).find("task extent"), std::string::npos) << text(m);
  m = p.matmul;
  m.b[0].dtype = DType::kF32;
  EXPECT_NE(text(m).find("f32"), std::string::npos) << text(m);
  m = p.matmul;
  m.a[1] = m.a[0];
  EXPECT_NE(text(m).find("second pair"), std::string::npos) << text(m);
}

TEST(TransposeCall, TurnsRowsIntoColumns) {
  const std::int64_t rows = 6, columns = 4;
  const TransposeCall call = transpose_call(rows, columns);
  std::vector<double> from(24), to(24, -1);
  for (std::size_t i = 0; i < 24; ++i) from[i] = static_cast<double>(i);
  // C [m,n] = A^T, column-major: C(i, j) = A(j, i).
  for (std::int64_t j = 0; j < call.n; ++j)
    for (std::int64_t i = 0; i < call.m; ++i)
      to[static_cast<std::size_t>(i + j * call.ldc)] = from[static_cast<std::size_t>(j + i * call.lda)];
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      EXPECT_EQ(to[static_cast<std::size_t>(c * rows + r)], from[static_cast<std::size_t>(r * columns + c)]);
}

}  // namespace
}  // namespace innerloop::kernels::cublas
