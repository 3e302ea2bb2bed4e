// Our convolution kernels in each of their modes: the error that a mode may have, that it is the mode that ran, and
// that neither the tile nor the number of tasks nor the way the work was split shows in the bits.
#include <cmath>
#include <cstring>

#include "kernels/conv_block.h"
#include "kernels/cuda/conv_spatial.h"
#include "tests/executed/math_scope.h"
#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels {
namespace {

using cuda::ConvMath;

constexpr ConvMath kMaths[] = {ConvMath::kFp32, ConvMath::kTf32x3, ConvMath::kTf32};

/// In float32 epsilons times the magnitude. TF32 rounds each operand by at most 2^-11 of it, so a product by 2^-10.
double bound_of(ConvMath math) { return math == ConvMath::kTf32 ? 0x1p13 + kConvErrorBound : kConvErrorBound; }

std::vector<float> run_with(ConvMath math, const ConvCall& call, const ConvOperands& operands) {
  const MathScope scope(math);
  return run_conv<float>(call, operands, device());
}

bool same_bits(const float* a, const float* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(float)) == 0;
}

ConvCall make_call(ConvKind kind, const ConvCase& z, int pairs, std::int64_t tasks) {
  ConvCall call;
  call.kind = kind, call.z = z, call.pairs = pairs;
  for (int i = 0; i < pairs; ++i) call.tasks_a[i] = call.tasks_b[i] = tasks;
  call.tasks_out = tasks;
  return call;
}

/// One task of a call whose operands all have the same number of them.
ConvOperands slice_of(const ConvCall& call, const ConvOperands& operands, std::int64_t task) {
  ConvCall single = call;
  single.tasks_a[0] = single.tasks_a[1] = single.tasks_b[0] = single.tasks_b[1] = single.tasks_out = 1;
  ConvOperands slice(single, 0);
  for (int i = 0; i < call.pairs; ++i) {
    const auto a = operands.a[i].begin() + task * call.a_size(), b = operands.b[i].begin() + task * call.b_size();
    slice.a[i].assign(a, a + call.a_size());
    slice.b[i].assign(b, b + call.b_size());
  }
  return slice;
}

/// Shapes whose three products all suit tensor cores: tiles that are full and tiles that are not, sums that end within
/// a step.
std::vector<ConvCase> tensor_core_cases() {
  return {{1, 7, 7, 64, 64, 3, 3, 7, 7, {1, 1, 1, 1}},          {2, 8, 8, 32, 16, 3, 3, 4, 4, {2, 2, 0, 0}},
          {1, 9, 8, 20, 36, 3, 3, 9, 8, {1, 1, 1, 1}},          {3, 5, 5, 32, 36, 1, 1, 5, 5, {}},
          {1, 6, 6, 48, 32, 3, 3, 6, 6, {1, 1, 1, 1, 1, 1, 2}}, {1, 9, 9, 16, 16, 3, 2, 7, 6, {1, 1, 2, 0, 2, 3}}};
}

TEST(ConvMath, EachModeHoldsItsBoundAndIsTheOneThatRuns) {
  unsigned seed = 40;
  for (const ConvCase& z : tensor_core_cases()) {
    for (const ConvKind kind : kConvKinds) {
      for (const int pairs : {1, 2}) {
        const ConvCall call = make_call(kind, z, pairs, 2);
        const ConvOperands operands(call, ++seed);
        const ConvResult want = conv_oracle(call, operands.a, operands.b);
        std::vector<float> got[3];
        for (const ConvMath math : kMaths) {
          auto& result = got[static_cast<int>(math)];
          result = run_with(math, call, operands);
          EXPECT_LE(conv_error(want, result), bound_of(math)) << cuda::name_of(math) << ": " << call.text();
        }
        EXPECT_GT(conv_error(want, got[static_cast<int>(ConvMath::kTf32)]), 16 * kConvErrorBound)
            << "not rounded to TF32: " << call.text();
        EXPECT_FALSE(same_bits(got[0].data(), got[1].data(), static_cast<std::int64_t>(got[0].size())))
            << "tf32x3 gave what multiply-adds give: " << call.text();
      }
    }
  }
}

/// Maps that tiles of an image cover well enough: whole and cut, channels that fill stages and tiles and that do
/// not, every border.
struct SpatialCase {
  ConvCase z;
  bool input_grad = true;  ///< its map is x
};

