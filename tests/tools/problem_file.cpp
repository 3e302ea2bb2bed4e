#include "tools/problem_file.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "meta/checkpoint.h"
#include "nn/conv_net.h"
#include "tensor/philox.h"

namespace innerloop::tools {
namespace {

Tensor images(std::int64_t count, std::uint32_t part) {
  Tensor x = Tensor::empty({2, count, 12, 12, 1}, DType::kF32);
  PhiloxSequence random(1, Stream::kCheck, part);
  for (float& value : x.mutable_data<float>()) value = random.uniform();
  return x;
}

Tensor labels(std::int64_t count) {
  Tensor y = Tensor::empty({2, count}, DType::kI64);
  std::int64_t i = 0;
  for (std::int64_t& label : y.mutable_data<std::int64_t>()) label = i++ % 3;
  return y;
}

}  // namespace

io::TensorFile problem_file(DType dtype, std::int64_t filters) {
  nn::ConvNetOptions options;
  options.filters = {filters, filters};
  options.height = options.width = 12;
  options.ways = 3;
  const nn::ConvNet net(options);
  const std::vector<Tensor> params = net.init(1);
  io::TensorFile file;
  for (std::size_t i = 0; i < params.size(); ++i)
    file.add(net.names()[i], meta::without_task_axis(params[i]).to(dtype));
  file.add("support_x", images(3, 0).to(dtype));
  file.add("support_y", labels(3));
  file.add("query_x", images(6, 1).to(dtype));
  file.add("query_y", labels(6));
  std::string config = kProblemConfig;
  config.replace(config.find("4, 4"), 4, fmt::format("{}, {}", filters, filters));
  file.metadata["config"] = config;
  return file;
}

}  // namespace innerloop::tools
