#include "autograd/ops/pool.h"

#include <algorithm>

#include "cases/op_case.h"
#include "support/oracles.h"

namespace innerloop::test {
namespace {

using namespace autograd;

// A shuffled grid: the two largest of any window differ by at least one cell, width/numel.
const Range kDistinct{-2, 2, Fill::kSpread};

struct Window {
  std::string name;
  PoolGeometry geometry;
};

const std::vector<Window>& windows() {
  static const std::vector<Window> all{{"2x2", {}}, {"3x3_stride2", {3, 3, 2, 2}}, {"1x3_stride1x2", {1, 3, 1, 2}}};
  return all;
}

std::vector<Variant> image_variants(Range range, Range of_many) {
  return {{{{{2, 2, 4, 6, 2}, range}}},
          {{{{1, 1, 3, 3, 1}, range}}},
          {{{{2, 1, 5, 7, 3}, range}}},
          {{{{2, 3, 9, 8, 19}, of_many}}, 1}};
}

/// Some decision for every output: any window position.
Tensor decisions(const Shape& out, const PoolGeometry& g) {
  Tensor choice = Tensor::empty(out, DType::kI32);
  const auto c = choice.mutable_data<std::int32_t>();
  const auto places = static_cast<std::size_t>(g.window_h * g.window_w);
  for (std::size_t i = 0; i < c.size(); ++i) c[i] = static_cast<std::int32_t>((5 * i + i / 3) % places);
  return choice;
}

std::int64_t decision(const Tensor& choice, const Array& y, std::int64_t t, std::int64_t n, std::int64_t p,
                      std::int64_t q, std::int64_t c) {
  return choice.data<std::int32_t>()[y.offset(t, n, p, q, c)];
}

const Shape kSmall{1, 1, 2, 1, 1};

OpCase max_case(const Window& w) {
  const PoolGeometry g = w.geometry;
  return {
      .name = "max_pool_" + w.name,
      .f = [g](const Vars& x) { return Vars{max_pool(x[0], g)}; },
      .oracle =
          [g](const Arrays& in) {
            Array x = in[0], y(pool_shape(x.shape, g));
            for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto c) {
              double best = window_element(x, g, t, n, p, q, c, 0);
              for (std::int64_t at = 1; at < g.window_h * g.window_w; ++at)
                best = std::max(best, window_element(x, g, t, n, p, q, c, at));
              y(t, n, p, q, c) = best;
            });
            return Arrays{y};
          },
      .variants = image_variants(kDistinct, {-40, 40, Fill::kSpread}),
      .margin =
          [g](const Arrays& in) {
            Array x = in[0];
            double smallest = 1e300;
            for_each_output(pool_shape(x.shape, g), [&](auto t, auto n, auto p, auto q, auto c) {
              double best = -1e300, next = -1e300;
              for (std::int64_t at = 0; at < g.window_h * g.window_w; ++at) {
                const double v = window_element(x, g, t, n, p, q, c, at);
                next = std::max(next, std::min(v, best));
                best = std::max(best, v);
              }
              smallest = std::min(smallest, best - next);
            });
            return smallest;
          },
      .bad_calls = {{[g] { max_pool(Var(Tensor::zeros(kSmall, DType::kF32)), g); }, {"max_pool", kSmall.to_string()}}}};
}

OpCase gather_case(const Window& w) {
  const PoolGeometry g = w.geometry;
  return {.name = "pool_gather_" + w.name,
          .f = [g](const Vars& x) { return Vars{pool_gather(x[0], decisions(pool_shape(x[0].shape(), g), g), g)}; },
          .oracle =
              [g](const Arrays& in) {
                Array x = in[0], y(pool_shape(x.shape, g));
                const Tensor choice = decisions(y.shape, g);
                for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto c) {
                  y(t, n, p, q, c) = window_element(x, g, t, n, p, q, c, decision(choice, y, t, n, p, q, c));
                });
                return Arrays{y};
              },
          .variants = image_variants({}, {}),
          .bad_calls = {{[g] {
                           pool_gather(Var(Tensor::zeros({1, 1, 6, 6, 1}, DType::kF32)),
                                       Tensor::zeros({1, 1, 1, 1, 1}, DType::kI32), g);
                         },
                         {"pool_gather", "[1, 1, 6, 6, 1]", "[1, 1, 1, 1, 1]"}}}};
}

