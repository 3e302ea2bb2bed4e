// Lists against the kernels of single tensors on the CPU: they do the same.
#include "kernels/update_lists.h"

#include "kernels/reduce.h"
#include "kernels/update.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

/// Sizes around a block's piece, and more tensors than one launch takes.
std::vector<std::int64_t> sizes() {
  std::vector<std::int64_t> all{1, 3, 1023, 1024, 1025, 5000};
  while (all.size() < kMaxList + 5) all.push_back(2 + static_cast<std::int64_t>(all.size() % 7));
  return all;
}

using Arrays = std::vector<Array>;

Arrays draw(std::int64_t tasks, DType dtype, unsigned seed) {
  Arrays all;
  for (const std::int64_t n : sizes()) all.push_back(random_array({tasks, n}, dtype, ++seed));
  return all;
}
Arrays outputs(std::int64_t tasks, DType dtype) {
  Arrays all;
  for (const std::int64_t n : sizes()) all.emplace_back(Shape{tasks, n}, dtype);
  return all;
}
std::vector<ConstView> views(const Arrays& all) {
  std::vector<ConstView> out;
  for (const Array& a : all) out.push_back(a.view());
  return out;
}
std::vector<View> mutable_views(Arrays& all) {
  std::vector<View> out;
  for (Array& a : all) out.push_back(a.mutable_view());
  return out;
}
std::vector<Array*> pointers(std::initializer_list<Arrays*> lists) {
  std::vector<Array*> out;
  for (Arrays* list : lists)
    for (Array& a : *list) out.push_back(&a);
  return out;
}

class UpdateLists : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, UpdateLists, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(UpdateLists, RepeatGivesEachTaskTheSharedStart) {
  const Arrays theta = draw(1, GetParam(), 10);
  Arrays out = outputs(3, GetParam());
  const auto from = views(theta);
  const auto to = mutable_views(out);
  run_everywhere(pointers({&out}), [&](Context& c) { run(RepeatList{from, to}, c); }, [&] {
    for (std::size_t i = 0; i < out.size(); ++i)
      for (std::size_t j = 0; j < out[i].size(); ++j) ASSERT_EQ(out[i][j], theta[i][j % theta[i].size()]);
  });
}

TEST_P(UpdateLists, SgdWithSharedAndOwnStart) {
  const Array rate({1}, DType::kF64, {0.25});
  for (const std::int64_t start : {1, 3})
    for (const bool from_memory : {false, true}) {
      const Arrays theta = draw(start, GetParam(), 10), grad = draw(3, GetParam(), 90);
      Arrays out = outputs(3, GetParam());
      const auto t = views(theta), g = views(grad);
      const auto o = mutable_views(out);
      const SgdList kernel{from_memory ? 99 : 0.25, from_memory ? rate.view() : ConstView{}, t, g, o};
      run_everywhere(pointers({&out}), [&](Context& c) { run(kernel, c); }, [&] {
        for (std::size_t i = 0; i < out.size(); ++i)
          for (std::size_t j = 0; j < out[i].size(); ++j) {
            const double product = 0.25 * grad[i][j], from = theta[i][j % theta[i].size()];
            ASSERT_NEAR(out[i][j], from - product, epsilon_of(GetParam()) * (std::abs(from) + std::abs(product)));
          }
      });
    }
}

TEST_P(UpdateLists, AdamClipsAndFollowsItsFormula) {
  const Array schedule({3}, DType::kF64, {0.01, 1 / (1 - 0.81), 1 / (1 - 0.998001)});
  for (const double clip : {0.0, 0.5}) {
    const Arrays grad = draw(1, GetParam(), 10);
    Arrays theta = draw(1, GetParam(), 90), m = draw(1, GetParam(), 200), v = draw(1, GetParam(), 300);
    for (Array& a : v) {
      std::vector<double> squares = a.values();
      for (double& x : squares) x *= x;
      a = Array(a.shape(), GetParam(), squares);
    }
    const Arrays theta0 = theta, m0 = m, v0 = v;
    const auto g = views(grad);
    const auto tv = mutable_views(theta), mv = mutable_views(m), vv = mutable_views(v);
    AdamList kernel;
    kernel.clip = clip;
    kernel.schedule = schedule.view();
    kernel.grad = g, kernel.theta = tv, kernel.m = mv, kernel.v = vv;
    run_everywhere(pointers({&theta, &m, &v}), [&](Context& c) { run(kernel, c); }, [&] {
      for (std::size_t i = 0; i < theta.size(); ++i)
        for (std::size_t j = 0; j < theta[i].size(); ++j) {
          double x = grad[i][j];
          if (clip > 0) x = std::min(std::max(x, -clip), clip);
          const double em = 0.9 * m0[i][j] + 0.1 * x, ev = 0.999 * v0[i][j] + 0.001 * x * x;
          const double step = 0.01 * schedule[1] * em / (std::sqrt(ev * schedule[2]) + 1e-8);
          const double e = epsilon_of(GetParam());
          ASSERT_NEAR(m[i][j], em, 4 * e * (std::abs(m0[i][j]) + std::abs(x)));
          ASSERT_NEAR(v[i][j], ev, 4 * e * (v0[i][j] + x * x));
          ASSERT_NEAR(theta[i][j], theta0[i][j] - step,
                      16 * e * (std::abs(theta0[i][j]) + std::abs(step) * (1 + std::abs(m0[i][j] / em))));
        }
    });
  }
}

TEST_P(UpdateLists, MeansAndSquaresAreThoseOfSingleTensors) {
  const Arrays x = draw(3, GetParam(), 10);
  Arrays mean = outputs(1, GetParam());
  Array squares({static_cast<std::int64_t>(x.size())}, DType::kF64);
  const auto in = views(x);
  const auto out = mutable_views(mean);
  run_everywhere(
      [&] {
        auto all = pointers({&mean});
        all.push_back(&squares);
        return all;
      }(),
      [&](Context& c) {
        run(MeanOverTasksList{3, in, out}, c);
        run(SumOfSquaresList{in, squares.mutable_view()}, c);
      },
      [&] {
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t n = mean[i].size();
          double total = 0;
          for (std::size_t j = 0; j < n; ++j) {
            const double sum = x[i][j] + x[i][n + j] + x[i][2 * n + j];
            ASSERT_NEAR(mean[i][j], sum / 3, epsilon_of(GetParam()) * 2);
          }
          for (const double value : x[i].values()) total += value * value;
          ASSERT_NEAR(squares[i], total, 1e-12 * total);
        }
      });
}

TEST(UpdateListsErrors, ListsOfDifferentLengthsAreNamed) {
  Context context(1, one_target());
  const Array a({1}, DType::kF32, {1});
  const std::vector<ConstView> one{a.view()};
  EXPECT_THROW(run(SgdList{1, {}, one, {}, {}}, context), Error);
}

}  // namespace
}  // namespace innerloop::kernels
