#include "autograd/ops/conv_block.h"

#include <algorithm>

#include "autograd/op.h"
#include "autograd/ops/conv_block_kernels.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/per_channel.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"
#include "kernels/conv_block.h"

namespace innerloop::autograd {
namespace {

Shape pooled(const Shape& y, Pool pool) { return pool == Pool::kNone ? y : y.with(2, y[2] / 2).with(3, y[3] / 2); }

Var channel_sum(const Var& v) {
  const Shape& s = v.shape();
  return reshape(sum(v, {1, 2, 3}), {s[0], s[4]});
}

double count(const Shape& y) { return static_cast<double>(y[1] * y[2] * y[3]); }

/// The decisions of a block in the form that plain ops take: window positions, and 1 where the maximum lives, else 0.
struct Decisions {
  Tensor position, alive;
};

Decisions decode(const Tensor& choice, DType dtype) {
  Decisions d{Tensor::empty(choice.shape(), DType::kI32), Tensor::empty(choice.shape(), dtype)};
  kernels::run(kernels::ChoiceDecode{.choice = choice.view(),
                                     .position = d.position.mutable_view(),
                                     .alive = d.alive.mutable_view()},
               Context::current());
  return d;
}

Tensor encode(const Tensor& position, const Tensor& p) {
  Tensor choice = Tensor::empty(p.shape(), DType::kU8);
  kernels::run(kernels::ChoiceEncode{.p = p.view(), .position = view_or_none(position), .choice = choice.mutable_view()},
               Context::current());
  return choice;
}

// --- tangent of the gradient
// --------------------------------------------------------------------------------------------------

// inputs: GradJvpInput (conv_block_kernels.h); ggamma, gbeta, chosen and its tangent are caches. outputs: tgx?, tgw, tggamma, tgbeta.
class ConvBlockGradJvp final : public Op {
 public:
  ConvBlockGradJvp(std::shared_ptr<const Op> grad, const ConvBlockOptions& options, bool want_gx)
      : grad_(std::move(grad)), o_(options), want_gx_(want_gx) {}
  std::string_view name() const override { return "conv_block_grad_jvp"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor &x = in[0], &w = in[1];
    const DType dtype = x.dtype();
    const Shape shape = conv_output_shape(x.shape(), w.shape(), o_.conv), channels{shape[0], shape[4]};
    Tensor tgx = want_gx_ ? Tensor::empty(x.shape(), dtype) : Tensor();
    Tensor tgw = Tensor::empty(w.shape(), dtype);
    Tensor tggamma = Tensor::empty(channels, dtype), tgbeta = Tensor::empty(channels, dtype);
    kernels::ConvBlockGradJvp k = gradient_jvp_kernel(o_, in);
    if (want_gx_) k.tgx = tgx.mutable_view();
    k.tgw = tgw.mutable_view(), k.tggamma = tggamma.mutable_view(), k.tgbeta = tgbeta.mutable_view();
    kernels::run(k, Context::current());
    return {tgx, tgw, tggamma, tgbeta};
  }

  Vars reference(const Vars& in) const override {
    return grad_->Op::jvp({primals_of(in), {}, {}}, tangents_of(in));
  }

