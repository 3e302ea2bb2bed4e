// Convolutions: what must hold whatever the values are: adjointness, the same bits at any schedule, empty batches, and
// errors that name the op.
#include <cstring>

#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels {
namespace {

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

TEST(ConvProperties, TheTripleIsAdjoint) {
  for (const ConvGeometry& g :
       {ConvGeometry{1, 1, 1, 1}, ConvGeometry{2, 2, 0, 0}, ConvGeometry{3, 2, 2, 1, 1, 2},
        ConvGeometry{1, 1, 1, 1, 1, 1, 4}, ConvGeometry{2, 1, 1, 0, 1, 1, 12}}) {
    for (const Target target : harness::targets()) {
      Context context(1, target);
      ConvCall forward, input, weight;
      forward.z = {2, 11, 10, 12, 12, 3, 3, 0, 0, g};
      forward.z.p = conv_extent(11, 3, g.stride_h, g.pad_top, 1, g.dilation_h);
      forward.z.q = conv_extent(10, 3, g.stride_w, g.pad_left, 1, g.dilation_w);
      input.z = weight.z = forward.z;
      input.kind = ConvKind::kInputGrad, weight.kind = ConvKind::kWeightGrad;
      ConvOperands operands(forward, 3);
      const std::vector<double> x = operands.a[0], w = operands.b[0], gy = ConvOperands(input, 4).a[0];
      const double value = dot(gy, run_conv<double>(forward, operands, context));
      operands.a[0] = gy;
      EXPECT_NEAR(dot(x, run_conv<double>(input, operands, context)), value, 1e-11) << input.text();
      operands.a[0] = x, operands.b[0] = gy;
      EXPECT_NEAR(dot(w, run_conv<double>(weight, operands, context)), value, 1e-11) << weight.text();
    }
  }
}

/// Shapes with many blocks, chunks of blocks, and tasks to sum over. (Executed, fewer images are as many kinds of blocks.)
std::vector<ConvCall> scheduled_calls() {
  std::vector<ConvCall> calls;
  const auto images = [](std::int64_t n) { return harness::is_executed() ? (n + 2) / 3 : n; };
  for (const ConvKind kind : kConvKinds) {
    for (const int pairs : {1, 2}) {
      ConvCall call;
      call.kind = kind, call.pairs = pairs;
      call.z = {images(9), 32, 32, 4, 17, 3, 3, 32, 32, {1, 1, 1, 1}};
      calls.push_back(call);
      call.z = {images(9), 32, 31, 20, 20, 3, 3, 16, 16, {2, 2, 0, 0, 1, 1, 20}};
      calls.push_back(call);
      call.z = {images(5), 30, 33, 32, 32, 3, 3, 30, 33, {1, 1, 1, 1}};
      calls.push_back(call);
      call.z = {3, 29, 30, 4, 16, 3, 3, 15, 15, {2, 2, 1, 0}};
      call.tasks_a[0] = 3, call.tasks_b[0] = 3;
      call.tasks_out = kind == ConvKind::kForward ? 3 : 1;
      calls.push_back(call);
      call.tasks_out = 3;
      calls.push_back(call);
    }
  }
  return calls;
}

TEST(ConvProperties, TheScheduleDoesNotShowInTheBits) {
  for (const ConvCall& call : scheduled_calls()) {
    const ConvOperands operands(call, 5);
    for (const Target target : harness::targets()) {
      Context one(1, target);
      const std::vector<float> want = run_conv<float>(call, operands, one);
      const auto same = [&](const std::vector<float>& got) {
        return std::memcmp(want.data(), got.data(), want.size() * sizeof(float)) == 0;
      };
      for (const int threads : {2, 3}) {
        if (target == Target::kCuda && threads > 2) continue;  // a device has its own; once again is enough
        Context many(threads, target);
        EXPECT_TRUE(same(run_conv<float>(call, operands, many))) << threads << " threads, " << call.text();
      }
      if (target == Target::kCuda) continue;  // one thread feeds its queue
      Context outer(2, target);
      std::vector<float> nested[2];
      outer.threads().parallel_for(2, [&](std::int64_t i) { nested[i] = run_conv<float>(call, operands, outer); });
      EXPECT_TRUE(same(nested[0]) && same(nested[1])) << "nested, " << call.text();
    }
  }
}

TEST(ConvProperties, TasksAreIndependent) {
  ConvCall call;
  call.z = {4, 24, 24, 3, 19, 3, 3, 24, 24, {1, 1, 1, 1}};
  call.tasks_a[0] = call.tasks_b[0] = call.tasks_out = 9;  // enough tasks for the weight gradient's other schedule
  for (const ConvKind kind : kConvKinds) {
    call.kind = kind;
    const ConvOperands operands(call, 6);
    Context context(2, harness::one_target());
    const std::vector<float> all = run_conv<float>(call, operands, context);
    ConvCall single = call;
    single.tasks_a[0] = single.tasks_b[0] = single.tasks_out = 1;
    for (const std::int64_t task : {0, 4, 8}) {
      ConvOperands slice(single, 0);
      const auto a = operands.a[0].begin() + task * call.a_size(), b = operands.b[0].begin() + task * call.b_size();
      slice.a[0].assign(a, a + call.a_size());
      slice.b[0].assign(b, b + call.b_size());
      const std::vector<float> alone = run_conv<float>(single, slice, context);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + task * call.out_size())) << call.text();
    }
  }
}

