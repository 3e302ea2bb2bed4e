#include "autograd/ops/conv.h"

#include <algorithm>
#include <array>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"

namespace innerloop::autograd {
namespace {

enum class Member { kForward, kInputGrad, kWeightGrad };

/// A product C(a, b), D(a, b) or W(a, b), or the sum of two of them. `output` is the shape of the result.
struct Product {
  Member member;
  Shape output;
  ConvOptions options;
};

struct Pair {
  Var a, b;
};

/// The sum of `product` over the pairs whose operands are both defined: two pairs a kernel call, the rest added.
Var sum_of_products(const Product& product, std::initializer_list<Pair> pairs);

// With <gy, C(x, w)> = <D(gy, w), x> = <W(x, gy), w>, and u the cotangent of the result:
//   C(x, w):   gx  = D(u, w)   gw  = W(x, u)
//   D(gy, w):  ggy = C(u, w)   gw  = W(u, gy)
//   W(x, gy):  gx  = D(gy, u)  ggy = C(x, u)
// Each is linear in either operand, so t = P(ta, b) + P(a, tb).
class ConvOp final : public Op {
 public:
  explicit ConvOp(Product product) : p_(std::move(product)) {}

  std::string_view name() const override {
    switch (p_.member) {
      case Member::kForward: return "conv";
      case Member::kInputGrad: return "conv_input_grad";
      case Member::kWeightGrad: return "conv_weight_grad";
    }
    return "conv";
  }

  std::vector<Tensor> forward(std::span<const Tensor> in) const override {
    Tensor out = Tensor::empty(p_.output, in[0].dtype());
    Context& context = Context::current();
    const auto g = p_.options.geometry();
    const auto operand = [&](std::size_t i) { return i < in.size() ? in[i].view() : ConstView{}; };
    const ConstView a0 = operand(0), b0 = operand(1), a1 = operand(2), b1 = operand(3);
    switch (p_.member) {
      case Member::kForward:
        kernels::run(kernels::ConvForward{g, {a0, a1}, {b0, b1}, out.mutable_view()}, context);
        break;
      case Member::kInputGrad:
        kernels::run(kernels::ConvInputGrad{g, {a0, a1}, {b0, b1}, out.mutable_view()}, context);
        break;
      case Member::kWeightGrad:
        kernels::run(kernels::ConvWeightGrad{g, {a0, a1}, {b0, b1}, out.mutable_view()}, context);
        break;
    }
    return {out};
  }

  Vars vjp(const Call& call, const Vars& u) const override {
    Vars g(call.inputs.size());
    for (std::size_t i = 0; i < g.size(); i += 2) {
      const Var& a = call.inputs[i];
      const Var& b = call.inputs[i + 1];
      if (call.wanted[i]) g[i] = cotangent_of_first(a, b, u[0]);
      if (call.wanted[i + 1]) g[i + 1] = cotangent_of_second(a, b, u[0]);
    }
    return g;
  }

  Vars jvp(const Call& call, const Vars& t) const override {
    const Vars& in = call.inputs;
    if (in.size() == 2) return {sum_of_products(p_, {{t[0], in[1]}, {in[0], t[1]}})};
    return {sum_of_products(p_, {{t[0], in[1]}, {in[0], t[1]}, {t[2], in[3]}, {in[2], t[3]}})};
  }

 private:
  Var cotangent_of_first(const Var& a, const Var& b, const Var& u) const {
    switch (p_.member) {
      case Member::kForward: return conv_input_grad(u, b, a.shape(), p_.options);
      case Member::kInputGrad: return conv_like(u, b, a.shape());
      case Member::kWeightGrad: return conv_input_grad(b, u, a.shape(), p_.options);
    }
    return {};
  }
  Var cotangent_of_second(const Var& a, const Var& b, const Var& u) const {
    switch (p_.member) {
      case Member::kForward: return conv_weight_grad(a, u, b.shape(), p_.options);
      case Member::kInputGrad: return conv_weight_grad(u, a, b.shape(), p_.options);
      case Member::kWeightGrad: return conv_like(a, u, b.shape());
    }
    return {};
  }
  Var conv_like(const Var& x, const Var& w, const Shape& output) const {
    return sum_of_products({Member::kForward, output, p_.options}, {{x, w}});
  }

