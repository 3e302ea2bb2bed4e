// A conv block whose convolution leaves the sums of its norm (kernels/cuda/conv_moments.h), in the shapes that its tests run.
#pragma once

#include <cmath>

#include "kernels/conv_block.h"
#include "kernels/cuda/conv_moments.h"
#include "tests/executed/math_scope.h"
#include "tests/kernels/harness.h"

namespace innerloop::kernels::moments {

using namespace harness;
using cuda::ConvMath;

struct MomentCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels, filters;
  std::int64_t filter = 3, stride = 1, groups = 1;
  Pool pool = Pool::kMax2x2;
  double mean = 0;  ///< of y, whose deviation is about 1; what channel 0 of the images brings
  bool tiles = false;  ///< on tensor cores by tiles of an image (conv_spatial.h)
  std::int64_t wave = 0;  ///< blocks that fill the device, so that all tasks take large tiles and one of them does not; 0: it is not about that
};

inline std::vector<MomentCase> cases() {
  const Pool none = Pool::kNone;
  return {
      {"small tiles, one pixel in the last unit", 2, 1, 13, 5, 16, 32, 3, 1, 1, none},
      {"whole units", 2, 2, 8, 8, 16, 96},
      {"large tiles, the last half empty", 2, 1, 13, 13, 32, 64, 1, 1, 1, Pool::kMax2x2, 0, false, 4},
      {"large tiles, columns left over", 2, 1, 13, 10, 32, 72, 1, 1, 1, Pool::kMax2x2, 0, false, 8},
      {"three channels: multiply-adds, vectors at the right", 1, 2, 12, 15, 3, 64},
      {"the same in large tiles", 2, 1, 13, 10, 3, 64, 3, 1, 1, Pool::kMax2x2, 0, false, 4},
      {"odd channels: multiply-adds one by one, more than one tile across", 3, 3, 9, 7, 5, 33},
      {"groups, strided", 2, 3, 16, 14, 32, 40, 3, 2, 2, none},
      {"a norm in several blocks a task", 1, 2, 50, 48, 16, 20, 3, 1, 1, Pool::kMax2x2, 0, true},
      {"tiles of an image, lower halves outside", 2, 2, 12, 16, 16, 32, 3, 1, 1, Pool::kMax2x2, 0, true},
      {"tiles cut at both edges, two across the channels", 1, 2, 15, 31, 20, 72, 3, 1, 1, none, 0, true},
      {"the same with windows, which leave a row and a column over", 2, 2, 15, 31, 20, 72, 3, 1, 1, Pool::kMax2x2, 0, true},
      {"a large mean", 2, 2, 12, 12, 32, 32, 1, 1, 1, Pool::kMax2x2, 1000},
      {"a large mean, a norm in several blocks", 1, 3, 40, 40, 16, 32, 1, 1, 1, none, 1000},
      {"a large negative mean, multiply-adds", 1, 3, 10, 9, 5, 20, 1, 1, 1, Pool::kMax2x2, -1000},
  };
}

inline Array images_of(const MomentCase& c, DType t, const Shape& shape) {
  std::vector<double> values = random_array(shape, t, 1).values();
  if (c.mean != 0)
    for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(c.channels)) values[i] = 1;
  return {shape, t, values};
}

inline Array weights_of(const MomentCase& c, DType t, const Shape& shape) {
  const double inputs = static_cast<double>(shape.numel() / shape[0] / shape[4]);
  std::vector<double> values = random_array(shape, t, 2, 0, 1 / std::sqrt(inputs)).values();
  if (c.mean != 0) {  // filters of one pixel: the first row of a task is what channel 0 is multiplied by
    for (std::size_t i = 0; i < values.size(); ++i)
      if (static_cast<std::int64_t>(i) / c.filters % c.channels == 0) values[i] = c.mean;
  }
  return {shape, t, values};
}

/// A block's forward pass and its tangent, with y and ty stored.
struct Block {
  MomentCase c;
  ConvGeometry geometry;
  Shape sx, sw, sy, sp, line;
  Array x, w, gamma, beta, y, mean, rstd, p, choice;
  Array tx, tw, tgamma, tbeta, ty, tp, tmean, trstd;

