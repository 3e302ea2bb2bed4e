// The end of a meta-step in one call: the bits of its parts.
#include "kernels/outer_update.h"

#include <algorithm>
#include <utility>

#include "tests/kernels/harness.h"
#include "tests/kernels/sample_common.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

/// Parameters of a block's size, one element, and no whole number of pieces.
const Shape kShapes[] = {{1, 3, 3, 16, 32}, {1, 1}, {1, 2500}, {1, 64}};

struct Update {
  std::int64_t tasks;
  std::vector<Array> grad, theta, m, v, start;
  std::vector<ConstView> grads, figures;
  std::vector<View> thetas, ms, vs, starts;
  Array table, clock, schedule, gradient_squares, state_squares;
  Array losses, accuracies, ring;

  /// With tasks, all that the end of a whole batch has: gradients of each task, starts, and a row.
  explicit Update(DType t, std::int64_t of_tasks = 0)
      : tasks(of_tasks),
        table({3, 3}, DType::kF64, {0.1, 10, 1000, 0.2, 5, 500, 0.3, 3, 300}),
        clock({1}, DType::kI64, {1}),
        schedule({3}, DType::kF64),
        gradient_squares({4}, DType::kF64),
        state_squares({12}, DType::kF64),
        losses({3}, t, {1.5, 2.5, -3}),
        accuracies({2}, DType::kF64, {0.1, 0.2}),
        ring({3, 5 + 16}, DType::kF64) {
    unsigned seed = 0;
    for (const Shape& s : kShapes) {
      grad.push_back(random_array(s.with(0, std::max<std::int64_t>(tasks, 1)), t, ++seed)), theta.push_back(random_array(s, t, ++seed));
      start.emplace_back(s.with(0, std::max<std::int64_t>(tasks, 1)), t);
      m.push_back(random_array(s, t, ++seed)), v.push_back(random_array(s, t, ++seed, 9, 1));  // above zero
    }
    for (std::size_t i = 0; i < grad.size(); ++i) {
      grads.push_back(grad[i].view()), thetas.push_back(theta[i].mutable_view());
      ms.push_back(m[i].mutable_view()), vs.push_back(v[i].mutable_view());
      starts.push_back(start[i].mutable_view());
    }
    figures = {losses.view(), accuracies.view(), gradient_squares.view(), state_squares.view()};
  }
  OuterUpdate kernel(double clip) {
    OuterUpdate k{{table.view(), clock.mutable_view(), schedule.mutable_view()}, {}, gradient_squares.mutable_view(),
                  state_squares.mutable_view()};
    k.adam.clip = clip, k.adam.schedule = schedule.view();
    k.adam.grad = grads, k.adam.theta = thetas, k.adam.m = ms, k.adam.v = vs;
    if (tasks > 0) k.tasks = tasks, k.starts = starts, k.row = {figures, clock.view(), ring.mutable_view()};
    return k;
  }
  std::vector<Array*> outputs() {
    std::vector<Array*> all{&clock, &schedule, &gradient_squares, &state_squares};
    if (tasks > 0) {
      all.push_back(&ring);
      for (Array& a : start) all.push_back(&a);
    }
    for (std::vector<Array>* list : {&theta, &m, &v})
      for (Array& a : *list) all.push_back(&a);
    return all;
  }
};

class Outer : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Outer, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(Outer, IsItsPartsOneAfterAnother) {
  for (const auto& [clip, tasks] : {std::pair{0.0, 0}, {0.5, 0}, {0.5, 1}, {0.0, 3}}) {
    SCOPED_TRACE(clip);
    SCOPED_TRACE(tasks);
    Update u(GetParam(), tasks);
    const OuterUpdate k = u.kernel(clip);
    const std::vector<Array*> outputs = u.outputs();
    run_everywhere(
        outputs, [&](Context& context) { run(k, context); },
        [&] {
          EXPECT_EQ(u.clock[0], 2);
          EXPECT_EQ(u.schedule.values(), (std::vector<double>{0.2, 5, 500}));
          std::vector<Bytes> got;
          for (Array* a : outputs) got.push_back(a->memory()), a->reset();
          Context context(1, one_target());
          compose(k, context);
          wait_for_device();
          for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(got[i], outputs[i]->memory()) << "output " << i;
        });
  }
}