 private:
  std::shared_ptr<const Op> grad_;
  ConvBlockOptions o_;
  bool want_gx_;
};

// --- gradient
// -----------------------------------------------------------------------------------------------------------------

// inputs: GradInput (conv_block_kernels.h); chosen is a cache of y. outputs: gx?, gw, ggamma [T, K], gbeta [T, K].
//   gz = gp at the chosen places;  gbeta = sum gz;  ggamma = sum gz xhat
//   gy = gamma rstd (gz - gbeta/M - xhat ggamma/M);  gx = D(gy, w);  gw = W(x, gy)
class ConvBlockGrad final : public Op, public std::enable_shared_from_this<ConvBlockGrad> {
 public:
  ConvBlockGrad(const ConvBlockOptions& options, bool want_gx) : o_(options), want_gx_(want_gx) {}
  std::string_view name() const override { return "conv_block_grad"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor &x = in[0], &w = in[1];
    const DType dtype = x.dtype();
    const Shape shape = conv_output_shape(x.shape(), w.shape(), o_.conv), channels{shape[0], shape[4]};
    Tensor gx = want_gx_ ? Tensor::empty(x.shape(), dtype) : Tensor();
    Tensor gw = Tensor::empty(w.shape(), dtype);
    Tensor ggamma = Tensor::empty(channels, dtype), gbeta = Tensor::empty(channels, dtype);
    kernels::ConvBlockGrad k = gradient_kernel(o_, in);
    if (want_gx_) k.gx = gx.mutable_view();
    k.gw = gw.mutable_view(), k.ggamma = ggamma.mutable_view(), k.gbeta = gbeta.mutable_view();
    kernels::run(k, Context::current());
    return {gx, gw, ggamma, gbeta};
  }

  Vars reference(const Vars& in) const override {
    const Var &x = in[kX], &w = in[kW], &gamma = in[kGamma], &mean = in[kMean], &rstd = in[kRstd], &gp = in[kGp];
    const Var y = is_y(in[kMap].value()) ? in[kMap] : conv(x, w, o_.conv);
    const Decisions d = decode(in[kChoice].value(), x.dtype());
    const Var live = gp * Var(d.alive);
    const Var gz = o_.pool == Pool::kNone ? live : pool_scatter(live, d.position, y.shape(), {});
    const Var xhat = (y - per_channel(mean)) * per_channel(rstd);
    const Var gbeta = channel_sum(gz), ggamma = channel_sum(gz * xhat);
    const double inverse = 1 / count(y.shape());
    const Var r = gz - per_channel(scale(gbeta, inverse)) - xhat * per_channel(scale(ggamma, inverse));
    const Var factor = gamma.defined() ? gamma * rstd : rstd;
    const Var gy = per_channel(factor) * r;
    return {want_gx_ ? conv_input_grad(gy, w, x.shape(), o_.conv) : Var(), conv_weight_grad(x, gy, w.shape(), o_.conv),
            ggamma, gbeta};
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    const Vars out = apply_op(std::make_shared<ConvBlockGradJvp>(shared_from_this(), o_, want_gx_),
                              jvp_inputs(call.inputs, call.outputs[2], call.outputs[3], t));
    return {want_gx_ ? out[0] : Var(), out[1], out[2], out[3]};
  }

  Keep keep() const override { return {.outputs = 0b1100}; }

 private:
  ConvBlockOptions o_;
  bool want_gx_;
};

// --- tangent
// ------------------------------------------------------------------------------------------------------------------

// inputs: x, w, gamma?, beta; map, mean, rstd, choice (caches); tangents of x, w, gamma, beta; chosen? (a cache). outputs: tp, ty?, tmean,
// trstd, tchosen?.
class ConvBlockJvp final : public Op {
 public:
  ConvBlockJvp(std::shared_ptr<const Op> forward, const ConvBlockOptions& options)
      : forward_(std::move(forward)), o_(options) {}
  std::string_view name() const override { return "conv_block_jvp"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor& choice = in[7];
    const DType dtype = in[0].dtype();
    const Shape shape = conv_output_shape(in[0].shape(), in[1].shape(), o_.conv), channels{shape[0], shape[4]};
    const bool moves = in[8].defined() || in[9].defined();
    Tensor ty = moves && is_y(in[4]) ? Tensor::empty(shape, dtype) : Tensor();
    Tensor tp = Tensor::empty(choice.shape(), dtype), tmean = Tensor::empty(channels, dtype),
           trstd = Tensor::empty(channels, dtype);
    kernels::ConvBlockJvp k;
    k.geometry = o_.conv.geometry(), k.pool = o_.pool;
    set_map(k, in[4], shape, dtype);
    k.x = in[0].view(), k.w = in[1].view(), k.gamma = view_or_none(in[2]);
    k.mean = in[5].view(), k.rstd = in[6].view(), k.choice = choice.view();
    k.tx = view_or_none(in[8]), k.tw = view_or_none(in[9]), k.tgamma = view_or_none(in[10]), k.tbeta = view_or_none(in[11]);
    k.tp = tp.mutable_view(), k.tmean = tmean.mutable_view(), k.trstd = trstd.mutable_view();
    if (ty.defined()) k.ty = ty.mutable_view();
    Tensor tchosen = ty.defined() && in[12].defined() ? Tensor::empty(choice.shape(), dtype) : Tensor();
    k.chosen = view_or_none(in[12]);
    if (tchosen.defined()) k.tchosen = tchosen.mutable_view();
    kernels::run(k, Context::current());
    if (!ty.defined() && is_y(in[4])) ty = Tensor::zeros(shape, dtype);
    return {tp, ty, tmean, trstd, tchosen};
  }

