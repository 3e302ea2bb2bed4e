#include "kernels/inner_step.h"

#include "kernels/temporary.h"
#include "kernels/update_lists.h"

namespace innerloop::kernels {
namespace {

void check_pair(std::string_view op, const char* name, const ConstView& from, const View& to) {
  IL_CHECK(from.data != nullptr && to.data != nullptr && from.shape == to.shape && from.dtype == to.dtype,
           "{}: {} is {} ({}) and what takes its place {} ({}); both are needed, of one shape and dtype", op, name,
           from.data == nullptr ? "absent" : from.shape.to_string(), name_of(from.dtype),
           to.data == nullptr ? "absent" : to.shape.to_string(), name_of(to.dtype));
}

/// to = from - rate * by, for parameters that are there.
struct Moves {
  ConstView from[3], by[3];
  View to[3];
  std::size_t count = 0;

  void add(const ConstView& parameter, const ConstView& gradient, const View& next) {
    if (!next) return;
    from[count] = parameter, by[count] = gradient, to[count++] = next;
  }
  void run_all(double rate, Context& context) const {
    run(SgdList{.rate = rate, .rate_from = {}, .theta = {from, count}, .grad = {by, count}, .out = {to, count}}, context);
  }
};

}  // namespace

void check(const ConvBlockStep& k) {
  check_pair(k.kName, "w", k.grad.w, k.grad.gw);
  if (k.next_gamma || k.grad.gamma) check_pair(k.kName, "gamma", k.grad.gamma, k.next_gamma);
  check_pair(k.kName, "beta", k.beta, k.next_beta);
}

void check(const ConvBlockStepJvp& k) {
  check_pair(k.kName, "tw", k.grad.tw, k.grad.tgw);
  if (k.grad.tggamma || k.grad.gamma) check_pair(k.kName, "tgamma", k.grad.tgamma, k.grad.tggamma);
  check_pair(k.kName, "tbeta", k.tbeta, k.grad.tgbeta);
}

void check(const HeadStep& k) {
  check(k.head);
  check_pair(k.kName, "w", k.head.w, k.head.gw);
  check_pair(k.kName, "bias", k.head.bias, k.head.gbias);
}

void check(const HeadStepJvp& k) {
  check(k.head);
  check_pair(k.kName, "tw", k.head.tw, k.head.tgw);
  check_pair(k.kName, "tbias", k.head.tbias, k.head.tgbias);
}

void compose(const ConvBlockStep& k, Context& context) {
  check(k);
  const Temporary gw(k.grad.gw.shape, k.grad.gw.dtype, context);
  ConvBlockGrad grad = k.grad;
  grad.gw = gw.view();
  run(grad, context);
  Moves moves;
  moves.add(grad.w, gw.view(), k.grad.gw);
  moves.add(grad.gamma, grad.ggamma, k.next_gamma);
  moves.add(k.beta, grad.gbeta, k.next_beta);
  moves.run_all(k.rate, context);
}

void compose(const ConvBlockStepJvp& k, Context& context) {
  check(k);
  const Temporary tgw(k.grad.tgw.shape, k.grad.tgw.dtype, context), tggamma(k.grad.tgbeta.shape, k.grad.tgbeta.dtype, context),
      tgbeta(k.grad.tgbeta.shape, k.grad.tgbeta.dtype, context);
  ConvBlockGradJvp grad = k.grad;
  grad.tgw = tgw.view(), grad.tggamma = tggamma.view(), grad.tgbeta = tgbeta.view();
  run(grad, context);
  Moves moves;
  moves.add(grad.tw, tgw.view(), k.grad.tgw);
  moves.add(grad.tgamma, tggamma.view(), k.grad.tggamma);
  moves.add(k.tbeta, tgbeta.view(), k.grad.tgbeta);
  moves.run_all(k.rate, context);
}

void compose(const HeadStep& k, Context& context) {
  check(k);
  const Temporary gw(k.head.gw.shape, k.head.gw.dtype, context), gbias(k.head.gbias.shape, k.head.gbias.dtype, context);
  HeadLoss head = k.head;
  head.gw = gw.view(), head.gbias = gbias.view();
  run(head, context);
  Moves moves;
  moves.add(head.w, gw.view(), k.head.gw);
  moves.add(head.bias, gbias.view(), k.head.gbias);
  moves.run_all(k.rate, context);
}

void compose(const HeadStepJvp& k, Context& context) {
  check(k);
  const Temporary tgw(k.head.tgw.shape, k.head.tgw.dtype, context), tgbias(k.head.tgbias.shape, k.head.tgbias.dtype, context);
  HeadLossJvp head = k.head;
  head.tgw = tgw.view(), head.tgbias = tgbias.view();
  run(head, context);
  Moves moves;
  moves.add(head.tw, tgw.view(), k.head.tgw);
  moves.add(head.tbias, tgbias.view(), k.head.tgbias);
  moves.run_all(k.rate, context);
}

}  // namespace innerloop::kernels