OpCase scatter_case(const Window& w, const Shape& image, int order) {
  const PoolGeometry g = w.geometry;
  return {.name = "pool_scatter_" + w.name + (order < 3 ? "_large" : ""),
          .f = [=](const Vars& gy) { return Vars{pool_scatter(gy[0], decisions(gy[0].shape(), g), image, g)}; },
          .oracle =
              [=](const Arrays& in) {
                Array x(image);
                const Tensor choice = decisions(in[0].shape, g);
                for_each_output(in[0].shape, [&](auto t, auto n, auto p, auto q, auto c) {
                  window_element(x, g, t, n, p, q, c, decision(choice, in[0], t, n, p, q, c)) += in[0](t, n, p, q, c);
                });
                return Arrays{x};
              },
          .variants = {{{{pool_shape(image, g)}}, order}},
          .bad_calls = {{[g] {
                           pool_scatter(Var(Tensor::zeros({1, 1, 1, 1, 1}, DType::kF32)),
                                        Tensor::zeros({1, 1, 1, 1, 1}, DType::kI32), {1, 1, 6, 6, 1}, g);
                         },
                         {"pool_scatter", "[1, 1, 6, 6, 1]", "[1, 1, 1, 1, 1]"}}}};
}

OpCase average_case(const Window& w) {
  const PoolGeometry g = w.geometry;
  return {.name = "average_pool_" + w.name,
          .f = [g](const Vars& x) { return Vars{average_pool(x[0], g)}; },
          .oracle =
              [g](const Arrays& in) {
                Array x = in[0], y(pool_shape(x.shape, g));
                const std::int64_t places = g.window_h * g.window_w;
                for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto c) {
                  for (std::int64_t at = 0; at < places; ++at)
                    y(t, n, p, q, c) += window_element(x, g, t, n, p, q, c, at) / static_cast<double>(places);
                });
                return Arrays{y};
              },
          .variants = image_variants({}, {}),
          .bad_calls = {{[g] { average_pool(Var(Tensor::zeros(kSmall, DType::kF32)), g); },
                         {"average_pool", kSmall.to_string()}}}};
}

OpCase average_grad_case(const Window& w, const Shape& image) {
  const PoolGeometry g = w.geometry;
  return {.name = "average_pool_grad_" + w.name,
          .f = [=](const Vars& gy) { return Vars{average_pool_grad(gy[0], image, g)}; },
          .oracle =
              [=](const Arrays& in) {
                Array x(image);
                const std::int64_t places = g.window_h * g.window_w;
                for_each_output(in[0].shape, [&](auto t, auto n, auto p, auto q, auto c) {
                  for (std::int64_t at = 0; at < places; ++at)
                    window_element(x, g, t, n, p, q, c, at) += in[0](t, n, p, q, c) / static_cast<double>(places);
                });
                return Arrays{x};
              },
          .variants = {{{{pool_shape(image, g)}}}},
          .bad_calls = {{[g] {
                           average_pool_grad(Var(Tensor::zeros({1, 1, 1, 1, 1}, DType::kF32)), {1, 1, 6, 6, 1}, g);
                         },
                         {"average_pool_grad", "[1, 1, 6, 6, 1]", "[1, 1, 1, 1, 1]"}}}};
}

}  // namespace

std::vector<OpCase> pool_cases() {
  std::vector<OpCase> cases;
  for (const Window& w : windows()) {
    cases.push_back(max_case(w));
    cases.push_back(gather_case(w));
    cases.push_back(scatter_case(w, {2, 2, 5, 7, 2}, 3));
    cases.push_back(scatter_case(w, {2, 3, 9, 8, 19}, 1));
    cases.push_back(average_case(w));
    cases.push_back(average_grad_case(w, {2, 2, 5, 7, 2}));
  }
  cases.push_back({.name = "global_average_pool",
                   .f = [](const Vars& x) { return Vars{global_average_pool(x[0])}; },
                   .oracle =
                       [](const Arrays& in) {
                         const Array& x = in[0];
                         Array y(Shape{x.shape[0], x.shape[1], x.shape[4]});
                         const double share = 1 / static_cast<double>(x.shape[2] * x.shape[3]);
                         for_each_output(x.shape, [&](auto t, auto n, auto p, auto q, auto c) {
                           y(t, n, c) += share * x(t, n, p, q, c);
                         });
                         return Arrays{y};
                       },
                   .variants = image_variants({}, {}),
                   .bad_calls = {{[] {
                                    global_average_pool(Var(Tensor::zeros({2, 3}, DType::kF32)));
                                  },
                                  {"global_average_pool", "[2, 3]"}}}});
  return cases;
}

}  // namespace innerloop::test
