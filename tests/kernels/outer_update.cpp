// The end of a meta-step in one call: the bits of its four parts.
#include "kernels/outer_update.h"

#include "tests/kernels/harness.h"
#include "tests/kernels/sample_common.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

/// Parameters of a block's size, one element, and no whole number of pieces.
const Shape kShapes[] = {{1, 3, 3, 16, 32}, {1, 1}, {1, 2500}, {1, 64}};

struct Update {
  std::vector<Array> grad, theta, m, v;
  std::vector<ConstView> grads;
  std::vector<View> thetas, ms, vs;
  Array table, clock, schedule, gradient_squares, state_squares;

  explicit Update(DType t)
      : table({3, 3}, DType::kF64, {0.1, 10, 1000, 0.2, 5, 500, 0.3, 3, 300}),
        clock({1}, DType::kI64, {1}),
        schedule({3}, DType::kF64),
        gradient_squares({4}, DType::kF64),
        state_squares({12}, DType::kF64) {
    unsigned seed = 0;
    for (const Shape& s : kShapes) {
      grad.push_back(random_array(s, t, ++seed)), theta.push_back(random_array(s, t, ++seed));
      m.push_back(random_array(s, t, ++seed)), v.push_back(random_array(s, t, ++seed, 9, 1));  // above zero
    }
    for (std::size_t i = 0; i < grad.size(); ++i) {
      grads.push_back(grad[i].view()), thetas.push_back(theta[i].mutable_view());
      ms.push_back(m[i].mutable_view()), vs.push_back(v[i].mutable_view());
    }
  }
  OuterUpdate kernel(double clip) {
    OuterUpdate k{{table.view(), clock.mutable_view(), schedule.mutable_view()}, {}, gradient_squares.mutable_view(),
                  state_squares.mutable_view()};
    k.adam.clip = clip, k.adam.schedule = schedule.view();
    k.adam.grad = grads, k.adam.theta = thetas, k.adam.m = ms, k.adam.v = vs;
    return k;
  }
  std::vector<Array*> outputs() {
    std::vector<Array*> all{&clock, &schedule, &gradient_squares, &state_squares};
    for (std::vector<Array>* list : {&theta, &m, &v})
      for (Array& a : *list) all.push_back(&a);
    return all;
  }
};

class Outer : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Outer, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(Outer, IsItsFourPartsOneAfterAnother) {
  for (const double clip : {0.0, 0.5}) {
    SCOPED_TRACE(clip);
    Update u(GetParam());
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

TEST(OuterErrors, NameWhatDoesNotFit) {
  Update u(DType::kF32);
  Context context(1, one_target());
  OuterUpdate k = u.kernel(0);
  k.state_squares = u.gradient_squares.mutable_view();
  EXPECT_NE(error_of([&] { run(k, context); }).find("f64 [4] and [12] are needed"), std::string::npos);
  k = u.kernel(0);
  k.adam.schedule = u.table.view();
  EXPECT_NE(error_of([&] { run(k, context); }).find("schedule"), std::string::npos);
}

}  // namespace
}  // namespace innerloop::kernels
