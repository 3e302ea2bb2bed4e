// The norm whose sums a convolution leaves (kernels/cuda/conv_moments.h): statistics as exact as those of a norm that reads
// its input, whatever the tile, the mode, the mean and the rest of the last unit; the same bits for a task alone or beside others.
// (In every order of threads: conv_moments_orders.cpp.)
#include "tests/executed/conv_moments_case.h"

namespace innerloop::kernels {
namespace {

using namespace moments;

/// What tests/kernels/norm.cpp allows a norm that reads y: epsilons times the magnitude.
constexpr double kNormFactor = 8;

/// Statistics and their tangents from the stored y and ty, in long double.
void expect_statistics(const Block& b) {
  const std::int64_t pixels = b.pixels(), filters = b.c.filters;
  const Num share(1.0L / static_cast<long double>(pixels), 1.0 / static_cast<double>(pixels));
  std::vector<Num> mean, rstd, tmean, trstd;
  for (std::int64_t t = 0; t < b.c.tasks; ++t)
    for (std::int64_t k = 0; k < filters; ++k) {
      const auto line = static_cast<std::size_t>(t * filters + k);
      const auto at = [&](std::int64_t i) { return static_cast<std::size_t>((t * pixels + i) * filters + k); };
      Num m, tm, along;
      long double squares = 0;
      for (std::int64_t i = 0; i < pixels; ++i) m += Num(b.y[at(i)]) * share;
      for (std::int64_t i = 0; i < pixels; ++i) squares += (b.y[at(i)] - m.v) * (b.y[at(i)] - m.v);
      const long double s = 1 / std::sqrt(squares / static_cast<long double>(pixels) + 1e-5L);
      const Num r(b.rstd[line]), middle(b.mean[line]);
      for (std::int64_t i = 0; i < pixels; ++i) {
        tm += Num(b.ty[at(i)]) * share;
        // y - mean loses nothing: their difference is a value of the deviation's size.
        const long double d = b.y[at(i)] - middle.v;
        along += Num(b.ty[at(i)]) * r * Num(d, static_cast<double>(std::abs(d))) * share;
      }
      mean.push_back(m), rstd.emplace_back(s, static_cast<double>(s));
      tmean.push_back(tm), trstd.push_back(Num(-1) * r * r * along);
    }
  expect_near(b.mean, mean, kNormFactor, "mean");
  expect_near(b.rstd, rstd, kNormFactor, "rstd");
  expect_near(b.tmean, tmean, kNormFactor, "tmean");
  expect_near(b.trstd, trstd, kNormFactor, "trstd");
}

/// What is not a sum has the composition's bits: y and ty, and the walk at given statistics.
void expect_the_rest_composed(Block& b) {
  const DType t = b.y.dtype();
  Array y(b.sy, t), p(b.sp, t), choice(b.sp, DType::kU8), ty(b.sy, t), tp(b.sp, t), tmean(b.line, t), trstd(b.line, t);
  ConvForward conv = b.convolution();
  conv.y = y.mutable_view();
  run(conv, device());
  run(NormReluPoolApply{b.c.pool, b.y.view(), b.mean.view(), b.rstd.view(), b.gamma.view(), b.beta.view(), p.mutable_view(),
                        choice.mutable_view()},
      device());
  ConvBlockJvp tangent = b.jvp();
  tangent.ty = ty.mutable_view(), tangent.tp = tp.mutable_view();
  tangent.tmean = tmean.mutable_view(), tangent.trstd = trstd.mutable_view();
  compose(tangent, device());
  wait_for_device();
  EXPECT_EQ(b.y.memory(), y.memory());
  EXPECT_EQ(b.p.memory(), p.memory());
  EXPECT_EQ(b.choice.memory(), choice.memory());
  EXPECT_EQ(b.ty.memory(), ty.memory());
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < tp.size(); ++i) {
    largest = std::max(largest, std::abs(tp[i]));
    error = std::max(error, std::abs(tp[i] - b.tp[i]));
  }
  // Two orders of summation, whose rounding the normalised tangents carry on.
  EXPECT_LE(error, 64 * epsilon_of(t) * largest);
  EXPECT_GT(largest, 0);
}

TEST(ConvMoments, AreAsExactAsTheSumsOfANormThatReadsItsInput) {
  for (const MomentCase& c : cases()) {
    SCOPED_TRACE(c.name);
    in_every_mode(c, [&](DType t) {
      Block b(c, t);
      const cuda::MomentUnits units = cuda::moment_units(b.convolution(), cuda::conv_math());
      ASSERT_EQ(units.count, cuda::count_units(b.sy, units.unit)) << "this shape does not come by moments";
      const bool tiles = c.tiles && t == DType::kF32 && cuda::conv_math() != ConvMath::kFp32;
      EXPECT_EQ(units.unit, tiles ? cuda::MomentUnit::kTile : cuda::MomentUnit::kRun);
      b.run_on(device());
      expect_statistics(b);
      expect_the_rest_composed(b);
    });
    if (HasFailure()) return;
  }
}

/// picked [sp] is what decides each window of b.y, at `choice`; gamma absent: 1.
void expect_deciding(const Block& b, const Array& picked, const Array& choice, const Array* gamma) {
  EXPECT_EQ(picked.values(), at_chosen(b, b.y, choice));
  std::vector<double> window[4];
  for (int j = 0; j < 4; ++j) window[j] = at_chosen(b, b.y, Array(b.sp, DType::kU8, std::vector<double>(choice.size(), j)));
  const auto filters = static_cast<std::size_t>(b.c.filters), task_size = picked.size() / static_cast<std::size_t>(b.c.tasks);
  for (std::size_t i = 0; i < picked.size(); ++i) {
    const double scale = gamma != nullptr ? (*gamma)[i / task_size * filters + i % filters] : 1;
    double best = scale * window[0][i];
    for (int j = 1; j < 4; ++j) best = std::max(best, scale * window[j][i]);
    ASSERT_EQ(scale * picked[i], best) << i;
    if (scale == 0) {
      ASSERT_EQ(choice[i], 0) << i;
    }
  }
}

TEST(ConvPicks, AreWhatDecidesAWindowAndWhatMovesIt) {
  int seen = 0;
  for (const MomentCase& c : cases()) {
    SCOPED_TRACE(c.name);
    for (const ConvMath math : cuda::kConvMaths) {
      const MathScope scope(math);
      const WaveScope wave(c.wave);
      const bool tiles = c.tiles && math != ConvMath::kFp32;  // else window by window
      Block b(c, DType::kF32);
      const ConvForward conv = b.convolution();
      const cuda::MomentUnits units = cuda::moment_units(conv, math);
      const bool picks = c.pool == Pool::kMax2x2 && c.groups == 1 && c.filters % 4 == 0;
      ASSERT_EQ(cuda::leaves_picks(conv, units, c.pool, b.p.view(), b.choice.view()), picks);
      if (!picks) continue;
      b.run_on(device());  // y, mean, choice
      Array moments({c.tasks, units.count, 3, c.filters}, DType::kF32), tangents({c.tasks, units.count, 2, c.filters}, DType::kF32);
      Array picked(b.sp, DType::kF32), choice(b.sp, DType::kU8), moved(b.sp, DType::kF32), of(b.sp, DType::kF32);
      for (const Array* gamma : {static_cast<const Array*>(&b.gamma), static_cast<const Array*>(nullptr)}) {
        cuda::ConvPicks wanted{.values = picked.mutable_view(), .choice = choice.mutable_view()};
        if (gamma != nullptr) wanted.gamma = gamma->view();
        run(cuda::ConvForwardMoments{conv, {moments.mutable_view()}, wanted}, device());
        wait_for_device();
        expect_deciding(b, picked, choice, gamma);
      }
      const ConvForward tangent{b.geometry, {b.tx.view(), b.x.view()}, {b.w.view(), b.tw.view()}, b.ty.mutable_view()};
      run(cuda::ConvForwardMoments{tangent, {tangents.mutable_view(), b.y.view(), b.mean.view()},
                                   {.values = moved.mutable_view(), .positions = b.choice.view(), .of = tiles ? of.mutable_view() : View{}}},
          device());
      wait_for_device();
      EXPECT_EQ(moved.values(), at_chosen(b, b.ty, b.choice));
      if (tiles) {
        EXPECT_EQ(of.values(), at_chosen(b, b.y, b.choice));
      }
      ++seen;
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(seen, 30);
}

TEST(ConvMoments, OfConstantsHaveNoDeviation) {
  MomentCase c{"", 1, 1, 9, 9, 4, 8, 1, 1, 1, Pool::kNone};
  Block b(c, DType::kF32);
  b.x = Array(b.sx, DType::kF32, std::vector<double>(b.x.size(), 1));
  b.w = Array(b.sw, DType::kF32, std::vector<double>(b.w.size(), 1000.1));
  b.run_on(device());
  for (std::size_t i = 0; i < b.mean.size(); ++i) {
    EXPECT_EQ(b.mean[i], b.y[i]);
    EXPECT_EQ(b.rstd[i], static_cast<double>(static_cast<float>(1 / std::sqrt(1e-5))));
  }
}

TEST(ConvMoments, PassOnWhatIsNoNumber) {
  MomentCase c{"", 1, 1, 12, 12, 4, 8, 1, 1, 1, Pool::kNone};
  Block b(c, DType::kF32);
  std::vector<double> x = b.x.values();
  x[4 * 70] = std::numeric_limits<double>::quiet_NaN();  // in the second unit
  b.x = Array(b.sx, DType::kF32, x);
  b.run_on(device());
  for (std::size_t i = 0; i < b.p.size(); ++i) ASSERT_TRUE(std::isnan(b.p[i])) << i;

  const MathScope scope(ConvMath::kTf32x3);  // and where picks leave it out
  Block tiles({"", 1, 1, 8, 16, 8, 8, 3, 1, 1, Pool::kMax2x2, 0, true}, DType::kF32);
  x = tiles.x.values();
  x[8 * 70] = std::numeric_limits<double>::quiet_NaN();
  tiles.x = Array(tiles.sx, DType::kF32, x);
  tiles.run_on(device());
  for (std::size_t i = 0; i < tiles.p.size(); ++i) {
    ASSERT_TRUE(std::isnan(tiles.p[i])) << i;
    ASSERT_EQ(tiles.choice[i], kDead) << i;
  }
}

/// Alone a task has small tiles, beside others large ones.
TEST(ConvMoments, OfATaskAreTheSameAloneAndBesideOthers) {
  for (const MomentCase& c : cases()) {
    if (c.tasks == 1) continue;
    SCOPED_TRACE(c.name);
    in_every_mode(c, [&](DType t) {
      Block all(c, t);
      all.run_on(device());
      MomentCase single = c;
      single.tasks = 1;
      Block one(single, t);
      const std::int64_t task = c.tasks - 1;
      const auto take = [&](Array& to, const Array& from) {
        const std::vector<double> values = from.values();
        const auto size = static_cast<std::ptrdiff_t>(to.size());
        to = Array(to.shape(), t, {values.begin() + task * size, values.begin() + (task + 1) * size});
      };
      take(one.x, all.x), take(one.w, all.w), take(one.gamma, all.gamma), take(one.beta, all.beta);
      take(one.tx, all.tx), take(one.tw, all.tw), take(one.tgamma, all.tgamma), take(one.tbeta, all.tbeta);
      one.run_on(device());
      const std::vector<Array*> many = all.outputs(), alone = one.outputs();
      for (std::size_t i = 0; i < alone.size(); ++i) {
        const std::vector<double> values = many[i]->values();
        EXPECT_EQ(std::vector<double>(values.end() - static_cast<std::ptrdiff_t>(alone[i]->size()), values.end()),
                  alone[i]->values())
            << "output " << i;
      }
    });
    if (HasFailure()) return;
  }
}

TEST(ConvMoments, AreNotLeftOfSumsInChunksNorOfLessThanAUnit) {
  Block chunks({"", 1, 2, 8, 8, 64, 64}, DType::kF32), little({"", 1, 1, 7, 9, 16, 16}, DType::kF32);
  EXPECT_EQ(cuda::moment_units(chunks.convolution(), cuda::conv_math()).count, 0);
  EXPECT_EQ(cuda::moment_units(little.convolution(), cuda::conv_math()).count, 0);
  for (Block* b : {&chunks, &little}) {
    b->run_on(device());
    expect_statistics(*b);
  }
}

TEST(ConvMoments, NamesWhatDoesNotFit) {
  Block b({"", 1, 2, 8, 8, 4, 8}, DType::kF32);
  Array moments({1, 3, 3, 8}, DType::kF32);
  const auto expect_error = [&](const auto& kernel, const char* text) {
    try {
      run(kernel, device());
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  };
  expect_error(cuda::ConvForwardMoments{b.convolution(), {moments.mutable_view()}}, "which has 2 units a task");
  cuda::NormForwardMoments norm{{}, moments.view()};
  norm.norm.y = b.y.view();
  expect_error(norm, "give those of its convolution");

  // Picks of channels that do not come in fours, and those of a tangent without y's.
  Block odd({"", 1, 2, 8, 8, 4, 6}, DType::kF32);
  Array picked({1, 2, 4, 4, 6}, DType::kF32), choice({1, 2, 4, 4, 6}, DType::kU8), units({1, 2, 3, 6}, DType::kF32);
  const cuda::ConvPicks picks{.values = picked.mutable_view(), .choice = choice.mutable_view()};
  expect_error(cuda::ConvForwardMoments{odd.convolution(), {units.mutable_view()}, picks}, "cannot be left of the output");
  const MathScope scope(ConvMath::kTf32x3);
  Block tiles({"", 1, 1, 8, 16, 8, 8, 3, 1, 1, Pool::kMax2x2, 0, true}, DType::kF32);
  Array left({1, 2, 2, 8}, DType::kF32), tp({1, 1, 4, 8, 8}, DType::kF32), choices({1, 1, 4, 8, 8}, DType::kU8);
  expect_error(cuda::ConvForwardMoments{tiles.convolution(), {left.mutable_view(), tiles.ty.view(), tiles.mean.view()},
                                        {.values = tp.mutable_view(), .choice = choices.mutable_view(), .positions = choices.view()}},
               "write y's as well");
  Array p({1, 1, 4, 8, 8}, DType::kF32), three({1, 2, 3, 8}, DType::kF32);
  expect_error(cuda::ConvForwardMoments{tiles.convolution(), {three.mutable_view()},
                                        {.values = p.mutable_view(), .choice = choices.mutable_view(), .of = tp.mutable_view()}},
               "write y's as well");
}

}  // namespace
}  // namespace innerloop::kernels
