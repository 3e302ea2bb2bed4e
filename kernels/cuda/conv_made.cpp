#include "kernels/cuda/conv_made.h"

#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_spatial.h"
#include "kernels/cuda/environment_switch.h"
#include "kernels/temporary.h"

namespace innerloop::kernels::cuda {
namespace {

/// The two convolutions, with gy by its shape alone.
ConvInputGrad input_of(const ConvGradsMade& k) {
  const ConstView gy{nullptr, k.gy.y.dtype, k.gy.y.shape};
  return {k.geometry, {gy, k.tw ? gy : ConstView{}}, {k.w, k.tw}, k.gx};
}
ConvWeightGrad weight_of(const ConvGradsMade& k) {
  const ConstView gy{nullptr, k.gy.y.dtype, k.gy.y.shape};
  return {k.geometry, {k.x, k.tx}, {gy, k.tx ? gy : ConstView{}}, k.gw};
}

std::int64_t least_elements = std::int64_t{1} << 19;

EnvironmentSwitch& shared_blocks() {
  static EnvironmentSwitch one_block("IL_CUDA_ONE_BLOCK");
  return one_block;
}

bool pays(const ConvGradsMade& k) {
  return conv_engine() == ConvEngine::kOwn && k.gy.y.shape.numel() >= k.gy.y.shape[0] * least_elements && suits_made(k, conv_math());
}

bool aligned(const ConstView& v, std::uintptr_t to) { return reinterpret_cast<std::uintptr_t>(v.data) % to == 0; }

void run_here(const ConvGradsMade& k, Context& context) {
  if (const ConvGradsStep both{{input_of(k), weight_of(k)}, k.step}; one_block() && suits_one_block(both, context))
    return conv_spatial_one_block(both, k.gy, conv_math(), context);
  if (k.gx) conv_spatial(input_of(k), k.gy, conv_math(), context);
  conv_spatial(weight_of(k), k.step, k.gy, conv_math(), context);
}

IL_REGISTER_KERNEL(ConvGradsMade);

}  // namespace

std::int64_t least_made_elements() { return least_elements; }
void set_least_made_elements(std::int64_t elements) { least_elements = elements; }
bool one_block() { return shared_blocks().on(); }
void set_one_block(bool on) { shared_blocks().set(on); }

KernelCost cost_of(const ConvGradsMade& k) {
  const std::int64_t conv = conv_flops(k.x, k.w, k.gy.y), each = k.gy.tangent() ? 19 : 6;
  const std::int64_t products = (k.gx ? (k.tw ? 2 : 1) : 0) + (k.tx ? 2 : 1);
  return KernelCost{products * conv + each * elements_of(k.gy.y),
                    bytes_of(k.gy.y, k.gy.ty, k.gy.gp, k.gy.tgp, k.gy.choice, k.gy.constants) +
                        bytes_of(k.x, k.w, k.tx, k.tw, k.gx, k.gw)} +
         cost_of(k.step);
}

bool suits_made(const ConvGradsMade& k, ConvMath math) {
  const MadeGradient& g = k.gy;
  const auto whole = [&](const ConstView& v) { return v.shape.rank() == 0 || v.shape[0] == g.y.shape[0]; };
  return g.y && g.y.dtype == DType::kF32 && g.y.shape.numel() > 0 && whole(g.gp) && whole(g.choice) && whole(g.ty) && whole(g.tgp) &&
         aligned(g.y, 16) && aligned(g.ty, 16) && aligned(g.gp, 16) && aligned(g.tgp, 16) && aligned(g.choice, 4) &&
         (!k.step.from || aligned(k.step.from, 16)) && (!k.gx || suits_spatial(input_of(k), math)) && suits_spatial(weight_of(k), math);
}

bool run_made(const ConvBlockGrad& k, const WeightStep& weight, const NormStep& norm, Context& context) {
  ConvGradsMade made{.geometry = k.geometry, .gy = {k.pool, k.y, k.gp, k.choice, {}}, .x = k.x, .w = k.w, .tx = {}, .tw = {},
                     .gx = k.gx, .gw = k.gw, .step = weight};
  if (!pays(made)) return false;
  const Temporary constants({k.y.shape[0], kGradLines, k.y.shape[4]}, k.y.dtype, context);
  made.gy.constants = constants.view();
  run(NormGradSums{norm_of(k, {}), norm, constants.view()}, context);
  run(made, context);
  return true;
}

bool run_made(const ConvBlockGradJvp& k, const WeightStep& weight, const NormStep& norm, Context& context) {
  ConvGradsMade made{.geometry = k.geometry, .gy = {k.pool, k.y, k.gp, k.choice, {}, k.ty, k.tgp}, .x = k.x, .w = k.w, .tx = k.tx,
                     .tw = k.tgx ? k.tw : ConstView{}, .gx = k.tgx, .gw = k.tgw, .step = weight};
  if (!pays(made)) return false;
  const Temporary constants({k.y.shape[0], kTangentGradLines, k.y.shape[4]}, k.y.dtype, context);
  made.gy.constants = constants.view();
  NormGradJvpSums sums{norm_of(k, {}, {}), norm, constants.view()};
  if (weight.from) sums.grad.tggamma = sums.grad.tgbeta = {};  // the step takes their place
  run(sums, context);
  run(made, context);
  return true;
}

}  // namespace innerloop::kernels::cuda
