#include "meta/system_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "io/safetensors.h"
#include "meta/checkpoint.h"
#include "meta/finite.h"

namespace innerloop::meta {
namespace {

constexpr std::string_view kKind = "supervised", kBest = "best.", kM = "optimizer.m.", kV = "optimizer.v.",
                           kProtocol = "protocol.", kEnsemble = "ensemble";

/// The network of a stage: CovXNet's pretraining tells two classes apart.
nn::Classifier network_of(const SystemCheckpoint& c) {
  const auto ways = c.state.stage == Stage::kPretraining ? 2 : static_cast<std::int64_t>(c.classes.size());
  return nn::make_system(system_options(c.config, ways));
}

class Writer {
 public:
  Writer(const std::string& path, const nn::Classifier& network) : path_(path), network_(network) {}

  void tensor(const std::string& name, const Tensor& value) {
    IL_CHECK(all_finite(value), "{}: '{}' holds a value that is not finite; nothing was written", path_, name);
    file.add(name, without_task_axis(value));
  }
  void list(std::string_view prefix, const std::vector<Tensor>& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
      tensor(std::string(prefix) + network_.parameters()[i].name, values[i]);
  }
  void weights(std::string_view prefix, const Weights& w) {
    list(prefix, w.params);
    for (std::size_t i = 0; i < network_.norms().size(); ++i) {
      const std::string name = fmt::format("{}norm.{}.", prefix, network_.norms()[i].name);
      tensor(name + "mean", w.running.mean[i]);
      tensor(name + "variance", w.running.variance[i]);
    }
  }

  io::TensorFile file;

 private:
  const std::string& path_;
  const nn::Classifier& network_;
};

class Reader {
 public:
  Reader(const io::TensorFile& file, const nn::Classifier& network) : file_(file), network_(network) {}

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  Tensor tensor(const std::string& name, const Shape& shape) {
    const Tensor& t = file_.at(name);
    IL_CHECK(t.dtype() == DType::kF32 && t.shape() == shape,
             "{}: tensor '{}' is {} {}; the system of its config needs f32 {}", file_.path, name, name_of(t.dtype()),
             t.shape().to_string(), shape.to_string());
    IL_CHECK(all_finite(t),
             "{}: tensor '{}' holds a value that is not finite; the file is damaged: use an older checkpoint",
             file_.path, name);
    read_.insert(name);
    return with_task_axis(t);
  }
  std::vector<Tensor> list(std::string_view prefix) {
    std::vector<Tensor> values;
    for (const nn::ParameterSpec& p : network_.parameters())
      values.push_back(tensor(std::string(prefix) + p.name, p.shape));
    return values;
  }
  Weights weights(std::string_view prefix) {
    Weights w{list(prefix), {}};
    for (const nn::NormSpec& n : network_.norms()) {
      const std::string name = fmt::format("{}norm.{}.", prefix, n.name);
      w.running.mean.push_back(tensor(name + "mean", {n.channels}));
      w.running.variance.push_back(tensor(name + "variance", {n.channels}));
    }
    return w;
  }
  std::string bytes(const std::string& name) {
    const Tensor& t = file_.at(name);
    IL_CHECK(t.dtype() == DType::kU8, "{}: tensor '{}' is {}; u8 is needed", file_.path, name, name_of(t.dtype()));
    read_.insert(name);
    const auto data = t.data<std::uint8_t>();
    return {data.begin(), data.end()};
  }
  void check_all_read() const {
    for (const auto& [name, tensor] : file_.tensors)
      IL_CHECK(read_.contains(name), "{}: tensor '{}' belongs to nothing of the system of its config", file_.path,
               name);
  }

