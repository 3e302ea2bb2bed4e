#include "autograd/ops/matmul.h"

#include "cases/op_case.h"
#include "cases/zeros.h"

namespace innerloop::test {
namespace {

using namespace autograd;

Array product_oracle(const Array& a, const Array& b, Transpose ta, Transpose tb) {
  const bool flip_a = ta == Transpose::kYes, flip_b = tb == Transpose::kYes;
  const std::int64_t tasks = std::max(a.shape[0], b.shape[0]);
  const std::int64_t rows = a.shape[flip_a ? 2 : 1], inner = a.shape[flip_a ? 1 : 2], columns = b.shape[flip_b ? 1 : 2];
  Array c(Shape{tasks, rows, columns});
  for (std::int64_t t = 0; t < tasks; ++t)
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j)
        for (std::int64_t k = 0; k < inner; ++k)
          c(t, i, j) += (flip_a ? a(task_of(a, t), k, i) : a(task_of(a, t), i, k)) *
                        (flip_b ? b(task_of(b, t), j, k) : b(task_of(b, t), k, j));
  return c;
}

OpCase matmul_case(std::string name, Transpose ta, Transpose tb) {
  const auto variant = [&](std::int64_t tasks_a, std::int64_t tasks_b, std::int64_t m, std::int64_t k, std::int64_t n,
                           int order = 3) {
    return Variant{{{ta == Transpose::kYes ? Shape{tasks_a, k, m} : Shape{tasks_a, m, k}},
                    {tb == Transpose::kYes ? Shape{tasks_b, n, k} : Shape{tasks_b, k, n}}},
                   order};
  };
  return {.name = std::move(name),
          .f = [=](const Vars& x) { return Vars{matmul(x[0], x[1], ta, tb)}; },
          .oracle = [=](const Arrays& x) { return Arrays{product_oracle(x[0], x[1], ta, tb)}; },
          .variants = {variant(2, 2, 3, 4, 5), variant(1, 1, 1, 1, 1), variant(3, 1, 2, 3, 2), variant(1, 3, 2, 3, 2),
                       variant(2, 2, 0, 3, 2), variant(2, 1, 17, 37, 29, 1), variant(1, 2, 65, 130, 5, 1)},
          .bad_calls = {{[=] {
                           matmul(zeros({2, 3, 4}), zeros({2, 5, 7}), ta, tb);
                         },
                         {"matmul", "[2, 3, 4]", "[2, 5, 7]"}},
                        {[=] {
                           matmul(zeros({2, 3, 3}), zeros({3, 3, 3}), ta, tb);
                         },
                         {"matmul", "[2, 3, 3]", "[3, 3, 3]"}},
                        {[=] {
                           matmul(zeros({3, 3}), zeros({3, 3, 3}), ta, tb);
                         },
                         {"matmul", "[3, 3]", "[3, 3, 3]"}},
                        {[=] {
                           matmul(zeros({1, 3, 3}), zeros({1, 3, 3}, DType::kF64), ta, tb);
                         },
                         {"matmul", "f32", "f64", "[1, 3, 3]"}}}};
}

}  // namespace

std::vector<OpCase> matmul_cases() {
  std::vector<OpCase> cases{matmul_case("matmul", Transpose::kNo, Transpose::kNo),
                            matmul_case("matmul_transposed_a", Transpose::kYes, Transpose::kNo),
                            matmul_case("matmul_transposed_b", Transpose::kNo, Transpose::kYes),
                            matmul_case("matmul_transposed_both", Transpose::kYes, Transpose::kYes)};
  cases.push_back({.name = "linear",
                   .f = [](const Vars& x) { return Vars{linear(x[0], x[1], x[2])}; },
                   .oracle =
                       [](const Arrays& x) {
                         Array y = product_oracle(x[0], x[1], Transpose::kNo, Transpose::kNo);
                         for (std::int64_t t = 0; t < y.shape[0]; ++t)
                           for (std::int64_t i = 0; i < y.shape[1]; ++i)
                             for (std::int64_t j = 0; j < y.shape[2]; ++j) y(t, i, j) += x[2](task_of(x[2], t), j);
                         return Arrays{y};
                       },
                   .variants = {{{{{2, 3, 4}}, {{2, 4, 5}}, {{2, 5}}}},
                                {{{{3, 2, 3}}, {{1, 3, 2}}, {{1, 2}}}},
                                {{{{1, 2, 3}}, {{3, 3, 2}}, {{3, 2}}}},
                                {{{{1, 1, 1}}, {{1, 1, 1}}, {{1, 1}}}}},
                   .bad_calls = {{[] {
                                    linear(zeros({1, 2, 3}), zeros({1, 3, 4}), zeros({1, 5}));
                                  },
                                  {"linear", "[1, 5]", "[1, 3, 4]"}},
                                 {[] {
                                    linear(zeros({1, 2, 3}), zeros({1, 3, 4}), zeros({4}));
                                  },
                                  {"linear", "[4]", "[1, 3, 4]"}}}});
  return cases;
}

}  // namespace innerloop::test
