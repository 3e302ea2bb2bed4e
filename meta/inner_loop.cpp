#include "meta/inner_loop.h"

#include "autograd/transforms.h"
#include "kernels/update_lists.h"
#include "meta/views.h"

namespace innerloop::meta {

using autograd::Record;
using autograd::Vars;

std::vector<Tensor> for_each_task(const std::vector<Tensor>& params, std::int64_t tasks) {
  std::vector<Tensor> out;
  std::vector<ConstView> from;
  std::vector<View> to;
  for (const Tensor& p : params) {
    out.push_back(p.shape()[0] == tasks ? p : Tensor::empty(p.shape().with(0, tasks), p.dtype()));
    if (p.shape()[0] == tasks) continue;
    from.push_back(p.view());
    to.push_back(out.back().mutable_view());
  }
  kernels::run(kernels::RepeatList{from, to}, Context::current());
  return out;
}

std::vector<Tensor> adapt(const nn::ConvNet& net, const std::vector<Tensor>& params, const Tensor& support_x,
                          const Tensor& support_y, const InnerOptions& options, std::vector<Tensor>* losses) {
  std::vector<Tensor> theta = for_each_task(params, support_x.shape()[0]);
  const nn::Images support = net.images(support_x);
  for (int k = 0; k < options.steps; ++k) {
    Vars at;
    for (const Tensor& p : theta) at.push_back(autograd::variable(p));
    const nn::ParameterStep step = net.step(at, support, support_y, options.loss, options.rate, Record::kValues);
    if (losses != nullptr) losses->push_back(step.loss);
    theta = autograd::values(step.next);
  }
  return theta;
}

}  // namespace innerloop::meta