 private:
  const io::TensorFile& file_;
  const nn::Classifier& network_;
  std::set<std::string> read_;
};

const std::string& metadata(const io::TensorFile& file, const std::string& key) {
  const auto it = file.metadata.find(key);
  IL_CHECK(it != file.metadata.end(), "{}: no metadata '{}', so this is no checkpoint of a comparison system",
           file.path, key);
  return it->second;
}

template <class T>
T number(const io::TensorFile& file, const std::string& key) {
  const std::string& text = metadata(file, key);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  IL_CHECK(error == std::errc() && end == text.data() + text.size() && value >= 0,
           "{}: metadata '{}' is '{}', not a number from 0 on; the file is damaged", file.path, key, text);
  return value;
}

void write_metadata(io::TensorFile& file, const SystemCheckpoint& c, bool with_best) {
  auto& m = file.metadata;
  m["format"] = "innerloop";
  m["version"] = std::string(kCheckpointVersion);
  m["kind"] = std::string(kKind);
  m["config"] = io::to_toml(c.config);
  m["classes"] = std::to_string(c.classes.size());
  for (std::size_t i = 0; i < c.classes.size(); ++i) m[fmt::format("class.{}", i)] = c.classes[i];
  m["stage"] = c.state.stage == Stage::kPretraining ? "pretraining" : "training";
  m["pretrained"] = std::to_string(c.state.pretrained);
  m["step"] = std::to_string(c.state.fit.iteration);
  m["checks_without_gain"] = std::to_string(c.state.fit.checks_without_gain);
  if (with_best) {
    m["best_loss"] = fmt::format("{}", c.state.fit.best.loss);
    m["best_accuracy"] = fmt::format("{}", c.state.fit.best.accuracy);
    m["best_step"] = std::to_string(c.state.fit.best.iteration);
  }
  if (!c.data_hash.empty()) m["data_hash"] = c.data_hash;
  for (const auto& [key, text] : c.protocol) m[std::string(kProtocol) + key] = text;
}

void read_metadata(const io::TensorFile& file, SystemCheckpoint& c) {
  IL_CHECK(metadata(file, "format") == "innerloop" && metadata(file, "kind") == kKind,
           "{}: not the checkpoint of a comparison system", file.path);
  IL_CHECK(metadata(file, "version") == kCheckpointVersion,
           "{}: version {} of the format; this program reads version {}", file.path, metadata(file, "version"),
           kCheckpointVersion);
  try {
    io::apply_toml_text(c.config, metadata(file, "config"), "metadata 'config'");
    io::validate(c.config);
  } catch (const UsageError& e) {
    fail("{}: {}", file.path, e.what());  // the file is at fault, not the command that names it
  }
  const auto classes = number<std::int64_t>(file, "classes");
  IL_CHECK(classes >= 2 && classes <= 65536, "{}: metadata counts {} classes; the file is damaged", file.path, classes);
  for (std::int64_t i = 0; i < classes; ++i) c.classes.push_back(metadata(file, fmt::format("class.{}", i)));
  c.state.stage = metadata(file, "stage") == "pretraining" ? Stage::kPretraining : Stage::kTraining;
  c.state.pretrained = number<std::int64_t>(file, "pretrained");
  c.state.fit.iteration = number<std::int64_t>(file, "step");
  c.state.fit.checks_without_gain = number<std::int64_t>(file, "checks_without_gain");
  for (const auto& [key, text] : file.metadata) {
    if (key == "data_hash") c.data_hash = text;
    if (key.starts_with(kProtocol)) c.protocol[key.substr(kProtocol.size())] = text;
  }
}

}  // namespace

TrainedSystem SystemCheckpoint::system(const std::string& path) const {
  IL_CHECK(state.stage == Stage::kTraining,
           "{}: the run was stopped in its pretraining and cannot answer yet; go on with it by train --resume", path);
  TrainedSystem s;
  s.options = system_options(config, static_cast<std::int64_t>(classes.size()));
  s.classes = classes;
  s.weights = state.fit.best.weights.params.empty() ? state.fit.weights : state.fit.best.weights;
  s.ensemble = ensemble;
  IL_CHECK(ensemble != nullptr || s.options.system != nn::System::kEmcnet,
           "{}: the run was stopped before emcnet's classifiers were fitted; go on with it by train --resume", path);
  return s;
}

bool is_system_checkpoint(const std::string& path) {
  try {
    const io::TensorFile file = io::read_safetensors(path);
    const auto kind = file.metadata.find("kind");
    return kind != file.metadata.end() && kind->second == kKind;
  } catch (const Error&) {
    return false;
  }
}

void save_system(const std::string& path, const SystemCheckpoint& c, Holds holds) {
  const nn::Classifier network = network_of(c);
  const FitState& fit = c.state.fit;
  const bool best = !fit.best.weights.params.empty();
  Writer writer(path, network);
  writer.weights("", holds == Holds::kSystem && best ? fit.best.weights : fit.weights);
  if (holds == Holds::kRun) {
    if (best) writer.weights(kBest, fit.best.weights);
    writer.list(kM, fit.optimizer.m);
    writer.list(kV, fit.optimizer.v);
  }
  if (c.ensemble != nullptr) {
    const std::string text = c.ensemble->save();
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    writer.file.add(std::string(kEnsemble), Tensor::from({static_cast<std::int64_t>(bytes.size())}, bytes));
  }
  write_metadata(writer.file, c, best);
  io::write_safetensors(path, writer.file);
}

SystemCheckpoint load_system(const std::string& path) {
  const io::TensorFile file = io::read_safetensors(path);
  SystemCheckpoint c;
  read_metadata(file, c);
  const nn::Classifier network = network_of(c);
  Reader reader(file, network);
  FitState& fit = c.state.fit;
  fit.weights = reader.weights("");
  const std::string& first = network.parameters().front().name;
  if (reader.has(std::string(kBest) + first)) fit.best.weights = reader.weights(kBest);
  if (file.metadata.contains("best_loss")) {
    fit.best.loss = number<double>(file, "best_loss");
    fit.best.accuracy = number<double>(file, "best_accuracy");
    fit.best.iteration = number<std::int64_t>(file, "best_step");
  }
  if (reader.has(std::string(kM) + first)) {
    fit.optimizer.m = reader.list(kM);
    fit.optimizer.v = reader.list(kV);
  }
  fit.optimizer.step = fit.iteration;
  if (reader.has(std::string(kEnsemble))) c.ensemble = Ensemble::load(reader.bytes(std::string(kEnsemble)), path);
  reader.check_all_read();
  return c;
}

}  // namespace innerloop::meta
