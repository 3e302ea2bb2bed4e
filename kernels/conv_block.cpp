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

/// y is read, or for the forward pass written, where it lies.
template <class K>
void check_stored(const K& k) {
  IL_CHECK(k.y, "{}: y {} has no address; it is needed here, and moments do not replace it", K::kName, k.y.shape.to_string());
}

/// Both, or the weight's alone where nobody wants the input's.
void run_wanted(const ConvGrads& k, Context& context) {
  if (k.input.gx) return run(k, context);
  run(k.weight, context);
}

}  // namespace

NormReluPoolForward norm_of(const ConvBlockForward& k) {
  return {k.pool, k.epsilon, k.y, k.gamma, k.beta, k.mean, k.rstd, k.p, k.choice, k.chosen};
}

NormReluPoolJvp norm_of(const ConvBlockJvp& k) {
  return {k.pool, k.y, k.mean, k.rstd, k.gamma, k.choice, k.ty, k.tgamma, k.tbeta, k.tp, k.tmean, k.trstd, k.chosen, k.tchosen};
}

NormReluPoolGrad norm_of(const ConvBlockGrad& k, const View& gy) {
  return {k.pool, k.y, k.mean, k.rstd, k.gamma, k.choice, k.gp, gy, k.ggamma, k.gbeta, k.chosen};
}

NormReluPoolGradJvp norm_of(const ConvBlockGradJvp& k, const View& gy, const View& tgy) {
  return {.pool = k.pool,
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
          .gy = gy,
          .tgy = tgy,
          .tggamma = k.tggamma,
          .tgbeta = k.tgbeta,
          .chosen = k.chosen,
          .tchosen = k.tchosen};
}

ConvGrads convolutions_of(const ConvBlockGrad& k, const ConstView& gy) {
  return {{k.geometry, {gy, {}}, {k.w, {}}, k.gx}, {k.geometry, {k.x, {}}, {gy, {}}, k.gw}};
}

ConvGrads convolutions_of(const ConvBlockGradJvp& k, const ConstView& gy, const ConstView& tgy) {
  const bool second_w = k.tgx && k.tw, second_x = static_cast<bool>(k.tx);
  return {{k.geometry, {tgy, second_w ? gy : ConstView{}}, {k.w, second_w ? k.tw : ConstView{}}, k.tgx},
          {k.geometry, {k.x, second_x ? k.tx : ConstView{}}, {tgy, second_x ? gy : ConstView{}}, k.tgw}};
}

void compose(const ConvBlockForward& k, Context& context) {
  check_stored(k);
  run(ConvForward{k.geometry, {k.x, {}}, {k.w, {}}, k.y}, context);
  run(norm_of(k), context);
}

void compose(const ConvBlockGrad& k, Context& context) {
  check_stored(k);
  const LikeY gy(k.y, context);
  run(norm_of(k, gy.view()), context);
  run_wanted(convolutions_of(k, gy.view()), context);
}

void compose(const ConvBlockJvp& k, Context& context) {
  check_stored(k);
  if (k.tx || k.tw) run(tangent_convolution(k), context);
  run(norm_of(k), context);
}

void compose(const ConvBlockGradJvp& k, Context& context) {
  check_stored(k);
  // gy again, for the second pairs alone.
  std::unique_ptr<LikeY> gy;
  if (wants_gy(k)) gy = std::make_unique<LikeY>(k.y, context);
  const LikeY tgy(k.y, context);
  const View again = gy ? gy->view() : View{};
  run(norm_of(k, again, tgy.view()), context);
  run_wanted(convolutions_of(k, again, tgy.view()), context);
}

void compose(const ConvGrads& k, Context& context) {
  run(k.input, context);
  run(k.weight, context);
}

}  // namespace innerloop::kernels
