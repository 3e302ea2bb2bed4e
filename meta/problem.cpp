#include "meta/problem.h"

#include <algorithm>

#include "io/safetensors.h"
#include "meta/checkpoint.h"
#include "meta/finite.h"
#include "meta/from_config.h"

namespace innerloop::meta {
namespace {

Tensor read_floating(const io::TensorFile& file, const std::string& name, DType dtype) {
  const Tensor& t = file.at(name);
  IL_CHECK(is_floating(t.dtype()), "{}: tensor '{}' is {}; f32 or f64 is needed", file.path, name, name_of(t.dtype()));
  IL_CHECK(all_finite(t), "{}: tensor '{}' holds a value that is not finite; give finite values", file.path, name);
  return t.to_context().to(dtype);
}

Tensor read_images(const io::TensorFile& file, const std::string& name, DType dtype) {
  Tensor t = read_floating(file, name, dtype);
  IL_CHECK(t.shape().rank() == 5 && t.numel() > 0, "{}: tensor '{}' has shape {}; [tasks, images, H, W, C] is needed",
           file.path, name, t.shape().to_string());
  return t;
}

Tensor read_labels(const io::TensorFile& file, const std::string& name, const Shape& images, std::int64_t ways) {
  const Tensor& t = file.at(name);
  IL_CHECK(t.dtype() == DType::kI64 && t.shape() == (Shape{images[0], images[1]}),
           "{}: tensor '{}' is {} {}; labels i64 [{}, {}] are needed", file.path, name, name_of(t.dtype()),
           t.shape().to_string(), images[0], images[1]);
  for (const std::int64_t label : t.data<std::int64_t>())
    IL_CHECK(label >= 0 && label < ways,
             "{}: tensor '{}' holds the label {}; the head has {} outputs, so 0 to {} are possible", file.path, name,
             label, ways, ways - 1);
  return t.to_context();
}

io::Config read_config(const io::TensorFile& file) {
  const auto it = file.metadata.find("config");
  IL_CHECK(it != file.metadata.end(), "{}: no metadata 'config'; it has to hold the [model] and [inner] keys as TOML",
           file.path);
  io::Config config;
  try {
    io::apply_toml_text(config, it->second, "metadata 'config'");
  } catch (const UsageError& e) {
    fail("{}: {}", file.path, e.what());  // the file is at fault, not the command that names it
  }
  return config;
}

nn::ConvNet make_net(const io::TensorFile& file, io::Config config, const Shape& images, std::int64_t ways) {
  config.data.size = std::min(images[2], images[3]);  // the images' own side, for the checks that tie keys together
  nn::ConvNetOptions o = conv_net_options(config);
  o.height = images[2];
  o.width = images[3];
  o.channels = images[4];
  o.ways = ways;
  try {
    io::validate(config);
    return nn::ConvNet(o);
  } catch (const Error& e) {
    fail("{}: {}", file.path, e.what());
  }
}

/// A parameter that the network has no place for means that config and tensors speak of different networks. Other
/// tensors (an expected gradient, say) are the writer's own.
void check_no_strange_parameter(const io::TensorFile& file, const nn::ConvNet& net) {
  for (const auto& [name, tensor] : file.tensors) {
    const bool parameter = name.starts_with("block") || name.starts_with("head.");
    IL_CHECK(
        !parameter || std::ranges::find(net.names(), name) != net.names().end(),
        "{}: tensor '{}' is no parameter of the network of its config; check model.filters and model.norm_scale there, "
        "or leave the tensor out",
        file.path, name);
  }
}

}  // namespace

Problem load_problem(const std::string& path, DType dtype) {
  IL_CHECK(is_floating(dtype), "metagrad: dtype {}; f32 or f64 is needed", name_of(dtype));
  const io::TensorFile file = io::read_safetensors(path);
  const io::Config config = read_config(file);
  TaskBatch tasks;
  tasks.support_x = read_images(file, "support_x", dtype);
  tasks.query_x = read_images(file, "query_x", dtype);
  const Shape &s = tasks.support_x.shape(), &q = tasks.query_x.shape();
  IL_CHECK(s[0] == q[0] && s[2] == q[2] && s[3] == q[3] && s[4] == q[4],
           "{}: support_x {} and query_x {} differ in more than the number of images", path, s.to_string(),
           q.to_string());
  const Tensor& bias = file.at("head.bias");
  IL_CHECK(bias.shape().rank() == 1 && bias.numel() >= 1, "{}: tensor 'head.bias' has shape {}; [classes] is needed",
           path, bias.shape().to_string());
  const std::int64_t ways = bias.numel();
  tasks.support_y = read_labels(file, "support_y", s, ways);
  tasks.query_y = read_labels(file, "query_y", q, ways);
  Problem problem{make_net(file, config, s, ways), {}, tasks, meta_options(config)};
  check_no_strange_parameter(file, problem.net);
  for (std::size_t i = 0; i < problem.net.names().size(); ++i) {
    const std::string& name = problem.net.names()[i];
    const Tensor t = read_floating(file, name, dtype);
    IL_CHECK(t.shape() == problem.net.shapes()[i], "{}: tensor '{}' has shape {}; the network of its config needs {}",
             path, name, t.shape().to_string(), problem.net.shapes()[i].to_string());
    problem.params.push_back(with_task_axis(t));
  }
  return problem;
}

void save_problem_result(const std::string& path, const Problem& problem, const MetaResult& result) {
  io::TensorFile file;
  for (std::size_t i = 0; i < problem.net.names().size(); ++i)
    file.add(problem.net.names()[i], without_task_axis(result.gradient[i]));
  file.add("query_loss", result.query_loss);
  file.add("support_loss", support_loss_of(result));
  file.metadata["format"] = std::string("innerloop");
  io::write_safetensors(path, file);
}

}  // namespace innerloop::meta