TEST(ConvProperties, EmptyBatches) {
  for (const ConvKind kind : kConvKinds) {
    for (const ConvCase& z :
         {ConvCase{0, 5, 5, 3, 4, 3, 3, 5, 5, {1, 1, 1, 1}}, ConvCase{2, 5, 5, 0, 4, 3, 3, 5, 5, {1, 1, 1, 1}},
          ConvCase{2, 5, 5, 3, 0, 3, 3, 5, 5, {1, 1, 1, 1}}, ConvCase{2, 2, 2, 3, 4, 3, 3, 0, 0, {}}}) {
      ConvCall call;
      call.z = z, call.kind = kind;
      for (const int pairs : {1, 2}) {
        call.pairs = pairs;
        check_conv(call, 8);  // the oracle has no product: every output that there is must be zero
      }
    }
  }
}

TEST(ConvProperties, BadCallsNameTheOp) {
  Context context(1, harness::one_target());
  harness::Memory<float> data(4096);
  const auto view = [&](const Shape& shape, DType dtype = DType::kF32) { return View{data.data(), dtype, shape}; };
  const auto message = [&](const ConvForward& op) -> std::string {
    try {
      run(op, context);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const ConvGeometry same{1, 1, 1, 1};
  const View x = view({1, 1, 4, 4, 3}), w = view({1, 3, 3, 3, 8}), y = view({1, 1, 4, 4, 8});
  EXPECT_EQ(message({same, {x}, {w}, y}), "no error");
  for (const ConvForward& bad :
       {ConvForward{same, {x}, {view({1, 3, 3, 4, 8})}, y}, ConvForward{same, {view({3, 1, 4, 4, 3})}, {w}, y},
        ConvForward{same, {x}, {w}, view({1, 2, 4, 4, 8})}, ConvForward{same, {view({4, 4, 3})}, {w}, y},
        ConvForward{same, {x}, {view({1, 3, 3, 3, 8}, DType::kF64)}, y}, ConvForward{same, {x, x}, {w}, y},
        ConvForward{same, {x, view({1, 1, 5, 4, 3})}, {w, w}, y}, ConvForward{{0, 1, 1, 1}, {x}, {w}, y},
        ConvForward{{1, 1, 1, 1, 1, 1, 2}, {x}, {w}, y}}) {
    EXPECT_NE(message(bad).find("conv_forward: "), std::string::npos) << message(bad);
  }
}

}  // namespace
}  // namespace innerloop::kernels
