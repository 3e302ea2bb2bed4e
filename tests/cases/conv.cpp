#include "autograd/ops/conv.h"

#include "cases/op_case.h"
#include "cases/zeros.h"
#include "support/oracles.h"

namespace innerloop::test {
namespace {

using namespace autograd;

struct Geometry {
  std::string name;
  Shape x, w;
  ConvOptions options;
  int order = 3;
};

std::vector<Geometry> geometries() {
  return {
      {"plain", {2, 2, 4, 5, 2}, {2, 3, 3, 2, 3}, {}},
      {"padded", {2, 2, 4, 3, 2}, {2, 3, 3, 2, 3}, {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}},
      {"one_pixel", {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}, {}},
      {"uneven_kernel", {2, 1, 5, 4, 2}, {2, 2, 4, 2, 2}, {.pad_top = 1, .pad_right = 2}},
      // TensorFlow's SAME at an even side: nothing before, one pixel after; and one at an odd side.
      {"stride2_after",
       {2, 2, 6, 6, 2},
       {2, 3, 3, 2, 3},
       {.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1}},
      {"stride2_both",
       {2, 1, 5, 7, 2},
       {2, 3, 3, 2, 3},
       {.stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}},
      {"stride_past_the_end", {1, 2, 6, 8, 1}, {1, 2, 2, 1, 2}, {.stride_h = 3, .stride_w = 3}},
      {"uneven_stride", {1, 2, 7, 6, 2}, {1, 3, 2, 2, 2}, {.stride_h = 3, .stride_w = 2, .pad_left = 1}},
      {"dilated",
       {2, 1, 7, 6, 2},
       {2, 3, 2, 2, 2},
       {.pad_top = 2, .pad_bottom = 1, .pad_left = 1, .dilation_h = 2, .dilation_w = 3}},
      {"grouped",
       {2, 2, 4, 4, 4},
       {2, 3, 3, 2, 6},
       {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1, .groups = 2}},
      {"depthwise",
       {2, 1, 5, 5, 3},
       {2, 3, 3, 1, 3},
       {.pad_top = 2, .pad_bottom = 2, .pad_left = 2, .pad_right = 2, .dilation_h = 2, .dilation_w = 2, .groups = 3}},
      {"shared_weight",
       {3, 2, 4, 4, 2},
       {1, 3, 3, 2, 3},
       {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}},
      {"shared_input",
       {1, 2, 4, 4, 2},
       {3, 3, 3, 2, 3},
       {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}},
      {"shared_weight_stride2",
       {3, 2, 5, 4, 2},
       {1, 3, 3, 2, 3},
       {.stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_bottom = 1, .pad_right = 1}},
      {"many_channels",
       {2, 3, 9, 11, 19},
       {1, 3, 3, 19, 37},
       {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
       1},
      {"one_channel",
       {2, 3, 15, 13, 1},
       {2, 3, 3, 1, 64},
       {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
       1},
      {"vector_channels",
       {2, 2, 8, 6, 16},
       {2, 3, 3, 16, 32},
       {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
       1},
      {"wide_stride2",
       {1, 2, 14, 14, 16},
       {1, 3, 3, 16, 24},
       {.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1},
       1},
  };
}

OpCase forward_case(const Geometry& g) {
  return {.name = "conv_" + g.name,
          .f = [o = g.options](const Vars& x) { return Vars{conv(x[0], x[1], o)}; },
          .oracle = [o = g.options](const Arrays& x) { return Arrays{conv_oracle(x[0], x[1], o)}; },
          .variants = {{{{g.x}, {g.w}}, g.order}},
          .bad_calls = {}};
}

OpCase input_grad_case(const Geometry& g) {
  return {.name = "conv_input_grad_" + g.name,
          .f = [g](const Vars& a) { return Vars{conv_input_grad(a[0], a[1], g.x, g.options)}; },
          .oracle =
              [g](const Arrays& a) {
                const Array &gy = a[0], &w = a[1];
                Array gx(g.x);
                for_each_product(g.x, g.w, gy.shape, g.options,
                                 [&](auto t, auto n, auto p, auto q, auto k, auto r, auto s, auto c, auto row,
                                     auto column, auto channel) {
                                   gx(task_of(gx, t), n, row, column, channel) +=
                                       gy(t, n, p, q, k) * w(task_of(w, t), r, s, c, k);
                                 });
                return Arrays{gx};
              },
          .variants = {{{{conv_shape(g.x, g.w, g.options)}, {g.w}}, g.order}},
          .bad_calls = {}};
}

OpCase weight_grad_case(const Geometry& g) {
  return {.name = "conv_weight_grad_" + g.name,
          .f = [g](const Vars& a) { return Vars{conv_weight_grad(a[0], a[1], g.w, g.options)}; },
          .oracle =
              [g](const Arrays& a) {
                const Array &x = a[0], &gy = a[1];
                Array gw(g.w);
                for_each_product(g.x, g.w, gy.shape, g.options,
                                 [&](auto t, auto n, auto p, auto q, auto k, auto r, auto s, auto c, auto row,
                                     auto column, auto channel) {
                                   gw(task_of(gw, t), r, s, c, k) +=
                                       x(task_of(x, t), n, row, column, channel) * gy(t, n, p, q, k);
                                 });
                return Arrays{gw};
              },
          .variants = {{{{g.x}, {conv_shape(g.x, g.w, g.options)}}, g.order}},
          .bad_calls = {}};
}

BadCall bad_conv(const Shape& x, const Shape& w, const ConvOptions& o = {}) {
  return {[=] { conv(zeros(x), zeros(w), o); }, {"conv", x.to_string(), w.to_string()}};
}

}  // namespace

std::vector<OpCase> conv_cases() {
  std::vector<OpCase> cases;
  for (const Geometry& g : geometries()) {
    cases.push_back(forward_case(g));
    cases.push_back(input_grad_case(g));
    cases.push_back(weight_grad_case(g));
  }
  const Shape x{1, 2, 4, 4, 2}, w{1, 3, 3, 2, 5}, y{1, 2, 2, 2, 5};
  cases[0].bad_calls = {
      bad_conv({2, 4, 4, 2}, w),
      bad_conv(x, {1, 3, 3, 3, 5}),
      bad_conv({2, 2, 4, 4, 2}, {3, 3, 3, 2, 5}),
      bad_conv(x, {1, 5, 5, 2, 5}),
      bad_conv(x, {1, 3, 3, 1, 5}, {.groups = 2}),
      bad_conv(x, w, {.stride_h = 0}),
      {[=] { conv(zeros(x), zeros(w, DType::kF64), {}); }, {"conv", x.to_string(), w.to_string(), "f32", "f64"}},
      {[=] { conv(zeros(x), Var(), {}); }, {"conv", x.to_string()}},
  };
  const Shape wrong{1, 2, 3, 2, 5};
  cases[1].bad_calls = {
      {[=] { conv_input_grad(zeros(wrong), zeros(w), x, {}); },
       {"conv_input_grad", wrong.to_string(), w.to_string(), x.to_string()}},
      {[=] { conv_input_grad(zeros(y), zeros(w, DType::kF64), x, {}); }, {"conv_input_grad", "f32", "f64"}},
  };
  cases[2].bad_calls = {
      {[=] { conv_weight_grad(zeros(x), zeros(wrong), w, {}); },
       {"conv_weight_grad", x.to_string(), wrong.to_string(), w.to_string()}},
      {[=] { conv_weight_grad(zeros(x), zeros(y, DType::kF64), w, {}); }, {"conv_weight_grad", "f32", "f64"}},
  };
  return cases;
}

}  // namespace innerloop::test