std::vector<SpatialCase> spatial_cases() {
  return {{{2, 8, 14, 16, 32, 3, 3, 8, 14, {1, 1, 1, 1}}},
          {{1, 12, 16, 20, 72, 3, 3, 12, 16, {1, 1, 1, 1}}},
          {{3, 15, 31, 8, 12, 3, 3, 15, 31, {1, 1, 1, 1}}},
          {{1, 16, 16, 64, 24, 3, 3, 14, 14, {1, 1, 0, 0}}},
          {{1, 14, 14, 16, 40, 3, 3, 16, 16, {1, 1, 2, 2}}},
          {{2, 8, 15, 12, 96, 3, 3, 7, 16, {1, 1, 0, 1}}},
          {{1, 10, 18, 36, 8, 3, 3, 8, 16, {1, 1, 0, 0}}, false},
          {{5, 15, 31, 8, 8, 3, 3, 15, 31, {1, 1, 1, 1}}}};  // twenty tiles: parts of a weight gradient
}

bool suits_spatial(const ConvCase& z, ConvKind kind, ConvMath math) {
  const ConstView x{nullptr, DType::kF32, {1, z.n, z.h, z.w, z.c}}, w{nullptr, DType::kF32, {1, z.r, z.s, z.c, z.k}};
  const ConstView y{nullptr, DType::kF32, {1, z.n, z.p, z.q, z.k}};
  if (kind == ConvKind::kForward) return cuda::suits_spatial(ConvForward{z.geometry, {x, {}}, {w, {}}, {nullptr, y.dtype, y.shape}}, math);
  if (kind == ConvKind::kWeightGrad) return cuda::suits_spatial(ConvWeightGrad{z.geometry, {x, {}}, {y, {}}, {nullptr, w.dtype, w.shape}}, math);
  return cuda::suits_spatial(ConvInputGrad{z.geometry, {y, {}}, {w, {}}, {nullptr, x.dtype, x.shape}}, math);
}

TEST(ConvMath, TilesOfAnImageHoldTheirBoundAndAreTheSameAloneAndBesideOthers) {
  constexpr std::int64_t kTasks = 3;
  unsigned seed = 140;
  for (const SpatialCase& c : spatial_cases()) {
    for (const ConvKind kind : kConvKinds) {
      if (kind == ConvKind::kInputGrad && !c.input_grad) continue;
      EXPECT_FALSE(suits_spatial(c.z, kind, ConvMath::kFp32));
      for (const int pairs : {1, 2}) {
        ConvCall call = make_call(kind, c.z, pairs, kTasks);
        const ConvOperands operands(call, ++seed);
        const ConvResult want = conv_oracle(call, operands.a, operands.b);
        for (const ConvMath math : {ConvMath::kTf32x3, ConvMath::kTf32}) {
          ASSERT_TRUE(suits_spatial(c.z, kind, math)) << call.text();
          const std::vector<float> got = run_with(math, call, operands);
          EXPECT_LE(conv_error(want, got), bound_of(math)) << cuda::name_of(math) << ": " << call.text();
          EXPECT_EQ(conv_error(want, got) > 16 * kConvErrorBound, math == ConvMath::kTf32) << call.text();
          const std::vector<float> alone = run_with(math, make_call(kind, c.z, pairs, 1), slice_of(call, operands, kTasks - 1));
          EXPECT_TRUE(same_bits(alone.data(), got.data() + (kTasks - 1) * call.out_size(), call.out_size())) << call.text();
        }
      }
    }
  }
}

/// Weights that all tasks share.
TEST(ConvMath, TilesOfAnImageTakeSharedWeights) {
  for (const ConvKind kind : {ConvKind::kForward, ConvKind::kInputGrad}) {
    ConvCall call = make_call(kind, spatial_cases()[0].z, 2, 3);
    call.tasks_b[0] = call.tasks_b[1] = 1;
    const ConvOperands operands(call, 19);
    EXPECT_LE(conv_error(conv_oracle(call, operands.a, operands.b), run_with(ConvMath::kTf32x3, call, operands)), kConvErrorBound);
  }
}

/// Enough tasks to fill the device with the large tile, which 81 rows and 36 columns leave half empty; one of the tasks alone takes the
/// small one. Eight channels are read in vectors, three one by one, and their weight gradient has a tile of its own.
TEST(ConvMath, LargeAndSmallTilesGiveTheSameBits) {
  constexpr std::int64_t kTasks = 3;
  const WaveScope wave(kTasks);
  for (const ConvKind kind : kConvKinds) {
    for (const std::int64_t few : {8, 3}) {
      const std::int64_t c = kind == ConvKind::kInputGrad ? 36 : few, k = kind == ConvKind::kInputGrad ? few : 36;
      const ConvCall call = make_call(kind, {1, 9, 9, c, k, 3, 3, 9, 9, {1, 1, 1, 1}}, 1, kTasks);
      const ConvOperands operands(call, 11);
      const ConvResult want = conv_oracle(call, operands.a, operands.b);
      for (const ConvMath math : kMaths) {
        if (few == 3 && math != ConvMath::kFp32) continue;  // all modes multiply these alike
        const std::vector<float> all = run_with(math, call, operands);
        EXPECT_LE(conv_error(want, all), bound_of(math)) << cuda::name_of(math) << ": " << call.text();
        for (const std::int64_t task : {std::int64_t{0}, kTasks - 1}) {
          const std::vector<float> alone =
              run_with(math, make_call(kind, call.z, 1, 1), slice_of(call, operands, task));
          EXPECT_TRUE(same_bits(alone.data(), all.data() + task * call.out_size(), call.out_size()))
              << cuda::name_of(math) << ", task " << task << ": " << call.text();
        }
      }
    }
  }
}