  Vars reference(const Vars& in) const override {
    const Vars primals{in[0], in[1], in[2], in[3], Var()};
    Vars out = forward_->Op::jvp({primals, {}, {}}, {in[8], in[9], in[10], in[11], Var()});
    out.resize(4);
    if (!is_y(in[4].value())) out[1] = Var();
    out.emplace_back();
    return out;
  }

 private:
  std::shared_ptr<const Op> forward_;
  ConvBlockOptions o_;
};

// --- forward
// ------------------------------------------------------------------------------------------------------------------

// inputs: x, w, gamma?, beta, moments?; outputs: p, y? (where there are no moments), mean, rstd, choice, chosen? (where it is kept).
class ConvBlock final : public Op, public std::enable_shared_from_this<ConvBlock> {
 public:
  explicit ConvBlock(const ConvBlockOptions& options) : o_(options) {}
  std::string_view name() const override { return "conv_block"; }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    const Tensor &x = in[0], &w = in[1];
    const DType dtype = x.dtype();
    const Shape shape = conv_output_shape(x.shape(), w.shape(), o_.conv), channels{shape[0], shape[4]};
    Tensor y = in[4].defined() ? Tensor() : Tensor::empty(shape, dtype);
    Tensor mean = Tensor::empty(channels, dtype), rstd = Tensor::empty(channels, dtype);
    Tensor p = Tensor::empty(pooled(shape, o_.pool), dtype), choice = Tensor::empty(p.shape(), DType::kU8);
    const bool kept = y.defined() && kernels::keeps_chosen(Context::current().target(), o_.pool);
    Tensor chosen = kept ? Tensor::empty(p.shape(), dtype) : Tensor();
    kernels::run(kernels::ConvBlockForward{.geometry = o_.conv.geometry(),
                                           .pool = o_.pool,
                                           .epsilon = o_.epsilon,
                                           .x = x.view(),
                                           .w = w.view(),
                                           .gamma = view_or_none(in[2]),
                                           .beta = in[3].view(),
                                           .y = y.defined() ? y.mutable_view() : shape_only(shape, dtype),
                                           .mean = mean.mutable_view(),
                                           .rstd = rstd.mutable_view(),
                                           .p = p.mutable_view(),
                                           .choice = choice.mutable_view(),
                                           .moments = view_or_none(in[4]),
                                           .chosen = kept ? chosen.mutable_view() : View{}},
                 Context::current());
    return {p, y, mean, rstd, choice, chosen};
  }

