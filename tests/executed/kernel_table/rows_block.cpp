// Conv blocks forward, and their tangents, which keep what a gradient's sums read of y and ty (kernels/norm.h): the convolution
// with the moments that it leaves, and the norm that takes them. The rows of the convolution and of the norm alone are what a block
// moves without.
#include "kernels/conv_block.h"
#include "kernels/cuda/conv_stages.h"
#include "layers.h"
#include "tests/executed/math_scope.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

namespace cuda = kernels::cuda;

void add_block(TrafficTable& table, const Layer& layer) {
  const Shape pooled = layer.y().with(2, layer.side / 2).with(3, layer.side / 2), line{layer.tasks, layer.filters};
  const Tensor x = ones(layer.x()), w = ones(layer.w()), one = ones(line);
  Tensor y = ones(layer.y()), ty = ones(layer.y()), p = ones(pooled), choice = Tensor::zeros(pooled, DType::kU8);
  Tensor chosen = ones(pooled), tchosen = ones(pooled), mean = ones(line), rstd = ones(line), tmean = ones(line), trstd = ones(line);
  kernels::ConvBlockForward forward;
  forward.geometry = {.pad_top = 1, .pad_left = 1};
  forward.x = x.view(), forward.w = w.view(), forward.gamma = one.view(), forward.beta = one.view();
  forward.y = y.mutable_view(), forward.mean = mean.mutable_view(), forward.rstd = rstd.mutable_view();
  forward.p = p.mutable_view(), forward.choice = choice.mutable_view(), forward.chosen = chosen.mutable_view();
  // What decides a window comes back behind the statistics: as picks with their positions, or the maximum needs all of y once more.
  const kernels::ConvForward conv{forward.geometry, {x.view(), {}}, {w.view(), {}}, y.mutable_view()};
  const bool picked = cuda::leaves_picks(conv, cuda::moment_units(conv, cuda::conv_math()), kernels::Pool::kMax2x2, p.view(), choice.view());
  const std::uint64_t again = picked ? bytes({&chosen, &choice, &choice}) : bytes({&y});
  table.add("conv_block", layer.conv_text(), bytes({&x, &w, &y, &p, &choice, &chosen}) + again, forward);

  kernels::ConvBlockJvp tangent;
  tangent.geometry = forward.geometry;
  tangent.x = x.view(), tangent.w = w.view(), tangent.gamma = one.view(), tangent.y = y.view();
  tangent.mean = mean.view(), tangent.rstd = rstd.view(), tangent.choice = choice.view();
  tangent.tw = w.view(), tangent.tgamma = one.view(), tangent.tbeta = one.view();
  tangent.tp = p.mutable_view(), tangent.ty = ty.mutable_view();
  tangent.tmean = tmean.mutable_view(), tangent.trstd = trstd.mutable_view();
  tangent.chosen = chosen.view(), tangent.tchosen = tchosen.mutable_view();
  const bool inner = layer.number > 1;  // images have no tangent
  if (inner) tangent.tx = x.view();
  table.add("conv_block_jvp", layer.conv_text(),
            bytes({&x, &w, &w, &y, &ty, &choice, &p, &chosen, &tchosen}) + (picked ? bytes({&tchosen, &choice}) : bytes({&ty})) +
                (inner ? bytes({&x}) : 0),
            tangent);
}

}  // namespace

void add_blocks(TrafficTable& table) {
  const cuda::ConvMath saved = cuda::conv_math();
  cuda::set_conv_math(cuda::ConvMath::kTf32x3);
  for (const Layer& layer : kLayers) {
    const kernels::StagesScope stages(layer.staged());
    add_block(table, layer);
  }
  cuda::set_conv_math(saved);
}

}  // namespace innerloop::executed