  Block(const MomentCase& of, DType t)
      : c(of),
        geometry{.stride_h = c.stride,
                 .stride_w = c.stride,
                 .pad_top = c.filter / 2,
                 .pad_left = c.filter / 2,
                 .groups = c.groups},
        sx{c.tasks, c.images, c.height, c.width, c.channels},
        sw{c.tasks, c.filter, c.filter, c.channels / c.groups, c.filters},
        sy{c.tasks, c.images, (c.height - 1) / c.stride + 1, (c.width - 1) / c.stride + 1, c.filters},
        sp(c.pool == Pool::kNone ? sy : sy.with(2, sy[2] / 2).with(3, sy[3] / 2)),
        line{c.tasks, c.filters} {
    x = images_of(c, t, sx), w = weights_of(c, t, sw);
    gamma = random_array(line, t, 3), beta = random_array(line, t, 4);  // of either sign
    std::vector<double> scales = gamma.values();
    scales[1] = 0;
    gamma = Array(line, t, scales);
    tx = random_array(sx, t, 6), tw = random_array(sw, t, 8, 0, 0.2);
    tgamma = random_array(line, t, 7), tbeta = random_array(line, t, 9);
    for (Array* a : {&mean, &rstd, &tmean, &trstd}) *a = Array(line, t);
    y = Array(sy, t), ty = Array(sy, t), p = Array(sp, t), tp = Array(sp, t), choice = Array(sp, DType::kU8);
  }
  ConvBlockForward forward() {
    return {geometry, c.pool, 1e-5, x.view(), w.view(), gamma.view(), beta.view(), y.mutable_view(), mean.mutable_view(),
            rstd.mutable_view(), p.mutable_view(), choice.mutable_view()};
  }
  ConvBlockJvp jvp() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), y.view(), mean.view(), rstd.view(), choice.view(), tx.view(),
            tw.view(), tgamma.view(), tbeta.view(), tp.mutable_view(), ty.mutable_view(), tmean.mutable_view(),
            trstd.mutable_view()};
  }
  std::vector<Array*> outputs() { return {&y, &mean, &rstd, &p, &choice, &ty, &tp, &tmean, &trstd}; }
  void run_on(Context& context) {
    const WaveScope wave(c.wave);
    for (Array* a : outputs()) a->reset();
    run(forward(), context);
    run(jvp(), context);
    wait_for_device();
  }
  ConvForward convolution() { return {geometry, {x.view(), {}}, {w.view(), {}}, y.mutable_view()}; }
  std::int64_t pixels() const { return sy[1] * sy[2] * sy[3]; }
};

/// Values at position `choice` of each window of y, the first of a dead one.
inline std::vector<double> at_chosen(const Block& b, const Array& y, const Array& choice) {
  std::vector<double> found;
  const Shape& s = b.sp;
  for (std::int64_t i = 0; i < s.numel(); ++i) {
    const std::int64_t k = i % s[4], column = i / s[4] % s[3], row = i / s[4] / s[3] % s[2], image = i / s[4] / s[3] / s[2];
    const auto where = static_cast<std::int64_t>(choice[static_cast<std::size_t>(i)]) % kDead;
    const std::int64_t pixel = (image * b.sy[2] + 2 * row + where / 2) * b.sy[3] + 2 * column + where % 2;
    found.push_back(y[static_cast<std::size_t>(pixel * s[4] + k)]);
  }
  return found;
}

/// f(dtype) in every mode, and in float64, which knows none.
template <class F>
void in_every_mode(const MomentCase& c, const F& f) {
  const WaveScope wave(c.wave);
  for (const ConvMath math : cuda::kConvMaths) {
    SCOPED_TRACE(std::string(cuda::name_of(math)));
    const MathScope scope(math);
    f(DType::kF32);
  }
  SCOPED_TRACE("float64");
  f(DType::kF64);
}

}  // namespace innerloop::kernels::moments