  // mean = sum y / M;  rstd = 1/sqrt(sum (y - mean)^2 / M + eps);  z = gamma rstd (y - mean) + beta;  p = pool(relu(z))
  Vars reference(const Vars& in) const override {
    const Var y = conv(in[0], in[1], o_.conv);
    const double inverse = 1 / count(y.shape());
    const Var mean = scale(channel_sum(y), inverse);
    const Var centred = y - per_channel(mean);
    const Var rstd = rsqrt(affine(channel_sum(square(centred)), inverse, o_.epsilon));
    const Var factor = in[2].defined() ? in[2] * rstd : rstd;
    const Var a = relu(centred * per_channel(factor) + per_channel(in[3]));
    if (o_.pool == Pool::kNone) return {a, y, mean, rstd, encode({}, a.value()), Var()};
    const Vars pooled_outputs = max_pool_with_choice(a, {});
    return {pooled_outputs[0], y, mean, rstd, encode(pooled_outputs[1].value(), pooled_outputs[0].value()), Var()};
  }

  Vars vjp(const Call& call, const Vars& gy) const override {
    // Cotangents of y, mean and rstd come only from beyond the fused orders.
    if (gy[1].defined() || gy[2].defined() || gy[3].defined()) return Op::vjp(call, gy);
    const Vars &in = call.inputs, &out = call.outputs;
    const Vars g = apply_op(std::make_shared<ConvBlockGrad>(o_, call.wanted[0]),
                            {in[0], in[1], in[2], map_of(call), out[2], out[3], out[4], gy[0], out[5]});
    return {call.wanted[0] ? g[0] : Var(), g[1], in[2].defined() ? sum_to(g[2], in[2].shape()) : Var(),
            sum_to(g[3], in[3].shape()), Var()};
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    const Vars &in = call.inputs, &out = call.outputs;
    const Vars tangents = apply_op(std::make_shared<ConvBlockJvp>(shared_from_this(), o_),
                                   {in[0], in[1], in[2], in[3], detach(map_of(call)), detach(out[2]), detach(out[3]), out[4], t[0],
                                    t[1], t[2], t[3], detach(out[5])});
    return {tangents[0], tangents[1], tangents[2], tangents[3], Var(), tangents[4]};
  }

  Keep keep() const override { return {.outputs = 0b111110}; }

 private:
  static const Var& map_of(const Call& call) { return call.inputs[4].defined() ? call.inputs[4] : call.outputs[1]; }

  ConvBlockOptions o_;
};

void check_block(const Var& x, const Var& w, const Var& gamma, const Var& beta, const ConvBlockOptions& options) {
  const Shape y = conv_output_shape(x.shape(), w.shape(), options.conv);
  for (const Var* v : {&w, &gamma, &beta})
    IL_CHECK(!v->defined() || (is_floating(x.dtype()) && v->dtype() == x.dtype()),
             "conv_block: an operand of shape {} is {} where the images of shape {} are {}; all must be f32 or all f64",
             v->shape().to_string(), name_of(v->dtype()), x.shape().to_string(), name_of(x.dtype()));
  const auto fits = [&](const Var& v) {
    return v.shape().rank() == 2 && v.shape()[1] == y[4] && (v.shape()[0] == 1 || v.shape()[0] == y[0]);
  };
  IL_CHECK(beta.defined() && fits(beta) && (!gamma.defined() || fits(gamma)),
           "conv_block: scale {} and shift {} for {} channels and {} tasks; [T, K] or [1, K] is needed",
           gamma.defined() ? gamma.shape().to_string() : "none", beta.shape().to_string(), y[4], y[0]);
  IL_CHECK(
      options.pool == Pool::kNone || (y[2] >= 2 && y[3] >= 2),
      "conv_block: the convolution gives {}, which is too small for a 2x2 pool; use a larger image or fewer blocks",
      y.to_string());
}

bool keeps_moments(const Var& x, const Shape& w, const ConvBlockOptions& options) {
  return !x.tracked() && kernels::moments_suffice(options.conv.geometry(), w);
}

kernels::PatchMoments patch_moments(const Var& x, const Shape& w, const ConvBlockOptions& options, Tensor& moments) {
  return {.geometry = options.conv.geometry(),
          .w = w,
          .y = conv_output_shape(x.shape(), w, options.conv),
          .x = x.value().view(),
          .moments = moments.mutable_view()};
}

}  // namespace

