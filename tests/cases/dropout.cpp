#include "autograd/ops/dropout.h"

#include "cases/op_case.h"
#include "tensor/philox.h"

namespace innerloop::test {

std::vector<OpCase> dropout_cases() {
  constexpr autograd::DropoutAddress kAddress{77, 5, 2};
  const auto with_rate = [=](std::string name, double rate) {
    OpCase c;
    c.name = std::move(name);
    c.f = [=](const Vars& x) { return Vars{autograd::dropout(x[0], rate, kAddress)}; };
    c.oracle = [=](const Arrays& in) {
      Array y = in[0];
      for (std::size_t i = 0; i < y.v.size(); ++i) {
        const auto block = static_cast<std::uint32_t>(i / 4);
        const PhiloxBlock words = random_block(kAddress.seed, Stream::kDropout, kAddress.step, kAddress.task, block);
        y.v[i] = uniform01(words.word[i % 4]) < rate ? 0 : y.v[i] / (1 - rate);
      }
      return Arrays{y};
    };
    c.variants = {{{{{2, 3, 5}}}}, {{{{1}}}}, {{{{0, 4}}}}, {{{{7, 301}}}, 1}};
    c.bad_calls = {{[] {
                      autograd::dropout(Var(Tensor::zeros({2, 3}, DType::kF32)), 1, {});
                    },
                    {"dropout", "[2, 3]", "rate 1"}},
                   {[] {
                      autograd::dropout(Var(Tensor::zeros({2, 3}, DType::kF32)), -0.5, {});
                    },
                    {"dropout", "-0.5"}}};
    return c;
  };
  return {with_rate("dropout", 0.4), with_rate("dropout_none", 0)};
}

}  // namespace innerloop::test