  Product p_;
};

Var sum_of_products(const Product& product, std::initializer_list<Pair> pairs) {
  Var total;
  Vars operands;
  const auto flush = [&] {
    if (operands.empty()) return;
    const Var part = apply_op_one(std::make_shared<ConvOp>(product), std::move(operands));
    operands.clear();
    total = total.defined() ? total + part : part;
  };
  for (const Pair& pair : pairs) {
    if (!pair.a.defined() || !pair.b.defined()) continue;
    operands.push_back(pair.a);
    operands.push_back(pair.b);
    if (operands.size() == 4) flush();
  }
  flush();
  return total;
}

void check_dtypes(const char* op, const Var& a, const Var& b) {
  IL_CHECK(a.defined() && b.defined() && is_floating(a.dtype()) && a.dtype() == b.dtype(),
           "{}: operands of shapes {} ({}) and {} ({}) must both be f32 or both f64", op, a.shape().to_string(),
           name_of(a.dtype()), b.shape().to_string(), name_of(b.dtype()));
}

/// Throws unless gy is a cotangent of conv(x, w).
void check_cotangent(const char* op, const Shape& x, const Shape& w, const Shape& gy, const ConvOptions& options) {
  const Shape y = conv_output_shape(x, w, options);
  IL_CHECK(gy == y, "{}: cotangent {} for input {} and weight {}; the convolution gives {}", op, gy.to_string(),
           x.to_string(), w.to_string(), y.to_string());
}

}  // namespace

Shape conv_output_shape(const Shape& x, const Shape& w, const ConvOptions& o) {
  const auto bad = [&](const char* why) { fail("conv: input {} and weight {}: {}", x.to_string(), w.to_string(), why); };
  if (x.rank() != 5 || w.rank() != 5) bad("both need five axes, [T, N, H, W, C] and [T, R, S, C/groups, K]");
  if (x[0] != w[0] && x[0] != 1 && w[0] != 1) bad("the task extents differ and neither is 1");
  if (o.groups < 1 || x[4] != w[3] * o.groups) bad("the input channels are not C/groups times groups");
  if (w[4] % o.groups != 0) bad("the output channels are no multiple of groups");
  if (o.stride_h < 1 || o.stride_w < 1 || o.dilation_h < 1 || o.dilation_w < 1) bad("strides and dilations start at 1");
  const auto extent = [&](std::int64_t in, std::int64_t before, std::int64_t after, std::int64_t k, std::int64_t dilation,
                          std::int64_t stride) {
    const std::int64_t room = in + before + after - dilation * (k - 1) - 1;
    if (k < 1 || room < 0) bad("the kernel does not fit into the padded input");
    return room / stride + 1;
  };
  return {std::max(x[0], w[0]), x[1], extent(x[2], o.pad_top, o.pad_bottom, w[1], o.dilation_h, o.stride_h),
          extent(x[3], o.pad_left, o.pad_right, w[2], o.dilation_w, o.stride_w), w[4]};
}

Var conv(const Var& x, const Var& w, const ConvOptions& options) {
  check_dtypes("conv", x, w);
  return sum_of_products({Member::kForward, conv_output_shape(x.shape(), w.shape(), options), options}, {{x, w}});
}

Var conv_input_grad(const Var& gy, const Var& w, const Shape& x, const ConvOptions& options) {
  check_dtypes("conv_input_grad", gy, w);
  check_cotangent("conv_input_grad", x, w.shape(), gy.shape(), options);
  return sum_of_products({Member::kInputGrad, x, options}, {{gy, w}});
}

Var conv_weight_grad(const Var& x, const Var& gy, const Shape& w, const ConvOptions& options) {
  check_dtypes("conv_weight_grad", x, gy);
  check_cotangent("conv_weight_grad", x.shape(), w, gy.shape(), options);
  return sum_of_products({Member::kWeightGrad, w, options}, {{x, gy}});
}

}  // namespace innerloop::autograd
