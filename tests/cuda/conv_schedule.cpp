// The map from the three convolutions to cuDNN executions: each is carried out here in cuDNN's terms (channels-last
// tensors, filters [K,R,S,C/groups], padding before and after) and the whole must give what kernels/conv.h says.
// Entries are small integers, so every sum is exact and compared with ==.
#include "kernels/cuda/cudnn/conv_schedule.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "../kernels/conv_oracle.h"
#include "kernels/cuda/cublas/gemm_call.h"
#include "tensor/philox.h"

namespace innerloop::kernels::cudnn {
namespace {

using Values = std::vector<double>;

double& at(double* base, std::int64_t i) { return base[i]; }

/// One execution by cuDNN's documentation of the graph API's convolution.
void interpret(const ConvProblem& z, double* image, double* filter, double* output) {
  // The output's size is not free: cuDNN derives it from the padded image.
  ASSERT_EQ((z.h + z.pad_top + z.pad_bottom - (z.r - 1) * z.dilation_h - 1) / z.stride_h + 1, z.p);
  ASSERT_EQ((z.w + z.pad_left + z.pad_right - (z.s - 1) * z.dilation_w - 1) / z.stride_w + 1, z.q);
  const bool forward = z.direction == ConvDirection::kForward, input = z.direction == ConvDirection::kInputGrad;
  double* written = forward ? output : input ? image : filter;
  const std::int64_t size = forward ? z.output_elements() : input ? z.image_elements() : z.filter_elements();
  if (z.accumulate == Accumulate::kNo) std::fill(written, written + size, 0.0);
  const std::int64_t group_c = z.c / z.groups, group_k = z.k / z.groups;
  for (std::int64_t n = 0; n < z.n; ++n)
    for (std::int64_t p = 0; p < z.p; ++p)
      for (std::int64_t q = 0; q < z.q; ++q)
        for (std::int64_t k = 0; k < z.k; ++k)
          for (std::int64_t r = 0; r < z.r; ++r)
            for (std::int64_t s = 0; s < z.s; ++s) {
              const std::int64_t i = p * z.stride_h - z.pad_top + r * z.dilation_h;
              const std::int64_t j = q * z.stride_w - z.pad_left + s * z.dilation_w;
              if (i < 0 || i >= z.h || j < 0 || j >= z.w) continue;
              for (std::int64_t c = 0; c < group_c; ++c) {
                double& x = at(image, ((n * z.h + i) * z.w + j) * z.c + k / group_k * group_c + c);
                double& w = at(filter, ((k * z.r + r) * z.s + s) * group_c + c);
                double& y = at(output, ((n * z.p + p) * z.q + q) * z.k + k);
                (forward ? y += x* w : input ? x += y* w : w += x * y);
              }
            }
}

/// A row-major [rows, columns] transposed, as cublas::Handle::transpose does it.
void transpose(std::int64_t rows, std::int64_t columns, const double* from, double* to) {
  const cublas::TransposeCall call = cublas::transpose_call(rows, columns);
  for (std::int64_t j = 0; j < call.n; ++j)
    for (std::int64_t i = 0; i < call.m; ++i) to[i + j * call.ldc] = from[j + i * call.lda];
}

struct Operands {
  Values a[2], b[2], out;
};

Operands operands_of(const ConvCall& call) {
  PhiloxSequence random(11, Stream::kCheck);
  const auto fill = [&](std::int64_t n) {
    Values v(static_cast<std::size_t>(n));
    for (double& x : v) x = static_cast<double>(random.below(7)) - 3;
    return v;
  };
  Operands o;
  for (int i = 0; i < call.pairs; ++i) {
    o.a[i] = fill(call.tasks_a[i] * call.a_size());
    o.b[i] = fill(call.tasks_b[i] * call.b_size());
  }
  o.out.assign(static_cast<std::size_t>(call.tasks_out * call.out_size()), std::numeric_limits<double>::quiet_NaN());
  return o;
}

/// The call as the kernel struct that `use` takes.
template <class Use>
auto with_kernel(const ConvCall& call, Operands& o, const Use& use) {
  const ConvCase& z = call.z;
  const auto image = [&](std::int64_t t) { return Shape{t, z.n, z.h, z.w, z.c}; };
  const auto filter = [&](std::int64_t t) { return Shape{t, z.r, z.s, z.c / z.geometry.groups, z.k}; };
  const auto output = [&](std::int64_t t) { return Shape{t, z.n, z.p, z.q, z.k}; };
  ConstView a[2], b[2];
  for (int i = 0; i < call.pairs; ++i) {
    a[i] = {o.a[i].data(), DType::kF64,
            call.kind == ConvKind::kInputGrad ? output(call.tasks_a[i]) : image(call.tasks_a[i])};
    b[i] = {o.b[i].data(), DType::kF64,
            call.kind == ConvKind::kWeightGrad ? output(call.tasks_b[i]) : filter(call.tasks_b[i])};
  }
  const View out{o.out.data(), DType::kF64,
                 call.kind == ConvKind::kForward     ? output(call.tasks_out)
                 : call.kind == ConvKind::kInputGrad ? image(call.tasks_out)
                                                     : filter(call.tasks_out)};
  switch (call.kind) {
    case ConvKind::kForward:
      return use(ConvForward{z.geometry, {a[0], a[1]}, {b[0], b[1]}, out});
    case ConvKind::kInputGrad:
      return use(ConvInputGrad{z.geometry, {a[0], a[1]}, {b[0], b[1]}, out});
    case ConvKind::kWeightGrad:
      break;
  }
  return use(ConvWeightGrad{z.geometry, {a[0], a[1]}, {b[0], b[1]}, out});
}

ConvSchedule schedule_of(const ConvCall& call, Operands& o) {
  return with_kernel(call, o, [](const auto& kernel) { return conv_schedule(kernel); });
}

/// What conv_runner.cpp does on a device, with the two interpreters in place of the libraries.
ConvSchedule carry_out(const ConvCall& call, Operands& o) {
  const ConvSchedule schedule = schedule_of(call, o);
  const std::int64_t rows = schedule.filter_rows, columns = schedule.filter_columns, size = rows * columns;
  Values scratch(static_cast<std::size_t>(schedule.scratch_elements()), std::numeric_limits<double>::quiet_NaN());
  const bool filter_is_output = call.kind == ConvKind::kWeightGrad;
  for (int i = 0; !filter_is_output && i < call.pairs; ++i)
    for (std::int64_t t = 0; t < schedule.filters[i]; ++t)
      transpose(rows, columns, o.b[i].data() + t * size,
                scratch.data() + (t + (i == 1 ? schedule.filters[0] : 0)) * size);
  for (const ConvRun& run : schedule.runs)
    for (std::int64_t i = 0; i < run.count; ++i) {
      const auto place = [&](Values& v, const OperandWalk& walk) { return v.data() + walk.begin + i * walk.step; };
      Values &a = o.a[run.pair], &b = o.b[run.pair];
      double* filter = place(scratch, run.filter);
      switch (call.kind) {
        case ConvKind::kForward:
          interpret(run.problem, place(a, run.image), filter, place(o.out, run.output));
          break;
        case ConvKind::kInputGrad:
          interpret(run.problem, place(o.out, run.image), filter, place(a, run.output));
          break;
        case ConvKind::kWeightGrad:
          interpret(run.problem, place(a, run.image), filter, place(b, run.output));
          break;
      }
    }
  for (std::int64_t t = 0; filter_is_output && t < schedule.filters[0]; ++t)
    transpose(columns, rows, scratch.data() + t * size, o.out.data() + t * size);
  return schedule;
}

const ConvCase kSymmetric{
    .n = 2, .h = 5, .w = 6, .c = 3, .k = 4, .r = 3, .s = 3, .p = 5, .q = 6, .geometry = {.pad_top = 1, .pad_left = 1}};
/// TensorFlow's SAME at stride 2 and an even side: nothing before, one after.
const ConvCase kSame{
    .n = 2, .h = 6, .w = 8, .c = 2, .k = 3, .r = 3, .s = 3, .p = 3, .q = 4, .geometry = {.stride_h = 2, .stride_w = 2}};
const ConvCase kOther[] = {kSame,
                           // A row and a column that no filter reaches.
                           {.n = 1,
                            .h = 6,
                            .w = 6,
                            .c = 2,
                            .k = 3,
                            .r = 3,
                            .s = 3,
                            .p = 2,
                            .q = 2,
                            .geometry = {.stride_h = 2, .stride_w = 2}},
                           {.n = 1,
                            .h = 7,
                            .w = 6,
                            .c = 4,
                            .k = 6,
                            .r = 3,
                            .s = 2,
                            .p = 5,
                            .q = 4,
                            .geometry = {.pad_top = 1, .dilation_h = 2, .dilation_w = 2, .groups = 2}},
                           {.n = 1,
                            .h = 4,
                            .w = 4,
                            .c = 3,
                            .k = 3,
                            .r = 3,
                            .s = 3,
                            .p = 4,
                            .q = 4,
                            .geometry = {.pad_top = 1, .pad_left = 1, .groups = 3}},
                           {.n = 3, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1, .p = 1, .q = 1, .geometry = {}}};

TEST(ConvSchedule, EveryTaskExtentAndPairGivesTheConvolution) {
  for (const ConvKind kind : kConvKinds)
    for (int bits = 0; bits < 32; ++bits)
      for (const int pairs : {1, 2}) {
        const auto extent = [&](int bit) -> std::int64_t { return bits >> bit & 1 ? 3 : 1; };
        if (pairs == 1 && bits >= 8) continue;
        const ConvCall call{kSymmetric, kind, pairs, {extent(0), extent(3)}, {extent(1), extent(4)}, extent(2)};
        Operands o = operands_of(call);
        carry_out(call, o);
        EXPECT_EQ(o.out, conv_oracle(call, o.a, o.b).value) << call.text();
      }
}

TEST(ConvSchedule, EveryGeometryGivesTheConvolution) {
  for (const ConvCase& z : kOther)
    for (const ConvKind kind : kConvKinds) {
      const ConvCall call{z, kind, 2, {2, 2}, {1, 2}, 2};
      Operands o = operands_of(call);
      carry_out(call, o);
      EXPECT_EQ(o.out, conv_oracle(call, o.a, o.b).value) << call.text();
    }
}

TEST(ConvSchedule, SharedFiltersAreOneExecution) {
  const ConvCall call{kSymmetric, ConvKind::kForward, 1, {3, 1}, {1, 1}, 3};
  Operands o = operands_of(call);
  const ConvSchedule shared = schedule_of(call, o);
  ASSERT_EQ(shared.runs.size(), 1u);
  EXPECT_EQ(shared.runs[0].count, 1);
  EXPECT_EQ(shared.runs[0].problem.n, 3 * kSymmetric.n);
}

TEST(ConvSchedule, FiltersOfTheirOwnAreOnePlanExecutedPerTask) {
  const ConvCall call{kSymmetric, ConvKind::kInputGrad, 2, {3, 3}, {3, 3}, 3};
  Operands o = operands_of(call);
  const ConvSchedule own = schedule_of(call, o);
  ASSERT_EQ(own.runs.size(), 2u);
  EXPECT_EQ(own.runs[0].count, 3);
  EXPECT_EQ(own.runs[0].problem.accumulate, Accumulate::kNo);
  EXPECT_EQ(own.runs[1].count, 3);
  EXPECT_EQ(own.runs[1].problem.accumulate, Accumulate::kYes);
  EXPECT_EQ(own.scratch_elements(), 6 * kSymmetric.w_size());
}

TEST(ConvSchedule, AsymmetricPaddingGoesAfter) {
  const ConvCall call{kSame, ConvKind::kForward, 1, {1, 1}, {1, 1}, 1};
  Operands o = operands_of(call);
  const ConvProblem z = schedule_of(call, o).runs.at(0).problem;
  EXPECT_EQ(z.pad_top, 0);
  EXPECT_EQ(z.pad_bottom, 1);
  EXPECT_EQ(z.pad_left, 0);
  EXPECT_EQ(z.pad_right, 1);
}

TEST(ConvSchedule, AlignmentIsWhatEveryExecutionKeeps) {
  const auto alignment = [](std::int64_t channels, std::uintptr_t offset) {
    ConvForward k;
    k.geometry = {.pad_top = 1, .pad_left = 1};
    const Shape x{2, 1, 3, 3, channels}, w{2, 3, 3, channels, 4}, y{2, 1, 3, 3, 4};
    k.x[0] = {reinterpret_cast<const void*>(std::uintptr_t{256} + offset), DType::kF32, x};
    k.w[0] = {reinterpret_cast<const void*>(std::uintptr_t{512}), DType::kF32, w};
    k.y = {reinterpret_cast<void*>(std::uintptr_t{1024}), DType::kF32, y};
    return conv_schedule(k).runs.at(0).problem.alignment;
  };
  EXPECT_EQ(alignment(4, 0), 16);
  EXPECT_EQ(alignment(4, 8), 8);
  EXPECT_EQ(alignment(2, 0), 8);  // the second task's image begins 72 bytes after the first
  EXPECT_EQ(alignment(1, 0), 4);  // ... 36 bytes
}

TEST(ConvSchedule, AnEmptySumHasNoRun) {
  const ConvCase none{.n = 0, .h = 3, .w = 3, .c = 2, .k = 2, .r = 1, .s = 1, .p = 3, .q = 3, .geometry = {}};
  const ConvCall call{none, ConvKind::kWeightGrad, 1, {2, 1}, {2, 1}, 2};
  Operands o = operands_of(call);
  EXPECT_TRUE(schedule_of(call, o).runs.empty());
}

TEST(ConvSchedule, RefusesWhatCudnnCannotDo) {
  ConvCase z = kSymmetric;
  z.p = 3;  // 4 would be no padding below; 3 leaves out a row that the image has
  const ConvCall call{z, ConvKind::kForward, 1, {1, 1}, {1, 1}, 1};
  Operands o = operands_of(call);
  try {
    schedule_of(call, o);
    FAIL() << "a left-out row was accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("height 5"), std::string::npos) << e.what();
  }
  const ConvCall torn{kSymmetric, ConvKind::kForward, 1, {2, 1}, {3, 1}, 1};
  Operands t = operands_of(torn);
  EXPECT_THROW(schedule_of(torn, t), Error);
}

}  // namespace
}  // namespace innerloop::kernels::cudnn