TEST_P(Outer, SumsTheGradientBeforeTheClipAndTheStateAfterTheUpdate) {
  Update u(GetParam());
  Context context(1, one_target());
  run(u.kernel(0.5), context);
  wait_for_device();
  const auto squares = [](const Array& a) {
    double sum = 0;
    for (const double x : a.values()) sum += x * x;
    return sum;
  };
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(u.gradient_squares[i], squares(u.grad[i]), 1e-12 * squares(u.grad[i])) << i;
    EXPECT_NEAR(u.state_squares[i], squares(u.theta[i]), 1e-12 * squares(u.theta[i])) << i;
    EXPECT_NEAR(u.state_squares[4 + i], squares(u.m[i]), 1e-12 * squares(u.m[i])) << i;
    EXPECT_NEAR(u.state_squares[8 + i], squares(u.v[i]), 1e-12 * squares(u.v[i])) << i;
  }
}

TEST_P(Outer, MovesByTheMeanOverTasksAndStartsThemThere) {
  Update u(GetParam(), 3), mean(GetParam());
  for (std::size_t i = 0; i < u.grad.size(); ++i) {
    const std::size_t n = u.theta[i].size();
    std::vector<double> sums(n);
    for (std::size_t j = 0; j < 3 * n; ++j) sums[j % n] += u.grad[i][j];
    for (double& s : sums) s /= 3;
    mean.grad[i] = Array(kShapes[i], GetParam(), sums);
    mean.theta[i] = u.theta[i], mean.m[i] = u.m[i], mean.v[i] = u.v[i];
    mean.grads[i] = mean.grad[i].view(), mean.thetas[i] = mean.theta[i].mutable_view();
    mean.ms[i] = mean.m[i].mutable_view(), mean.vs[i] = mean.v[i].mutable_view();
  }
  Context context(1, one_target());
  run(u.kernel(0), context);
  run(mean.kernel(0), context);
  wait_for_device();
  for (std::size_t i = 0; i < u.grad.size(); ++i) {
    EXPECT_EQ(u.theta[i].values(), mean.theta[i].values()) << i;
    EXPECT_EQ(u.v[i].values(), mean.v[i].values()) << i;
    for (std::size_t j = 0; j < u.start[i].size(); ++j) ASSERT_EQ(u.start[i][j], u.theta[i][j % u.theta[i].size()]) << i << ", " << j;
  }
  std::vector<double> row{1.5, 2.5, -3, 0.1, 0.2};
  for (const Array* sums : {&mean.gradient_squares, &mean.state_squares})
    for (const double value : sums->values()) row.push_back(value);
  const std::vector<double> ring = u.ring.values();
  EXPECT_EQ(std::vector<double>(ring.begin() + 2 * 21, ring.end()), row);  // the clock shows 2
}

TEST(OuterErrors, NameWhatDoesNotFit) {
  Update u(DType::kF32);
  Context context(1, one_target());
  OuterUpdate k = u.kernel(0);
  k.state_squares = u.gradient_squares.mutable_view();
  EXPECT_NE(error_of([&] { run(k, context); }).find("f64 [4] and [12] are needed"), std::string::npos);
  k = u.kernel(0);
  k.adam.schedule = u.table.view();
  EXPECT_NE(error_of([&] { run(k, context); }).find("schedule"), std::string::npos);
  Update batch(DType::kF32, 2);
  k = batch.kernel(0);
  std::vector<View> odd = batch.starts;
  odd[2] = u.clock.mutable_view();
  k.starts = odd;
  EXPECT_NE(error_of([&] { run(k, context); }).find("starts [1] of parameter [1, 2500]"), std::string::npos);
  k = batch.kernel(0);
  k.row.clock = u.clock.view();
  EXPECT_NE(error_of([&] { run(k, context); }).find("the row's clock"), std::string::npos);
}

}  // namespace
}  // namespace innerloop::kernels
