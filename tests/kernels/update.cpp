#include "kernels/update.h"

#include <algorithm>

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

TEST_P(Update, SgdTakesItsRateFromMemory) {
  const Array theta = random_array({2, 517}, GetParam(), 1), grad = random_array({2, 517}, GetParam(), 2);
  const Array rate({1}, DType::kF64, {0.125});
  Array out(theta.shape(), GetParam());
  std::vector<Num> want;
  for (std::size_t i = 0; i < out.size(); ++i) want.push_back(Num(theta[i]) - Num(0.125) * Num(grad[i]));
  run_everywhere(
      {&out},
      [&](Context& c) {
        run(Sgd{77, theta.view(), grad.view(), out.mutable_view(), rate.view()}, c);
      },
      [&] { expect_near(out, want, 2, "out"); });
}

/// Three steps of Adam whose rate changes and whose step is known to the schedule only.
TEST_P(Update, AdamFollowsItsSchedule) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8, kRates[3] = {0.01, 0.02, 0.005};
  const Shape shape{1031};
  std::vector<double> lines;
  for (int step = 1; step <= 3; ++step)
    for (const double x : {kRates[step - 1], 1 / (1 - std::pow(kBeta1, step)), 1 / (1 - std::pow(kBeta2, step))})
      lines.push_back(x);
  const Array table({3, 3}, DType::kF64, lines);
  Array clock({1}, DType::kI64, {0}), schedule({3}, DType::kF64);
  Array grad[3];
  for (unsigned s = 0; s < 3; ++s) grad[s] = random_array(shape, GetParam(), s + 1);
  const std::vector<double> zeros(1031, 0.0);
  Array theta = random_array(shape, GetParam(), 9), m(shape, GetParam(), zeros), v(shape, GetParam(), zeros);
  const std::vector<double> start = theta.values();
  run_everywhere(
      {&theta, &m, &v, &clock, &schedule},
      [&](Context& c) {
        for (int step = 1; step <= 3; ++step) {
          run(AdvanceClock{table.view(), clock.mutable_view(), schedule.mutable_view()}, c);
          run(Adam{-1, kBeta1, kBeta2, kEpsilon, 1000, grad[step - 1].view(), theta.mutable_view(), m.mutable_view(),
                   v.mutable_view(), schedule.view()},
              c);
        }
      },
      [&] {
        std::vector<Num> want;
        for (std::size_t i = 0; i < theta.size(); ++i) {
          Num mi(0.0), vi(0.0), x(start[i]);
          for (int step = 1; step <= 3; ++step) {
            const Num g(grad[step - 1][i]);
            mi = Num(kBeta1) * mi + Num(1 - kBeta1) * g;
            vi = Num(kBeta2) * vi + Num(1 - kBeta2) * g * g;
            const double unbiased = static_cast<double>(vi.v) / (1 - std::pow(kBeta2, step));
            x = x - Num(kRates[step - 1] / (1 - std::pow(kBeta1, step)) / (std::sqrt(unbiased) + kEpsilon)) * mi;
          }
          want.push_back(x);
        }
        expect_near(theta, want, 12, "theta");
        EXPECT_EQ(clock[0], 3);
      });
}

TEST(AdvanceClock, GivesTheLineOfTheClockAndStaysOnTheLast) {
  const Array table({3, 3}, DType::kF64, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (const std::int64_t start : {0, 1, 2, 3, 40, -2}) {
    SCOPED_TRACE(start);
    Array clock({1}, DType::kI64, {static_cast<double>(start)}), schedule({3}, DType::kF64);
    const double first = static_cast<double>(1 + 3 * std::clamp<std::int64_t>(start, 0, 2));
    run_everywhere(
        {&clock, &schedule},
        [&](Context& c) {
          run(AdvanceClock{table.view(), clock.mutable_view(), schedule.mutable_view()}, c);
        },
        [&] {
          EXPECT_EQ(schedule.values(), (std::vector<double>{first, first + 1, first + 2}));
          EXPECT_EQ(clock[0], static_cast<double>(start + 1));
        });
  }
}

TEST(AdvanceClock, NamesWhatDoesNotFit) {
  Array table({2, 2}, DType::kF64, {1, 2, 3, 4}), clock({1}, DType::kI64, {0}), schedule({3}, DType::kF64);
  Context context(1, one_target());
  const auto error = [&](const auto& kernel) -> std::string {
    try {
      run(kernel, context);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error(AdvanceClock{table.view(), clock.mutable_view(), schedule.mutable_view()}),
            "advance_clock: table is f64 [2, 2]; it must be f64 [S, 3] with at least one line");
  table = Array({1, 3}, DType::kF64, {1, 2, 3});
  EXPECT_EQ(error(AdvanceClock{table.view(), schedule.mutable_view(), schedule.mutable_view()}),
            "advance_clock: clock is f64 [3]; it must be i64 [1]");
  EXPECT_EQ(error(AdvanceClock{table.view(), clock.mutable_view(), clock.mutable_view()}),
            "advance_clock: schedule is i64 [1]; it must be f64 [3]");
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
