// What the convolution kernels ask of memory, counted by the checked executor: no bank conflict in shared memory, in
// any mode, tile and direction, and no sector of global memory fetched for part of it where channels fill sectors.
#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/conv_own.h"
#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/traffic.h"
#include "tensor/tensor.h"
#include "tests/executed/math_scope.h"
#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels {
namespace {

namespace traffic = host_executor::traffic;

TEST(ConvTraffic, SharedMemoryWithoutConflicts) {
  host_executor::Options counting = host_executor::options();
  counting.traffic = host_executor::TrafficCount::kOn;
  const host_executor::ScopedOptions scope(counting);
  const cuda::ConvMath saved = cuda::conv_math();
  Context context(1, Target::kCuda);
  constexpr const char* kKernels[] = {"conv_forward_kernel", "conv_input_grad_kernel", "conv_weight_grad_kernel"};
  for (const cuda::ConvMath math : {cuda::ConvMath::kFp32, cuda::ConvMath::kTf32x3, cuda::ConvMath::kTf32}) {
    cuda::set_conv_math(math);
    for (const ConvKind kind : kConvKinds) {
      for (const std::int64_t tasks : {1, 3}) {  // the small tile, the large one
        const WaveScope wave(3);
        ConvCall call;
        call.kind = kind;
        call.z = {1, 9, 9, 16, 16, 3, 3, 9, 9, {1, 1, 1, 1}};
        if (tasks > 1) (kind == ConvKind::kInputGrad ? call.z.c : call.z.k) = 40;
        call.tasks_a[0] = call.tasks_b[0] = call.tasks_out = tasks;
        const ConvOperands operands(call, 3);
        traffic::reset();
        run_conv<float>(call, operands, context);
        const traffic::Report r = traffic::of(kKernels[static_cast<int>(kind)]);
        EXPECT_EQ(r.launches, 1u);
        EXPECT_GT(r.shared_loads.requests, 0u);
        EXPECT_GT(r.shared_stores.requests, 0u);
        EXPECT_EQ(r.shared_loads.conflicts, 0u) << cuda::name_of(math) << ": " << call.text();
        EXPECT_EQ(r.shared_stores.conflicts, 0u) << cuda::name_of(math) << ": " << call.text();
        EXPECT_EQ(r.loads.efficiency(), 1.0) << cuda::name_of(math) << ": " << call.text();
      }
    }
  }
  cuda::set_conv_math(saved);
}

TEST(ConvTraffic, MomentsCostTheirOwnBytesAndNoConflicts) {
  host_executor::Options counting = host_executor::options();
  counting.traffic = host_executor::TrafficCount::kOn;
  const host_executor::ScopedOptions scope(counting);
  const cuda::ConvMath saved = cuda::conv_math();
  Context context(1, Target::kCuda);
  const ContextScope here(context);
  for (const cuda::ConvMath math : cuda::kConvMaths) {
    cuda::set_conv_math(math);
    for (const std::int64_t tasks : {1, 3}) {  // the small tile, the large one
      const WaveScope wave(3);
      SCOPED_TRACE(std::string(cuda::name_of(math)) + ", tasks " + std::to_string(tasks));
      const Tensor x = Tensor::full({tasks, 1, 12, 9, 32}, DType::kF32, 1);
      const Tensor w = Tensor::full({tasks, 1, 1, 32, 64}, DType::kF32, 1);
      const Tensor mean = Tensor::full({tasks, 64}, DType::kF32, 1), of = Tensor::full({tasks, 1, 12, 9, 64}, DType::kF32, 1);
      Tensor y = Tensor::empty(of.shape(), DType::kF32);
      Tensor moments = Tensor::empty({tasks, 2, 3, 64}, DType::kF32), tangents = Tensor::empty({tasks, 2, 2, 64}, DType::kF32);
      const ConvForward conv{{}, {x.view(), {}}, {w.view(), {}}, y.mutable_view()};
      const auto count = [&](const auto& kernel) {
        context.device()->synchronize();
        traffic::reset();
        run(kernel, context);
        context.device()->synchronize();
        const traffic::Report r = traffic::of("conv_forward_kernel");
        EXPECT_EQ(r.launches, 1u);
        EXPECT_EQ(r.shared_loads.conflicts, 0u);
        EXPECT_EQ(r.shared_stores.conflicts, 0u);
        return r;
      };
      const auto sectors = [](const Tensor& t) { return static_cast<std::uint64_t>(t.bytes()) / traffic::kSectorBytes; };
      const traffic::Report plain = count(conv);
      const traffic::Report with = count(cuda::ConvForwardMoments{conv, {moments.mutable_view()}});
      EXPECT_EQ(with.loads.sectors, plain.loads.sectors);
      EXPECT_EQ(with.stores.sectors, plain.stores.sectors + sectors(moments));
      const traffic::Report tangent =
          count(cuda::ConvForwardMoments{conv, {tangents.mutable_view(), of.view(), mean.view()}});
      EXPECT_EQ(tangent.loads.sectors, plain.loads.sectors + sectors(of) + 2 * sectors(mean));  // a mean for each unit
      EXPECT_EQ(tangent.stores.sectors, plain.stores.sectors + sectors(tangents));
    }
  }
  cuda::set_conv_math(saved);
}

}  // namespace
}  // namespace innerloop::kernels
