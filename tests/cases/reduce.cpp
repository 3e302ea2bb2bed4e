#include "autograd/ops/reduce.h"

#include "cases/op_case.h"

namespace innerloop::test {
namespace {

using namespace autograd;

/// x [.., rank 3] summed over the marked axes, which keep extent 1, times `factor`.
Array sum3(const Array& x, bool a, bool b, bool c, double factor = 1) {
  Array y(Shape{a ? 1 : x.shape[0], b ? 1 : x.shape[1], c ? 1 : x.shape[2]});
  for (std::int64_t i = 0; i < x.shape[0]; ++i)
    for (std::int64_t j = 0; j < x.shape[1]; ++j)
      for (std::int64_t k = 0; k < x.shape[2]; ++k) y(a ? 0 : i, b ? 0 : j, c ? 0 : k) += factor * x(i, j, k);
  return y;
}

Array renamed(Array x, const Shape& shape) {
  x.shape = shape;
  return x;
}

std::vector<Variant> rank3() { return {{{{{2, 3, 4}}}}, {{{{1, 1, 1}}}}, {{{{3, 1, 5}}}}, {{{{9, 65, 121}}}, 1}}; }

OpCase sum_to_case(std::string name, const Shape& from, const Shape& to, bool a, bool b, bool c) {
  return {.name = std::move(name),
          .f = [to](const Vars& x) { return Vars{sum_to(x[0], to)}; },
          .oracle = [=](const Arrays& x) { return Arrays{renamed(sum3(x[0], a, b, c), to)}; },
          .variants = {{{{from}}}},
          .bad_calls = {{[=] {
                           sum_to(Var(Tensor::zeros(from, DType::kF32)), {5, 5});
                         },
                         {"sum_to", from.to_string(), "[5, 5]"}}}};
}

OpCase broadcast_case(std::string name, const Shape& from, const Shape& to) {
  return {.name = std::move(name),
          .f = [to](const Vars& x) { return Vars{broadcast_to(x[0], to)}; },
          .oracle =
              [to](const Arrays& x) {
                // `to` has rank 3; x aligned at the end.
                Array y(to);
                const Shape& s = x[0].shape;
                const auto extent = [&](int axis) { return axis <= s.rank() ? s[-axis] : 1; };
                const Array from3 = renamed(x[0], {extent(3), extent(2), extent(1)});
                for (std::int64_t i = 0; i < to[0]; ++i)
                  for (std::int64_t j = 0; j < to[1]; ++j)
                    for (std::int64_t k = 0; k < to[2]; ++k)
                      y(i, j, k) = from3(extent(3) == 1 ? 0 : i, extent(2) == 1 ? 0 : j, extent(1) == 1 ? 0 : k);
                return Arrays{y};
              },
          .variants = {{{{from}}}},
          .bad_calls = {{[to] { broadcast_to(Var(Tensor::zeros({9}, DType::kF32)), to); },
                         {"broadcast_to", "[9]", to.to_string()}}}};
}

}  // namespace

std::vector<OpCase> reduce_cases() {
  const auto bad_axis = [](auto op) { return [op] { op(Var(Tensor::zeros({2, 3}, DType::kF32))); }; };
  return {
      {.name = "sum_middle",
       .f = [](const Vars& x) { return Vars{sum(x[0], {1})}; },
       .oracle = [](const Arrays& x) { return Arrays{sum3(x[0], false, true, false)}; },
       .variants = rank3(),
       .bad_calls = {{bad_axis([](const Var& x) { sum(x, {2}); }), {"sum", "[2, 3]", "2"}}}},
      {.name = "sum_outer",
       .f =
           [](const Vars& x) {
             return Vars{sum(x[0], {0, -1})};
           },
       .oracle = [](const Arrays& x) { return Arrays{sum3(x[0], true, false, true)}; },
       .variants = rank3()},
      {.name = "sum_leading",
       .f =
           [](const Vars& x) {
             return Vars{sum(x[0], {0, 1})};
           },
       .oracle = [](const Arrays& x) { return Arrays{sum3(x[0], true, true, false)}; },
       .variants = rank3()},
      {.name = "sum_all",
       .f = [](const Vars& x) { return Vars{sum_all(x[0])}; },
       .oracle = [](const Arrays& x) { return Arrays{renamed(sum3(x[0], true, true, true), {})}; },
       .variants = {{{{{2, 3, 4}}}}, {{{{1, 1, 1}}}}, {{{{0, 2, 3}}}}, {{{{9, 65, 121}}}, 1}}},
      {.name = "mean_last",
       .f = [](const Vars& x) { return Vars{mean(x[0], {-1})}; },
       .oracle =
           [](const Arrays& x) {
             return Arrays{sum3(x[0], false, false, true, 1.0 / static_cast<double>(x[0].shape[2]))};
           },
       .variants = rank3(),
       .bad_calls = {{bad_axis([](const Var& x) { mean(x, {-3}); }), {"mean", "[2, 3]", "-3"}}}},
      sum_to_case("sum_to_inner", {2, 3, 4}, {2, 3, 1}, false, false, true),
      sum_to_case("sum_to_fewer_axes", {2, 3, 4}, {3, 4}, true, false, false),
      sum_to_case("sum_to_last_axis", {2, 3, 4}, {4}, true, true, false),
      sum_to_case("sum_to_itself", {2, 3, 4}, {2, 3, 4}, false, false, false),
      broadcast_case("broadcast_to_leading", {4}, {2, 3, 4}),
      broadcast_case("broadcast_to_inner", {2, 1, 4}, {2, 3, 4}),
      broadcast_case("broadcast_to_all", {}, {2, 3, 2}),
      broadcast_case("broadcast_to_both", {3, 1}, {2, 3, 5}),
      {.name = "reshape",
       .f =
           [](const Vars& x) {
             return Vars{reshape(x[0], {x[0].shape()[0] * x[0].shape()[1], x[0].shape()[2]})};
           },
       .oracle =
           [](const Arrays& x) {
             return Arrays{renamed(x[0], {x[0].shape[0] * x[0].shape[1], x[0].shape[2]})};
           },
       .variants = {{{{{2, 3, 4}}}}, {{{{1, 1, 1}}}}, {{{{2, 0, 3}}}}},
       .bad_calls = {{[] {
                        reshape(Var(Tensor::zeros({2, 3}, DType::kF32)), {5});
                      },
                      {"reshape", "[2, 3]", "[5]"}}}},
  };
}

}  // namespace innerloop::test
