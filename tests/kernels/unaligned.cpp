// Kernels that move several elements at once must take views that begin anywhere: each is run on arrays of their own and
// on views that begin one element later, and has to give the same.
#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/update.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class Unaligned : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Unaligned, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// `a` behind one more element, and the view that leaves this one out.
class Later {
 public:
  explicit Later(const Array& a) : shape_(a.shape()) {
    std::vector<double> values{0.0};
    for (const double v : a.values()) values.push_back(v);
    storage_ = Array({static_cast<std::int64_t>(values.size())}, a.dtype(), values);
  }
  View view() {
    const View all = storage_.mutable_view();
    return {static_cast<char*>(all.data) + size_of(all.dtype), all.dtype, shape_};
  }
  /// The elements of the view as an array of their own.
  Array copy() const {
    const std::vector<double> values = storage_.values();
    return {shape_, storage_.dtype(), {values.begin() + 1, values.end()}};
  }
  bool untouched_elsewhere() const { return storage_[0] == 0 && storage_.guards_hold(); }

 private:
  Shape shape_;
  Array storage_;
};

/// `run` reads and writes the views, which are those of `arrays` in order.
void expect_same(const std::vector<Array>& arrays, const std::function<void(const std::vector<View>&, Context&)>& run) {
  for (const Target target : targets()) {
    SCOPED_TRACE(std::string(name_of(target)));
    Context context(1, target);
    std::vector<Array> own = arrays;
    std::vector<Later> later(arrays.begin(), arrays.end());
    std::vector<View> own_views, later_views;
    for (Array& a : own) own_views.push_back(a.mutable_view());
    for (Later& l : later) later_views.push_back(l.view());
    run(own_views, context);
    run(later_views, context);
    wait_for_device();
    for (std::size_t i = 0; i < own.size(); ++i) {
      EXPECT_TRUE(later[i].untouched_elsewhere()) << i;
      // Values are of one sign: what they are is the magnitude of the sums that made them.
      std::vector<Num> want;
      for (const double v : own[i].values()) want.emplace_back(v);
      expect_near(later[i].copy(), want, 4, "array");
    }
  }
}

/// Values around 3, so that sums do not cancel.
Array some(const Shape& shape, DType dtype, unsigned seed = 1) { return random_array(shape, dtype, seed, 3, 0.2); }

/// What is to be overwritten.
Array blank(const Shape& shape, DType dtype) {
  return {shape, dtype, std::vector<double>(static_cast<std::size_t>(shape.numel()), -1.0)};
}

TEST_P(Unaligned, Maps) {
  const DType t = GetParam();
  for (const std::int64_t n : {1, 4, 1000, 1003}) {
    SCOPED_TRACE(n);
    expect_same({some({n}, t), blank({n}, t)}, [](const std::vector<View>& v, Context& c) {
      run(Unary{UnaryFn::kSquare, v[0], v[1]}, c);
      run(Affine{2, 1, v[1], v[1]}, c);
      run(ClipValue{20, v[1]}, c);
    });
    expect_same({some({3, n}, t), some({n}, t, 2), blank({3, n}, t)}, [](const std::vector<View>& v, Context& c) {
      run(Binary{BinaryFn::kMultiply, v[0], v[1], v[2]}, c);
      run(BroadcastTo{v[1], v[0]}, c);
    });
    expect_same({blank({n}, t)}, [](const std::vector<View>& v, Context& c) {
      run(DropoutMask{0.4, 7, 1, 2, v[0]}, c);
    });
  }
}

TEST_P(Unaligned, Updates) {
  const DType t = GetParam();
  for (const std::int64_t n : {4, 1003}) {
    SCOPED_TRACE(n);
    expect_same({some({1, n}, t), some({3, n}, t, 2), blank({3, n}, t)}, [](const std::vector<View>& v, Context& c) {
      run(Sgd{0.1, v[0], v[1], v[2]}, c);
    });
    expect_same({some({n}, t), some({n}, t, 2), some({n}, t, 3), some({n}, t, 4)},
                [](const std::vector<View>& v, Context& c) {
                  run(Adam{0.01, 0.9, 0.999, 1e-8, 3, v[0], v[1], v[2], v[3]}, c);
                });
  }
}

TEST_P(Unaligned, Reductions) {
  const DType t = GetParam();
  for (const auto& [from, to] : std::vector<std::pair<Shape, Shape>>{
           {{3, 64}, {3, 1}}, {{3, 20000}, {3, 1}}, {{4, 300, 64}, {4, 1, 64}}, {{5, 3, 8}, {1, 3, 1}}}) {
    SCOPED_TRACE(from.to_string());
    expect_same({some(from, t), blank(to, t), blank(to, t)}, [](const std::vector<View>& v, Context& c) {
      run(ReduceSum{v[0], v[1]}, c);
      run(ReduceMax{v[0], v[2]}, c);
    });
  }
  expect_same({some({4, 64}, t), blank({1, 64}, t), blank({1}, DType::kF64)},
              [](const std::vector<View>& v, Context& c) {
                run(MeanOverTasks{v[0], 4, v[1]}, c);
                run(SumOfSquares{v[0], v[2]}, c);
              });
}

TEST_P(Unaligned, Products) {
  const DType t = GetParam();
  expect_same({some({2, 8, 512}, t), some({2, 512, 64}, t, 2), blank({2, 8, 64}, t)},
              [](const std::vector<View>& v, Context& c) {
                run(Matmul{Transpose::kNo, Transpose::kNo, {v[0], {}}, {v[1], {}}, v[2]}, c);
              });
}

TEST_P(Unaligned, Pools) {
  const DType t = GetParam();
  const Shape x{2, 2, 5, 6, 8}, y{2, 2, 2, 3, 8};
  expect_same({some(x, t), blank(y, t), blank(y, DType::kI32), blank(y, t), blank(x, t), blank(y, t), blank(x, t)},
              [](const std::vector<View>& v, Context& c) {
                run(MaxPool{{}, v[0], v[1], v[2]}, c);
                run(PoolGather{{}, v[0], v[2], v[3]}, c);
                run(PoolScatter{{}, v[1], v[2], v[4]}, c);
                run(AveragePool{{}, v[0], v[5]}, c);
                run(AveragePoolGrad{{}, v[5], v[6]}, c);
              });
}

TEST_P(Unaligned, Choices) {
  const DType t = GetParam();
  const Shape shape{3, 101};
  std::vector<double> choices(303);
  for (std::size_t i = 0; i < choices.size(); ++i) choices[i] = static_cast<double>(i % (kDead + 1));
  expect_same({{shape, DType::kU8, choices}, blank(shape, DType::kI32), blank(shape, t), blank(shape, DType::kU8)},
              [](const std::vector<View>& v, Context& c) {
                run(ChoiceDecode{v[0], v[1], v[2]}, c);
                run(ChoiceEncode{v[2], v[1], v[3]}, c);
              });
}

}  // namespace
}  // namespace innerloop::kernels
