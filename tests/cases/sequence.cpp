// Cases of the recurrent layers.
#include <cmath>

#include "autograd/ops/recurrent.h"
#include "cases/op_case.h"
#include "cases/zeros.h"

namespace innerloop::test {
namespace {

using namespace autograd;

/// Inputs of one cell: [F, U], [U, U], [U].
std::vector<Input> cell(std::int64_t tasks, std::int64_t features, std::int64_t units) {
  return {{{tasks, features, units}}, {{tasks, units, units}}, {{tasks, units}}};
}

std::vector<Input> with_cells(const Shape& x, std::int64_t tasks, std::int64_t units, int cells) {
  std::vector<Input> all{{x}};
  for (int i = 0; i < cells; ++i)
    for (const Input& in : cell(tasks, x[3], units)) all.push_back(in);
  return all;
}

/// x_l Wx + h Wh + b of unit u, with the weights at in[first ..].
double drive(const Arrays& in, std::size_t first, const Array& h, std::int64_t t, std::int64_t n, std::int64_t l,
             std::int64_t u) {
  const Array &x = in[0], &wx = in[first], &wh = in[first + 1], &b = in[first + 2];
  double sum = b(task_of(b, t), u);
  for (std::int64_t f = 0; f < x.shape[3]; ++f) sum += x(t, n, l, f) * wx(task_of(wx, t), f, u);
  for (std::int64_t v = 0; v < h.shape[2]; ++v) sum += h(t, n, v) * wh(task_of(wh, t), v, u);
  return sum;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

template <class Step>
Array run(const Arrays& in, std::int64_t units, Step step) {
  const Array& x = in[0];
  Array h(Shape{x.shape[0], x.shape[1], units}), c = h;
  for (std::int64_t l = 0; l < x.shape[2]; ++l) {
    Array next = h, memory = c;
    for (std::int64_t t = 0; t < x.shape[0]; ++t)
      for (std::int64_t n = 0; n < x.shape[1]; ++n)
        for (std::int64_t u = 0; u < units; ++u) next(t, n, u) = step(h, memory(t, n, u), t, n, l, u);
    h = next;
    c = memory;
  }
  return h;
}

LstmWeights lstm_weights(const Vars& x) {
  LstmWeights w;
  for (std::size_t g = 0; g < 4; ++g) w[g] = {x[3 * g + 1], x[3 * g + 2], x[3 * g + 3]};
  return w;
}

}  // namespace

std::vector<OpCase> sequence_cases() {
  std::vector<OpCase> cases;
  cases.push_back({.name = "take_step",
                   .f = [](const Vars& x) { return Vars{take_step(x[0], x[0].shape()[2] / 2)}; },
                   .oracle =
                       [](const Arrays& in) {
                         const Array& x = in[0];
                         Array y(Shape{x.shape[0], x.shape[1], x.shape[3]});
                         for (std::int64_t t = 0; t < y.shape[0]; ++t)
                           for (std::int64_t n = 0; n < y.shape[1]; ++n)
                             for (std::int64_t f = 0; f < y.shape[2]; ++f) y(t, n, f) = x(t, n, x.shape[2] / 2, f);
                         return Arrays{y};
                       },
                   .variants = {{{{{2, 3, 5, 2}}}}, {{{{1, 1, 1, 1}}}}, {{{{2, 1, 2, 3}}}}, {{{{2, 7, 49, 33}}}, 1}},
                   .bad_calls = {{[] {
                                    take_step(zeros({1, 2, 3, 4}), 3);
                                  },
                                  {"take_step", "step 3", "[1, 2, 3, 4]"}},
                                 {[] {
                                    take_step(zeros({2, 3}), 0);
                                  },
                                  {"take_step", "[2, 3]"}}}});
  cases.push_back({.name = "recurrent",
                   .f =
                       [](const Vars& x) {
                         return Vars{recurrent(x[0], {x[1], x[2], x[3]})};
                       },
                   .oracle =
                       [](const Arrays& in) {
                         return Arrays{
                             run(in, in[1].shape[2], [&](const Array& h, double&, auto t, auto n, auto l, auto u) {
                               return std::tanh(drive(in, 1, h, t, n, l, u));
                             })};
                       },
                   .variants = {{with_cells({2, 2, 3, 2}, 2, 2, 1)},
                                {with_cells({2, 1, 2, 1}, 1, 3, 1)},
                                {with_cells({1, 2, 1, 2}, 1, 2, 1)},
                                {with_cells({1, 3, 9, 17}, 1, 19, 1), 1}},
                   .bad_calls = {{[] {
                                    recurrent(zeros({1, 2, 3, 4}), {zeros({1, 5, 2}), zeros({1, 2, 2}), zeros({1, 2})});
                                  },
                                  {"recurrent", "[1, 2, 3, 4]", "[1, 5, 2]"}}}});
  cases.push_back(
      {.name = "lstm",
       .f = [](const Vars& x) { return Vars{lstm(x[0], lstm_weights(x))}; },
       .oracle =
           [](const Arrays& in) {
             return Arrays{run(in, in[1].shape[2], [&](const Array& h, double& c, auto t, auto n, auto l, auto u) {
               const double i = logistic(drive(in, 1, h, t, n, l, u)), f = logistic(drive(in, 4, h, t, n, l, u));
               c = f * c + i * std::tanh(drive(in, 7, h, t, n, l, u));
               return logistic(drive(in, 10, h, t, n, l, u)) * std::tanh(c);
             })};
           },
       .variants = {{with_cells({1, 2, 2, 2}, 1, 2, 4)},
                    {with_cells({2, 1, 3, 1}, 2, 1, 4), 2},
                    {with_cells({1, 3, 7, 5}, 1, 11, 4), 1}},
       .bad_calls = {{[] {
                        const RecurrentWeights w{zeros({1, 4, 2}), zeros({1, 3, 2}), zeros({1, 2})};
                        lstm(zeros({1, 2, 3, 4}), {w, w, w, w});
                      },
                      {"lstm", "[1, 2, 3, 4]", "[1, 3, 2]"}}}});
  return cases;
}

}  // namespace innerloop::test