/// With many tasks one block sums all pixels of its tile, with few each chunk of pixels has a block and the last of them joins.
TEST(ConvMath, SplitAndWholeSumsGiveTheSameBits) {
  const WaveScope wave(2);
  for (const std::int64_t c : {4, 3}) {  // in vectors, and one by one
    const ConvCall call = make_call(ConvKind::kWeightGrad, {2, 17, 17, c, 20, 3, 3, 17, 17, {1, 1, 1, 1}}, 2, 7);
    const ConvOperands operands(call, 12);
    const std::vector<float> all = run_with(ConvMath::kFp32, call, operands);
    for (const std::int64_t task : {0, 3, 6}) {
      const std::vector<float> alone =
          run_with(ConvMath::kFp32, make_call(call.kind, call.z, 2, 1), slice_of(call, operands, task));
      EXPECT_TRUE(same_bits(alone.data(), all.data() + task * call.out_size(), call.out_size())) << call.text();
    }
  }
}

/// A small image under a long sum: with few tasks each stretch of taps and channels has blocks of its own.
TEST(ConvMath, SplitAndWholeSumsOverTapsGiveTheSameBits) {
  const WaveScope wave(2);
  for (const ConvKind kind : {ConvKind::kForward, ConvKind::kInputGrad}) {
    const std::int64_t c = kind == ConvKind::kForward ? 44 : 20, k = kind == ConvKind::kForward ? 20 : 44;
    const ConvCall call = make_call(kind, {1, 3, 2, c, k, 3, 3, 3, 2, {1, 1, 1, 1}}, 1, 7);
    const ConvOperands operands(call, 15);
    const ConvResult want = conv_oracle(call, operands.a, operands.b);
    for (const ConvMath math : {ConvMath::kFp32, ConvMath::kTf32x3}) {
      const std::vector<float> all = run_with(math, call, operands);
      EXPECT_LE(conv_error(want, all), bound_of(math)) << cuda::name_of(math) << ": " << call.text();
      for (const std::int64_t task : {0, 6}) {
        const std::vector<float> alone = run_with(math, make_call(kind, call.z, 1, 1), slice_of(call, operands, task));
        EXPECT_TRUE(same_bits(alone.data(), all.data() + task * call.out_size(), call.out_size()))
            << cuda::name_of(math) << ": " << call.text();
      }
    }
  }
}

/// A sum over tasks, split and whole, against the oracle: a piece that is lost or taken twice shows.
TEST(ConvMath, SumsOverManyTasks) {
  for (const ConvKind kind : {ConvKind::kInputGrad, ConvKind::kWeightGrad}) {
    ConvCall call = make_call(kind, {1, 19, 17, 16, 16, 3, 3, 19, 17, {1, 1, 1, 1}}, 2, 5);
    call.tasks_out = 1, call.tasks_b[1] = 1;
    const ConvOperands operands(call, 13);
    const ConvResult want = conv_oracle(call, operands.a, operands.b);
    for (const ConvMath math : kMaths) {
      EXPECT_LE(conv_error(want, run_with(math, call, operands)), bound_of(math))
          << cuda::name_of(math) << ": " << call.text();
    }
  }
}

