#include "autograd/ops/alias.h"

#include "autograd/op.h"

namespace innerloop::autograd {
namespace {

// y = x; gx = gy; ty = tx.
class Alias final : public Op {
 public:
  std::string_view name() const override { return "alias"; }
  std::vector<Tensor> forward(std::span<const Tensor> in) const override { return {in[0]}; }
  Vars vjp(const Call&, const Vars& gy) const override { return gy; }
  Vars jvp(const Call&, const Vars& tx) const override { return tx; }
  Keep keep() const override { return {.inputs = 0}; }
};

}  // namespace

Var alias(const Var& x) {
  if (!x.tracked()) return variable(x.value());
  RecordScope on(true);
  return apply_op_one(std::make_shared<Alias>(), {x});
}

}  // namespace innerloop::autograd
