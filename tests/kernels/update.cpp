#include "kernels/update.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class Update : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Update, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(Update, SgdWithThetaSharedByTasks) {
  for (const Shape& from : {Shape{1, 5, 7}, Shape{3, 5, 7}, Shape{1, 40001}, Shape{3, 0}}) {
    Shape shape = from.with(0, 3);
    SCOPED_TRACE(from.to_string());
    const Array theta = random_array(from, GetParam(), 1), grad = random_array(shape, GetParam(), 2);
    Array out(shape, GetParam());
    std::vector<Num> want;
    for (std::size_t i = 0; i < out.size(); ++i) want.push_back(Num(theta[i % theta.size()]) - Num(0.4) * Num(grad[i]));
    run_everywhere(
        {&out},
        [&](Context& c) {
          run(Sgd{0.4, theta.view(), grad.view(), out.mutable_view()}, c);
        },
        [&] { expect_near(out, want, 2, "out"); });
  }
}

TEST_P(Update, SgdInPlace) {
  Array theta = random_array({1003}, GetParam(), 1);
  const Array grad = random_array({1003}, GetParam(), 2);
  std::vector<Num> want;
  for (std::size_t i = 0; i < theta.size(); ++i) want.push_back(Num(theta[i]) - Num(0.01) * Num(grad[i]));
  run_everywhere(
      {&theta},
      [&](Context& c) {
        run(Sgd{0.01, theta.view(), grad.view(), theta.mutable_view()}, c);
      },
      [&] { expect_near(theta, want, 2, "theta"); });
}

TEST_P(Update, AdamFollowsAlgorithmOne) {
  constexpr double kRate = 0.01, kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  for (const std::int64_t n : {1, 17, 70001}) {
    Array grad[3];
    for (unsigned s = 0; s < 3; ++s) grad[s] = random_array({n}, GetParam(), s + 1);
    Array theta = random_array({n}, GetParam(), 9),
          m = Array({n}, GetParam(), std::vector<double>(static_cast<std::size_t>(n), 0.0)),
          v = Array({n}, GetParam(), std::vector<double>(static_cast<std::size_t>(n), 0.0));
    std::vector<Num> want_theta, want_m, want_v;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      Num mi(0.0), vi(0.0), x(theta[i]);
      for (int step = 1; step <= 3; ++step) {
        const Num g(grad[step - 1][i]);
        mi = Num(kBeta1) * mi + Num(1 - kBeta1) * g;
        vi = Num(kBeta2) * vi + Num(1 - kBeta2) * g * g;
        const double unbiased = static_cast<double>(vi.v) / (1 - std::pow(kBeta2, step));
        x = x - Num(kRate / (1 - std::pow(kBeta1, step)) / (std::sqrt(unbiased) + kEpsilon)) * mi;
      }
      want_theta.push_back(x), want_m.push_back(mi), want_v.push_back(vi);
    }
    run_everywhere(
        {&theta, &m, &v},
        [&](Context& c) {
          for (int step = 1; step <= 3; ++step)
            run(Adam{kRate, kBeta1, kBeta2, kEpsilon, step, grad[step - 1].view(), theta.mutable_view(),
                     m.mutable_view(), v.mutable_view()},
                c);
        },
        [&] {
          // Three steps of a handful of roundings each.
          expect_near(m, want_m, 6, "m");
          expect_near(v, want_v, 6, "v");
          expect_near(theta, want_theta, 12, "theta");
        });
  }
}

TEST_P(Update, ClipKeepsNaN) {
  std::vector<double> values = random_array({1001}, GetParam(), 1, 0, 3).values();
  values[5] = std::nan(""), values[6] = HUGE_VAL, values[7] = -HUGE_VAL, values[8] = 2, values[9] = -2;
  Array x({1001}, GetParam(), values);
  std::vector<Num> want;
  for (const double v : x.values()) want.emplace_back(std::isnan(v) ? v : std::min(std::max(v, -2.0), 2.0));
  run_everywhere(
      {&x},
      [&](Context& c) {
        run(ClipValue{2, x.mutable_view()}, c);
      },
      [&] { expect_near(x, want, 0, "x"); });
}

}  // namespace
}  // namespace innerloop::kernels