Tensor conv_block_moments(const Var& x, const Shape& w, const ConvBlockOptions& options) {
  if (!keeps_moments(x, w, options)) return {};
  const DerivativeScope derivative(Derivative::kForward);
  Tensor moments = Tensor::empty(kernels::moments_shape(x.shape(), w), DType::kF64);
  kernels::run(patch_moments(x, w, options, moments), Context::current());
  return moments;
}

std::pair<Tensor, Tensor> conv_block_moments(const Var& first, const Var& second, const Shape& w, const ConvBlockOptions& options) {
  if (!keeps_moments(first, w, options) || !keeps_moments(second, w, options))
    return {conv_block_moments(first, w, options), conv_block_moments(second, w, options)};
  const DerivativeScope derivative(Derivative::kForward);
  Tensor a = Tensor::empty(kernels::moments_shape(first.shape(), w), DType::kF64);
  Tensor b = Tensor::empty(kernels::moments_shape(second.shape(), w), DType::kF64);
  kernels::run(kernels::PatchMomentsPair{patch_moments(first, w, options, a), patch_moments(second, w, options, b)}, Context::current());
  return {a, b};
}

ConvBlockResult conv_block(const Var& x, const Var& w, const Var& gamma, const Var& beta, const ConvBlockOptions& options) {
  check_block(x, w, gamma, beta, options);
  return conv_block_with_moments(x, w, gamma, beta, options, conv_block_moments(x, w.shape(), options));
}

ConvBlockResult conv_block_with_moments(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                        const ConvBlockOptions& options, const Tensor& moments) {
  check_block(x, w, gamma, beta, options);
  const Var constant = moments.defined() ? Var(moments) : Var();
  const Vars out = apply_op(std::make_shared<ConvBlock>(options), {x, w, gamma, beta, constant});
  return {out[0], out[2], out[3], moments.defined() ? constant : out[1], out[4], out[5]};
}

Vars conv_block_gradient(const ConvBlockOptions& options, InputGradient input, const Vars& operands) {
  return apply_op(std::make_shared<ConvBlockGrad>(options, input == InputGradient::kWanted), operands);
}

ConvBlockResult conv_block_reference(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                     const ConvBlockOptions& options) {
  check_block(x, w, gamma, beta, options);
  const Vars out = ConvBlock(options).reference({x, w, gamma, beta, Var()});
  return {out[0], out[2], out[3], out[1], out[4], out[5]};
}

Tensor conv_block_with_statistics(const Tensor& x, const Tensor& w, const Tensor& gamma, const Tensor& beta,
                                  const Tensor& mean, const Tensor& rstd, const ConvBlockOptions& options) {
  check_block(x, w, gamma.defined() ? Var(gamma) : Var(), beta, options);
  const Shape shared{1, w.shape()[4]}, per_task = shared.with(0, std::max(x.shape()[0], w.shape()[0]));
  IL_CHECK(mean.shape() == rstd.shape() && (mean.shape() == shared || mean.shape() == per_task),
           "conv_block: statistics {} and {}; {} or {} is needed", mean.shape().to_string(), rstd.shape().to_string(),
           shared.to_string(), per_task.to_string());
  Context& context = Context::current();
  Tensor y = Tensor::empty(conv_output_shape(x.shape(), w.shape(), options.conv), x.dtype());
  kernels::run(kernels::ConvForward{options.conv.geometry(), {x.view(), {}}, {w.view(), {}}, y.mutable_view()},
               context);
  Tensor p = Tensor::empty(pooled(y.shape(), options.pool), x.dtype()), choice = Tensor::empty(p.shape(), DType::kU8);
  kernels::run(kernels::NormReluPoolApply{options.pool, y.view(), mean.view(), rstd.view(), view_or_none(gamma),
                                          beta.view(), p.mutable_view(), choice.mutable_view()},
               context);
  return p;
}

}  // namespace innerloop::autograd
