#include "autograd/ops/recurrent.h"

#include <vector>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

void check_sequence(const char* op, const Var& x, const RecurrentWeights& w) {
  const Shape &s = x.shape(), &in = w.input.shape(), &re = w.recurrent.shape(), &b = w.bias.shape();
  IL_CHECK(s.rank() == 4 && s[2] >= 1, "{}: shape {}; a sequence [T, N, L, F] is needed", op, s.to_string());
  IL_CHECK(in.rank() == 3 && in[1] == s[3] && re.rank() == 3 && re[1] == in[2] && re[2] == in[2] && b.rank() == 2 &&
               b[1] == in[2],
           "{}: weights {}, {} and bias {} for the shape {}; [T, F, U], [T, U, U] and [T, U] are needed", op,
           in.to_string(), re.to_string(), b.to_string(), s.to_string());
}

/// x_l Wx + b of all steps as one product: [T, N, L, U].
Var project(const Var& x, const RecurrentWeights& w) {
  const Shape& s = x.shape();
  const Var all = linear(reshape(x, {s[0], s[1] * s[2], s[3]}), w.input, w.bias);
  return reshape(all, {all.shape()[0], s[1], s[2], all.shape()[2]});
}

/// The sum before the activation at `step`; before the first step there is no hidden state.
Var drive(const Var& projected, const Var& h, const RecurrentWeights& w, std::int64_t step) {
  const Var in = take_step(projected, step);
  return h.defined() ? in + matmul(h, w.recurrent) : in;
}

}  // namespace

Var take_step(const Var& x, std::int64_t step) {
  const Shape& s = x.shape();
  IL_CHECK(s.rank() == 4 && step >= 0 && step < s[2], "take_step: step {} of the shape {}; [T, N, L, F] is needed",
           step, s.to_string());
  if (s[2] == 1) return reshape(x, {s[0], s[1], s[3]});
  // A product with a row of one 1: its adjoint puts the cotangent back in its place.
  std::vector<double> pick(static_cast<std::size_t>(s[2]), 0);
  pick[static_cast<std::size_t>(step)] = 1;
  const Var row = Tensor::from({1, 1, s[2]}, pick).to(x.dtype());
  return reshape(matmul(row, reshape(x, {s[0] * s[1], s[2], s[3]})), {s[0], s[1], s[3]});
}

Var recurrent(const Var& x, const RecurrentWeights& weights) {
  check_sequence("recurrent", x, weights);
  const Var projected = project(x, weights);
  Var h;
  for (std::int64_t l = 0; l < x.shape()[2]; ++l) h = tanh(drive(projected, h, weights, l));
  return h;
}

Var lstm(const Var& x, const LstmWeights& weights) {
  std::array<Var, 4> projected;
  for (std::size_t gate = 0; gate < 4; ++gate) {
    check_sequence("lstm", x, weights[gate]);
    projected[gate] = project(x, weights[gate]);
  }
  Var h, c;
  for (std::int64_t l = 0; l < x.shape()[2]; ++l) {
    const auto gate = [&](std::size_t g) { return drive(projected[g], h, weights[g], l); };
    const Var fresh = sigmoid(gate(0)) * tanh(gate(2));
    c = c.defined() ? sigmoid(gate(1)) * c + fresh : fresh;
    h = sigmoid(gate(3)) * tanh(c);
  }
  return h;
}

}  // namespace innerloop::autograd
