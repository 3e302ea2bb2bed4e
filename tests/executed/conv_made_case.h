// Blocks whose gradients are taken of a gy that is made (kernels/cuda/conv_made.h).
#pragma once

#include "kernels/cuda/conv_made.h"
#include "tests/executed/math_scope.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/sample_common.h"

namespace innerloop::kernels::made {

using namespace harness;
using cuda::ConvMath;

struct MadeCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels, filters;
  Pool pool = Pool::kMax2x2;
  bool scaled = true, tx = true, tw = true, ty = true, tgp = true;
};

inline std::vector<MadeCase> cases() {
  const Pool none = Pool::kNone;
  return {
      {"whole tiles", 2, 1, 16, 16, 16, 32},
      {"more than 16 channels in one block", 1, 2, 16, 30, 28, 24},
      {"odd sides, whose last pixels are in no window", 1, 2, 15, 31, 8, 20},
      {"no pool, no scale", 2, 1, 8, 14, 24, 40, none, false},
      {"more than one stage, two tiles across the channels", 1, 1, 8, 16, 36, 40},
      {"parts of a weight gradient", 1, 10, 16, 15, 8, 8},
      {"nothing but the weights moves", 1, 1, 16, 16, 8, 12, Pool::kMax2x2, true, false, true, true, false},
      {"nothing but the cotangent moves", 1, 1, 16, 16, 8, 12, Pool::kMax2x2, true, false, false, false, true},
  };
}

struct Block {
  MadeCase c;
  ConvGeometry geometry{.pad_top = 1, .pad_left = 1};
  Array x, w, gamma, y, mean, rstd, choice, gp, gx, gw, ggamma, gbeta;
  Array tx, tw, tgamma, ty, tmean, trstd, tgp, tgx, tgw, tggamma, tgbeta;

  explicit Block(const MadeCase& of) : c(of) {
    const DType t = DType::kF32;
    const Shape sx{c.tasks, c.images, c.height, c.width, c.channels}, sw{c.tasks, 3, 3, c.channels, c.filters};
    const Shape sy = sx.with(4, c.filters), line{c.tasks, c.filters};
    const std::int64_t side = c.pool == Pool::kNone ? 1 : 2;
    const Shape sp = sy.with(2, c.height / side).with(3, c.width / side);
    x = random_array(sx, t, 1), w = random_array(sw, t, 2), gp = random_array(sp, t, 3);
    if (c.scaled) gamma = random_array(line, t, 4), tgamma = random_array(line, t, 5);
    y = random_array(sy, t, 12), mean = random_array(line, t, 13, 0, 0.1), rstd = random_array(line, t, 14, 1, 0.2);
    std::vector<double> chosen(static_cast<std::size_t>(sp.numel()));
    for (std::size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = side == 1 ? (i % 3 == 0 ? kDead : 0) : static_cast<double>((i * 7 + i / 5) % 5);
    choice = Array(sp, DType::kU8, chosen);
    if (c.tx) tx = random_array(sx, t, 6);
    if (c.tw) tw = random_array(sw, t, 7);
    if (c.ty) ty = random_array(sy, t, 8), tmean = random_array(line, t, 9, 0, 0.1), trstd = random_array(line, t, 10, 0, 0.1);
    if (c.tgp) tgp = random_array(sp, t, 11);
    gx = Array(sx, t), gw = Array(sw, t), ggamma = random_array(line, t, 15), gbeta = random_array(line, t, 16);
    tgx = Array(sx, t), tgw = Array(sw, t), tggamma = Array(line, t), tgbeta = Array(line, t);
  }
  ConvBlockGrad grad() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), y.view(), mean.view(), rstd.view(), choice.view(), gp.view(),
            gx.mutable_view(), gw.mutable_view(), ggamma.mutable_view(), gbeta.mutable_view()};
  }
  ConvBlockGradJvp grad_jvp() {
    return {geometry, c.pool, x.view(), w.view(), gamma.view(), y.view(), mean.view(), rstd.view(), choice.view(), gp.view(),
            ggamma.view(), gbeta.view(), tx.view(), tw.view(), tgamma.view(), ty.view(), tmean.view(), trstd.view(), tgp.view(),
            tgx.mutable_view(), tgw.mutable_view(), tggamma.mutable_view(), tgbeta.mutable_view()};
  }
};

/// Whether both gradients share a block.
class OneBlockScope {
 public:
  explicit OneBlockScope(bool on) : saved_(cuda::one_block()) { cuda::set_one_block(on); }
  ~OneBlockScope() { cuda::set_one_block(saved_); }
  OneBlockScope(const OneBlockScope&) = delete;
  OneBlockScope& operator=(const OneBlockScope&) = delete;

 private:
  bool saved_;
};

/// gy is made for maps of any size.
class ConvMade : public ::testing::Test {
  const MathScope math_{ConvMath::kTf32x3};
  const std::int64_t saved_ = cuda::least_made_elements();

 protected:
  ConvMade() { cuda::set_least_made_elements(1); }
  ~ConvMade() override { cuda::set_least_made_elements(saved_); }
};

}  // namespace innerloop::kernels::made
