#include "kernels/conv_block.h"

#include <memory>

#include "kernels/tangent_convolution.h"

namespace innerloop::kernels {
namespace {

/// A tensor of y's size for the time of a call.
class LikeY {
 public:
  LikeY(const ConstView& y, Context& context)
      : memory_(context.arena().allocate(static_cast<std::size_t>(y.shape.numel()) * size_of(y.dtype))),
        view_{memory_.get(), y.dtype, y.shape} {}
  const View& view() const { return view_; }

 private:
  std::shared_ptr<void> memory_;
  View view_;
};

/// Calls compose() with y computed again; k.y has a shape alone.
template <class K>
void compose_with_y(K k, Context& context) {
  const LikeY y(k.y, context);
  run(ConvForward{k.geometry, {k.x, {}}, {k.w, {}}, y.view()}, context);
  k.y = y.view();
  compose(k, context);
}

}  // namespace

bool better_without_y(const Shape& w, const Shape& y) {
  constexpr std::int64_t kFewProducts = 16;
  return w[1] * w[2] * w[3] <= kFewProducts && y.numel() / y[0] >= kJoinElements;
}

void compose(const ConvBlockForward& k, Context& context) {
  if (!k.y) {
    const LikeY y(k.y, context);
    ConvBlockForward with = k;
    with.y = y.view();
    return compose(with, context);
  }
  run(ConvForward{k.geometry, {k.x, {}}, {k.w, {}}, k.y}, context);
  run(NormReluPoolForward{k.pool, k.epsilon, k.y, k.gamma, k.beta, k.mean, k.rstd, k.p, k.choice}, context);
}

void compose(const ConvBlockGrad& k, Context& context) {
  if (!k.y) return compose_with_y(k, context);
  const LikeY gy(k.y, context);
  run(NormReluPoolGrad{k.pool, k.y, k.mean, k.rstd, k.gamma, k.choice, k.gp, gy.view(), k.ggamma, k.gbeta}, context);
  const ConvWeightGrad weight{k.geometry, {k.x, {}}, {gy.view(), {}}, k.gw};
  if (k.gx)
    run(ConvGrads{{k.geometry, {gy.view(), {}}, {k.w, {}}, k.gx}, weight}, context);
  else
    run(weight, context);
}

void compose(const ConvBlockJvp& k, Context& context) {
  if (!k.y) {
    const LikeY ty(k.y, context);
    ConvBlockJvp with = k;
    if (k.tw) with.ty = ty.view();
    return compose_with_y(with, context);
  }
  if (k.tx || k.tw) run(tangent_convolution(k), context);
  run(NormReluPoolJvp{k.pool, k.y, k.mean, k.rstd, k.gamma, k.choice, k.ty, k.tgamma, k.tbeta, k.tp, k.tmean, k.trstd},
      context);
}

void compose(const ConvBlockGradJvp& k, Context& context) {
  if (!k.y) {
    const LikeY ty(k.y, context);
    ConvBlockGradJvp with = k;
    if (k.tw) {
      run(ConvForward{k.geometry, {k.x, {}}, {k.tw, {}}, ty.view()}, context);
      with.ty = ty.view();
    }
    return compose_with_y(with, context);
  }
  const bool second_w = k.tgx && k.tw, second_x = static_cast<bool>(k.tx);
  // gy again, for the second pairs alone.
  std::unique_ptr<LikeY> gy;
  if (second_w || second_x) gy = std::make_unique<LikeY>(k.y, context);
  const LikeY tgy(k.y, context);
  run(NormReluPoolGradJvp{.pool = k.pool,
                          .y = k.y,
                          .mean = k.mean,
                          .rstd = k.rstd,
                          .gamma = k.gamma,
                          .choice = k.choice,
                          .gp = k.gp,
                          .ggamma = k.ggamma,
                          .gbeta = k.gbeta,
                          .ty = k.ty,
                          .tmean = k.tmean,
                          .trstd = k.trstd,
                          .tgamma = k.tgamma,
                          .tgp = k.tgp,
                          .gy = gy ? gy->view() : View{},
                          .tgy = tgy.view(),
                          .tggamma = k.tggamma,
                          .tgbeta = k.tgbeta},
      context);
  const ConvWeightGrad weight{k.geometry,
                              {k.x, second_x ? k.tx : ConstView{}},
                              {tgy.view(), second_x ? gy->view() : ConstView{}},
                              k.tgw};
  if (k.tgx) {
    const ConvInputGrad input{k.geometry,
                              {tgy.view(), second_w ? gy->view() : ConstView{}},
                              {k.w, second_w ? k.tw : ConstView{}},
                              k.tgx};
    run(ConvGrads{input, weight}, context);
  } else {
    run(weight, context);
  }
}

void compose(const ConvGrads& k, Context& context) {
  run(k.input, context);
  run(k.weight, context);
}

}  // namespace innerloop::kernels
