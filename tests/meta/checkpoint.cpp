#include "meta/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "fixtures.h"
#include "io/safetensors.h"
#include "meta/from_config.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using io::TempFolder;
using test::throws_with;

Checkpoint sample() {
  Checkpoint c;
  c.config = test::tiny_config();
  c.params = c.net().init(3);
  c.optimizer = init_optimizer(optimizer_options(c.config), c.params);
  c.optimizer.m[0].mutable_data<float>()[1] = 0.25f;
  c.optimizer.v[1].mutable_data<float>()[2] = 1e-30f;
  c.optimizer.step = 4;
  c.step = 5;
  c.best = {0.1 + 0.2, 4};
  c.data_hash = "abc";
  c.protocol["split"] = "by hand";
  return c;
}

TEST(Checkpoint, ComesBackToTheBit) {
  const TempFolder folder;
  const Checkpoint a = sample();
  save_checkpoint(folder.path("a.safetensors"), a);
  const Checkpoint b = load_checkpoint(folder.path("a.safetensors"));
  EXPECT_EQ(a.config, b.config);
  EXPECT_TRUE(test::same_bits(a.params, b.params));
  EXPECT_TRUE(test::same_bits(a.optimizer.m, b.optimizer.m));
  EXPECT_TRUE(test::same_bits(a.optimizer.v, b.optimizer.v));
  EXPECT_EQ(b.optimizer.step, 4);
  EXPECT_EQ(b.step, 5);
  EXPECT_EQ(b.best.accuracy, 0.1 + 0.2);
  EXPECT_EQ(b.best.step, 4);
  EXPECT_EQ(b.data_hash, "abc");
  EXPECT_EQ(b.protocol.at("split"), "by hand");
  save_checkpoint(folder.path("b.safetensors"), b);
  EXPECT_EQ(io::read_file(folder.path("a.safetensors")), io::read_file(folder.path("b.safetensors")));
}

TEST(Checkpoint, HoldsWhatTheContractSays) {
  const TempFolder folder;
  save_checkpoint(folder.path("a.safetensors"), sample());
  const io::TensorFile file = io::read_safetensors(folder.path("a.safetensors"));
  EXPECT_EQ(file.metadata.at("format"), "innerloop");
  EXPECT_EQ(file.at("block1.conv.weight").shape(), (Shape{3, 3, 1, 4}));
  EXPECT_EQ(file.at("block2.norm.scale").shape(), (Shape{4}));
  EXPECT_EQ(file.at("head.weight").shape(), (Shape{36, 3}));
  EXPECT_EQ(file.at("head.bias").shape(), (Shape{3}));
  EXPECT_EQ(file.at("optimizer.m.head.bias").shape(), (Shape{3}));
  io::Config config;
  io::apply_toml_text(config, file.metadata.at("config"), "config");
  EXPECT_EQ(config, test::tiny_config());
}

/// Loads a sample that `change` has tampered with.
void load_changed(const std::function<void(io::TensorFile&)>& change) {
  const TempFolder folder;
  const std::string path = folder.path("c.safetensors");
  save_checkpoint(path, sample());
  io::TensorFile file = io::read_safetensors(path);
  change(file);
  io::write_safetensors(path, file);
  load_checkpoint(path);
}

void replace(io::TensorFile& file, const std::string& name, const Tensor& tensor) {
  for (auto& [n, t] : file.tensors)
    if (n == name) t = tensor;
}

void erase(io::TensorFile& file, const std::string& name) {
  std::erase_if(file.tensors, [&](const auto& entry) { return entry.first == name; });
}

TEST(Checkpoint, ParametersAloneAreEnough) {
  EXPECT_NO_THROW(load_changed([](io::TensorFile& f) {
    std::erase_if(f.tensors, [](const auto& entry) { return entry.first.starts_with("optimizer."); });
    for (const char* key : {"step", "optimizer.step", "best_accuracy", "best_step", "data_hash", "protocol.split"})
      f.metadata.erase(key);
  }));
}

TEST(Checkpoint, NamesFileTensorFoundAndNeeded) {
  const auto says = [](const std::function<void(io::TensorFile&)>& change, std::vector<std::string> words) {
    words.push_back("c.safetensors");
    EXPECT_TRUE(throws_with([&] { load_changed(change); }, words));
  };
  says([](auto& f) { f.metadata["format"] = "other"; }, {"'other'", "innerloop"});
  says([](auto& f) { f.metadata["version"] = "9"; }, {"version 9", "version 1"});
  says([](auto& f) { f.metadata.erase("format"); }, {"no metadata 'format'"});
  says([](auto& f) { f.metadata.erase("config"); }, {"no metadata 'config'"});
  says([](auto& f) { f.metadata["config"] = "[model]\nfilterz = [1]"; }, {"filterz"});
  says([](auto& f) { f.metadata["step"] = "five"; }, {"'step'", "'five'"});
  says([](auto& f) { f.metadata["step"] = "-1"; }, {"-1"});
  says([](auto& f) { erase(f, "head.bias"); }, {"head.bias"});
  says([](auto& f) { erase(f, "optimizer.v.head.bias"); }, {"optimizer.v.head.bias"});
  says([](auto& f) { f.add("extra", Tensor::zeros({1}, DType::kF32)); }, {"'extra'"});
  says([](auto& f) { replace(f, "head.bias", Tensor::zeros({4}, DType::kF32)); }, {"'head.bias'", "[4]", "[3]"});
  says([](auto& f) { replace(f, "head.bias", Tensor::zeros({3}, DType::kF64)); }, {"'head.bias'", "f64", "f32"});
  says([](auto& f) { replace(f, "head.bias", Tensor::full({3}, DType::kF32, NAN)); }, {"'head.bias'", "not finite"});
  says([](auto& f) { replace(f, "optimizer.m.head.bias", Tensor::full({3}, DType::kF32, INFINITY)); },
       {"'optimizer.m.head.bias'", "not finite"});
}

TEST(Checkpoint, NeverWritesWhatIsNotFinite) {
  const TempFolder folder;
  const std::string path = folder.path("a.safetensors");
  Checkpoint c = sample();
  save_checkpoint(path, c);
  const std::string before = io::read_file(path);
  c.params[2] = c.params[2].clone();
  c.params[2].mutable_data<float>()[0] = NAN;
  EXPECT_TRUE(throws_with([&] { save_checkpoint(path, c); }, {"a.safetensors", "block1.norm.shift", "not finite"}));
  EXPECT_EQ(io::read_file(path), before);
}

}  // namespace
}  // namespace innerloop::meta
