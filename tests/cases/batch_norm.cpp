// Cases of the norms that are compositions, and of adaptive pooling.
#include "autograd/ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/adaptive_pool.h"
#include "cases/op_case.h"
#include "cases/zeros.h"
#include "support/oracles.h"

namespace innerloop::test {
namespace {

using namespace autograd;

constexpr double kEpsilon = 1e-3;

struct Moments {
  Array mean, variance;
};

Moments moments(const Array& x) {
  const Shape& s = x.shape;
  const double share = 1 / static_cast<double>(s[1] * s[2] * s[3]);
  Moments m{Array(Shape{s[0], s[4]}), Array(Shape{s[0], s[4]})};
  for_each_output(s, [&](auto t, auto n, auto p, auto q, auto c) { m.mean(t, c) += share * x(t, n, p, q, c); });
  for_each_output(s, [&](auto t, auto n, auto p, auto q, auto c) {
    const double away = x(t, n, p, q, c) - m.mean(t, c);
    m.variance(t, c) += share * away * away;
  });
  return m;
}

Array normalized(const Array& x, const Array& mean, const Array& variance, const Array& gamma, const Array& beta) {
  Array y = x;
  for_each_output(x.shape, [&](auto t, auto n, auto p, auto q, auto c) {
    y(t, n, p, q, c) = gamma(task_of(gamma, t), c) * (x(t, n, p, q, c) - mean(task_of(mean, t), c)) /
                           std::sqrt(variance(task_of(variance, t), c) + kEpsilon) +
                       beta(task_of(beta, t), c);
  });
  return y;
}

OpCase response_case(std::string name, ResponseNormOptions o) {
  return {.name = std::move(name),
          .f = [o](const Vars& x) { return Vars{response_norm(x[0], o)}; },
          .oracle =
              [o](const Arrays& in) {
                const Array& x = in[0];
                Array y = x;
                const std::int64_t channels = x.shape[4], reach = o.channels / 2;
                for_each_output(x.shape, [&](auto t, auto n, auto p, auto q, auto c) {
                  double energy = 0;
                  for (std::int64_t j = 0; j < channels; ++j)
                    if (j >= c - reach && j <= c + reach) energy += x(t, n, p, q, j) * x(t, n, p, q, j);
                  y(t, n, p, q, c) /= std::pow(o.bias + o.scale * energy, o.power);
                });
                return Arrays{y};
              },
          .variants = {{{{{2, 1, 2, 1, 7}}}}, {{{{1, 1, 1, 1, 1}}}}, {{{{1, 2, 2, 2, 3}}}}, {{{{2, 2, 5, 3, 33}}}, 1}},
          .bad_calls = {{[] {
                           response_norm(zeros({2, 3}), {.channels = 0});
                         },
                         {"response_norm", "0 channels"}},
                        {[] {
                           response_norm(zeros({2, 0}), {});
                         },
                         {"response_norm", "[2, 0]"}}}};
}

OpCase adaptive_case(std::int64_t rows, std::int64_t columns, std::vector<Variant> variants) {
  return {
      .name = "adaptive_average_pool_" + std::to_string(rows) + "x" + std::to_string(columns),
      .f = [=](const Vars& x) { return Vars{adaptive_average_pool(x[0], rows, columns)}; },
      .oracle =
          [=](const Arrays& in) {
            const Array& x = in[0];
            const Shape& s = x.shape;
            Array y(Shape{s[0], s[1], rows, columns, s[4]});
            const auto low = [](std::int64_t p, std::int64_t size, std::int64_t out) {
              return static_cast<std::int64_t>(std::floor(static_cast<double>(p * size) / static_cast<double>(out)));
            };
            const auto high = [](std::int64_t p, std::int64_t size, std::int64_t out) {
              return static_cast<std::int64_t>(
                  std::ceil(static_cast<double>((p + 1) * size) / static_cast<double>(out)));
            };
            for_each_output(y.shape, [&](auto t, auto n, auto p, auto q, auto c) {
              double sum = 0, count = 0;
              for (std::int64_t i = low(p, s[2], rows); i < high(p, s[2], rows); ++i)
                for (std::int64_t j = low(q, s[3], columns); j < high(q, s[3], columns); ++j, ++count)
                  sum += x(t, n, i, j, c);
              y(t, n, p, q, c) = sum / count;
            });
            return Arrays{y};
          },
      .variants = std::move(variants),
      .bad_calls = {{[=] {
                       adaptive_average_pool(zeros({1, 1, rows - 1, columns, 1}), rows, columns);
                     },
                     {"adaptive_average_pool", Shape{1, 1, rows - 1, columns, 1}.to_string()}}}};
}

}  // namespace

std::vector<OpCase> batch_norm_cases() {
  const Range spread{0.5, 2};
  std::vector<OpCase> cases;
  cases.push_back({.name = "batch_norm",
                   .f =
                       [](const Vars& x) {
                         const BatchNormResult r = batch_norm(x[0], x[1], x[2], kEpsilon);
                         return Vars{r.y, r.mean, r.variance};
                       },
                   .oracle =
                       [](const Arrays& in) {
                         const Moments m = moments(in[0]);
                         return Arrays{normalized(in[0], m.mean, m.variance, in[1], in[2]), m.mean, m.variance};
                       },
                   .variants = {{{{{2, 2, 2, 2, 2}}, {{2, 2}}, {{1, 2}}}},
                                {{{{1, 3, 1, 2, 1}}, {{1, 1}}, {{1, 1}}}},
                                {{{{2, 3, 5, 7, 17}}, {{1, 17}}, {{1, 17}}}, 1}},
                   .bad_calls = {{[] {
                                    batch_norm(zeros({1, 2, 2, 2, 3}), zeros({1, 2}), zeros({1, 3}), 1e-3);
                                  },
                                  {"batch_norm", "gamma", "[1, 2]", "[1, 2, 2, 2, 3]"}}}});
  cases.push_back({.name = "batch_norm_with",
                   .f = [](const Vars& x) { return Vars{batch_norm_with(x[0], x[1], x[2], x[3], x[4], kEpsilon)}; },
                   .oracle = [](const Arrays& in) { return Arrays{normalized(in[0], in[1], in[2], in[3], in[4])}; },
                   .variants = {{{{{2, 1, 2, 2, 2}}, {{2, 2}}, {{1, 2}, spread}, {{1, 2}}, {{2, 2}}}},
                                {{{{1, 3, 5, 7, 17}}, {{1, 17}}, {{1, 17}, spread}, {{1, 17}}, {{1, 17}}}, 1}},
                   .bad_calls = {{[] {
                                    batch_norm_with(zeros({1, 2, 2, 2, 3}), zeros({1, 3}), zeros({1, 4}), zeros({1, 3}),
                                                    zeros({1, 3}), 1e-3);
                                  },
                                  {"batch_norm", "variance", "[1, 4]", "[1, 2, 2, 2, 3]"}}}});
  cases.push_back(response_case("response_norm", {.channels = 5, .bias = 2, .scale = 0.3, .power = 0.75}));
  cases.push_back(response_case("response_norm_of_three", {.channels = 3, .bias = 1, .scale = 0.5, .power = 1.25}));
  cases.push_back(adaptive_case(2, 3, {{{{{2, 1, 5, 7, 2}}}}, {{{{1, 2, 2, 3, 1}}}}, {{{{1, 1, 4, 6, 2}}}}}));
  cases.push_back(adaptive_case(5, 4, {{{{{2, 3, 13, 9, 11}}}, 1}, {{{{1, 1, 10, 8, 3}}}, 1}}));
  return cases;
}

}  // namespace innerloop::test