/// Operands that no vector may be read from go element by element, and multiply-adds give the same bits.
TEST(ConvMath, UnalignedOperands) {
  const MathScope scope(ConvMath::kFp32);
  const Shape image{1, 2, 6, 6, 16}, filter{1, 3, 3, 16, 32}, result{1, 2, 6, 6, 32};
  std::vector<float> got[2];
  for (const int shift : {0, 1}) {
    std::mt19937 random(5);
    std::uniform_real_distribution<float> values(-1, 1);
    harness::Memory<float> x(static_cast<std::size_t>(image.numel() + 1)),
        w(static_cast<std::size_t>(filter.numel() + 1)), y(static_cast<std::size_t>(result.numel() + 1), std::nanf(""));
    for (std::int64_t i = 0; i < image.numel(); ++i) x[static_cast<std::size_t>(i + shift)] = values(random);
    for (std::int64_t i = 0; i < filter.numel(); ++i) w[static_cast<std::size_t>(i + shift)] = values(random);
    run(ConvForward{{1, 1, 1, 1},
                    {{x.data() + shift, DType::kF32, image}},
                    {{w.data() + shift, DType::kF32, filter}},
                    {y.data() + shift, DType::kF32, result}},
        device());
    harness::wait_for_device();
    got[shift].assign(y.begin() + shift, y.begin() + shift + result.numel());
  }
  EXPECT_FALSE(std::isnan(got[0][0]));
  EXPECT_TRUE(same_bits(got[0].data(), got[1].data(), result.numel()));
}

/// The two gradients of one convolution by one launch, where their tiles allow it, have the bits of two launches; large tiles,
/// small ones, sums that blocks share, and shapes that take two launches after all (a stride, few channels).
TEST(ConvMath, BothGradientsTogetherHaveTheBitsOfEachAlone) {
  struct Together {
    ConvCase z;
    std::int64_t tasks;
    int pairs;
    std::int64_t wave = 0;
  };
  const ConvGeometry same{1, 1, 1, 1};
  for (const auto& [z, tasks, pairs, wave] : {Together{{1, 7, 7, 64, 64, 3, 3, 7, 7, same}, 2, 2},
                                        Together{{5, 9, 9, 16, 32, 3, 3, 9, 9, same}, 3, 1},
                                        Together{{1, 9, 9, 36, 36, 3, 3, 9, 9, same}, 3, 1, 3},
                                        Together{{2, 8, 8, 32, 16, 3, 3, 4, 4, {2, 2, 0, 0}}, 2, 2},
                                        Together{{2, 8, 8, 3, 16, 3, 3, 8, 8, same}, 2, 1}}) {
    const Shape x{tasks, z.n, z.h, z.w, z.c}, w{tasks, z.r, z.s, z.c, z.k}, y{tasks, z.n, z.p, z.q, z.k};
    auto fill = [random = std::mt19937(21)](const Shape& s) mutable {
      std::uniform_real_distribution<float> values(-1, 1);
      harness::Memory<float> memory(static_cast<std::size_t>(s.numel()));
      for (float& v : memory) v = values(random);
      return memory;
    };
    harness::Memory<float> xs[2] = {fill(x), fill(x)}, ws[2] = {fill(w), fill(w)}, ys[2] = {fill(y), fill(y)};
    const auto view = [](harness::Memory<float>& m, const Shape& s) { return View{m.data(), DType::kF32, s}; };
    const WaveScope filled(wave);
    for (const ConvMath math : kMaths) {
      const MathScope scope(math);
      harness::Memory<float> gx[2] = {fill(x), fill(x)}, gw[2] = {fill(w), fill(w)};
      for (const int way : {0, 1}) {
        ConvInputGrad input{z.geometry, {view(ys[0], y), {}}, {view(ws[0], w), {}}, view(gx[way], x)};
        ConvWeightGrad weight{z.geometry, {view(xs[0], x), {}}, {view(ys[0], y), {}}, view(gw[way], w)};
        if (pairs == 2) {
          input.gy[1] = view(ys[1], y), input.w[1] = view(ws[1], w);
          weight.x[1] = view(xs[1], x), weight.gy[1] = view(ys[1], y);
        }
        if (way == 0) {
          run(ConvGrads{input, weight}, device());
        } else {
          run(input, device());
          run(weight, device());
        }
        harness::wait_for_device();
      }
      EXPECT_TRUE(same_bits(gx[0].data(), gx[1].data(), x.numel())) << cuda::name_of(math) << ", gx of " << x.to_string();
      EXPECT_TRUE(same_bits(gw[0].data(), gw[1].data(), w.numel())) << cuda::name_of(math) << ", gw of " << w.to_string();
    }
  }
}

TEST(ConvMath, NotANumberStaysOne) {
  ConvCall call = make_call(ConvKind::kForward, {1, 3, 3, 16, 16, 3, 3, 3, 3, {1, 1, 1, 1}}, 1, 1);
  ConvOperands operands(call, 14);
  operands.a[0][4 * 16 + 5] = std::nan("");  // the middle pixel reaches every output
  for (const ConvMath math : kMaths) {
    for (const float value : run_with(math, call, operands)) EXPECT_TRUE(std::isnan(value)) << cuda::name_of(math);
  }
}

}  // namespace
}  // namespace innerloop::kernels
