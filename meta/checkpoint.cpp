#include "meta/checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "io/safetensors.h"
#include "meta/finite.h"
#include "meta/from_config.h"

namespace innerloop::meta {
namespace {

constexpr std::string_view kFormat = "innerloop", kProtocol = "protocol.", kM = "optimizer.m.", kV = "optimizer.v.";

/// The shortest text that reads back to the same bits.
std::string print(double value) { return fmt::format("{}", value); }

template <class T>
T parse(const std::string& path, const std::string& key, const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  IL_CHECK(error == std::errc() && end == text.data() + text.size(),
           "{}: metadata '{}' is '{}', not a number; the file is damaged", path, key, text);
  return value;
}

const std::string& metadata(const io::TensorFile& file, const std::string& key) {
  const auto it = file.metadata.find(key);
  IL_CHECK(it != file.metadata.end(),
           "{}: no metadata '{}', so this is no checkpoint of innerloop; give the checkpoint.safetensors or "
           "best.safetensors of a run",
           file.path, key);
  return it->second;
}

/// The tensor of that name, checked, with its task axis.
Tensor read_tensor(const io::TensorFile& file, const std::string& name, const Shape& shape) {
  const Tensor& t = file.at(name);
  IL_CHECK(t.dtype() == DType::kF32, "{}: tensor '{}' is {}; a checkpoint holds f32", file.path, name,
           name_of(t.dtype()));
  IL_CHECK(t.shape() == shape, "{}: tensor '{}' has shape {}; the network of its config needs {}", file.path, name,
           t.shape().to_string(), shape.to_string());
  IL_CHECK(all_finite(t),
           "{}: tensor '{}' holds a value that is not finite; the file is damaged: use an older checkpoint", file.path,
           name);
  return with_task_axis(t);
}

/// Every tensor of the file has to be one that is read.
void check_names(const io::TensorFile& file, const std::vector<std::string>& names) {
  for (const auto& [name, tensor] : file.tensors) {
    std::string_view base = name;
    if (base.starts_with(kM))
      base.remove_prefix(kM.size());
    else if (base.starts_with(kV))
      base.remove_prefix(kV.size());
    bool known = false;
    for (const std::string& n : names) known |= n == base;
    IL_CHECK(known,
             "{}: tensor '{}' belongs to no parameter of the network of its config; the file's tensors and its "
             "config do not fit",
             file.path, name);
  }
}

void read_optimizer(const io::TensorFile& file, const nn::ConvNet& net, Checkpoint& checkpoint) {
  const std::vector<std::string>& names = net.names();
  std::size_t moments = 0;
  for (const auto& [name, tensor] : file.tensors) moments += name.starts_with(kM) || name.starts_with(kV) ? 1 : 0;
  if (moments == 0) return;
  for (std::size_t i = 0; i < names.size(); ++i) {
    checkpoint.optimizer.m.push_back(read_tensor(file, std::string(kM) + names[i], net.shapes()[i]));
    checkpoint.optimizer.v.push_back(read_tensor(file, std::string(kV) + names[i], net.shapes()[i]));
  }
}

void read_counters(const io::TensorFile& file, Checkpoint& c) {
  for (const auto& [key, text] : file.metadata) {
    if (key == "step")
      c.step = parse<std::int64_t>(file.path, key, text);
    else if (key == "optimizer.step")
      c.optimizer.step = parse<std::int64_t>(file.path, key, text);
    else if (key == "best_accuracy")
      c.best.accuracy = parse<double>(file.path, key, text);
    else if (key == "best_step")
      c.best.step = parse<std::int64_t>(file.path, key, text);
    else if (key == "data_hash")
      c.data_hash = text;
    else if (key.starts_with(kProtocol))
      c.protocol[key.substr(kProtocol.size())] = text;
  }
  IL_CHECK(c.step >= 0 && c.optimizer.step >= 0 && c.best.step >= 0,
           "{}: metadata counts {} meta-steps and {} updates; neither can be negative: the file is damaged", file.path,
           c.step, c.optimizer.step);
}

void add(io::TensorFile& file, const std::string& path, const std::string& name, const Tensor& tensor,
         const Shape& shape) {
  const Tensor t = without_task_axis(tensor);
  IL_CHECK(t.dtype() == DType::kF32 && t.shape() == shape, "{}: '{}' is {} {}; the network needs f32 {}", path, name,
           name_of(t.dtype()), t.shape().to_string(), shape.to_string());
  IL_CHECK(all_finite(t), "{}: '{}' holds a value that is not finite; nothing was written", path, name);
  file.add(name, t);
}

}  // namespace

Tensor with_task_axis(const Tensor& tensor) {
  Shape shape{1};
  for (int a = 0; a < tensor.shape().rank(); ++a) shape = shape.append(tensor.shape()[a]);
  return tensor.reshape(shape);
}

Tensor without_task_axis(const Tensor& tensor) {
  const Shape& s = tensor.shape();
  IL_CHECK(s.rank() >= 1 && s[0] == 1, "parameters: {} has no task axis of 1", s.to_string());
  Shape shape;
  for (int a = 1; a < s.rank(); ++a) shape = shape.append(s[a]);
  return tensor.reshape(shape);
}

nn::ConvNet Checkpoint::net() const { return nn::ConvNet(conv_net_options(config)); }

void save_checkpoint(const std::string& path, const Checkpoint& c) {
  const nn::ConvNet net = c.net();
  const std::vector<std::string>& names = net.names();
  IL_CHECK(c.params.size() == names.size(), "{}: {} parameters for a network with {}", path, c.params.size(),
           names.size());
  IL_CHECK(
      c.optimizer.m.size() == c.optimizer.v.size() && (c.optimizer.m.empty() || c.optimizer.m.size() == names.size()),
      "{}: {} and {} moments for {} parameters", path, c.optimizer.m.size(), c.optimizer.v.size(), names.size());
  io::TensorFile file;
  for (std::size_t i = 0; i < names.size(); ++i) add(file, path, names[i], c.params[i], net.shapes()[i]);
  for (std::size_t i = 0; i < c.optimizer.m.size(); ++i) {
    add(file, path, std::string(kM) + names[i], c.optimizer.m[i], net.shapes()[i]);
    add(file, path, std::string(kV) + names[i], c.optimizer.v[i], net.shapes()[i]);
  }
  file.metadata["format"] = std::string(kFormat);
  file.metadata["version"] = std::string(kCheckpointVersion);
  file.metadata["config"] = io::to_toml(c.config);
  file.metadata["step"] = std::to_string(c.step);
  file.metadata["optimizer.step"] = std::to_string(c.optimizer.step);
  if (std::isfinite(c.best.accuracy)) {
    file.metadata["best_accuracy"] = print(c.best.accuracy);
    file.metadata["best_step"] = std::to_string(c.best.step);
  }
  if (!c.data_hash.empty()) file.metadata["data_hash"] = c.data_hash;
  for (const auto& [key, text] : c.protocol) file.metadata[std::string(kProtocol) + key] = text;
  io::write_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::string& path) {
  const io::TensorFile file = io::read_safetensors(path);
  const std::string &format = metadata(file, "format"), &version = metadata(file, "version");
  IL_CHECK(format == kFormat, "{}: format is '{}'; a checkpoint of innerloop is needed", path, format);
  IL_CHECK(version == kCheckpointVersion, "{}: version {} of the format; this program reads version {}", path, version,
           kCheckpointVersion);
  Checkpoint c;
  try {
    io::apply_toml_text(c.config, metadata(file, "config"), "metadata 'config'");
    io::validate(c.config);
  } catch (const UsageError& e) {
    // The file is at fault, not the command that names it.
    fail("{}: {}", path, e.what());
  }
  const nn::ConvNet net = c.net();
  check_names(file, net.names());
  for (std::size_t i = 0; i < net.names().size(); ++i)
    c.params.push_back(read_tensor(file, net.names()[i], net.shapes()[i]));
  read_optimizer(file, net, c);
  read_counters(file, c);
  return c;
}

}  // namespace innerloop::meta
