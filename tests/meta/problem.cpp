#include "meta/problem.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "fixtures.h"
#include "golden_file.h"
#include "io/safetensors.h"
#include "meta/checkpoint.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using test::throws_with;

std::string golden() { return golden_file("released"); }

Problem load_changed(const std::function<void(io::TensorFile&)>& change) {
  const io::TempFolder folder;
  io::TensorFile file = io::read_safetensors(golden());
  change(file);
  io::write_safetensors(folder.path("p.safetensors"), file);
  return load_problem(folder.path("p.safetensors"), DType::kF32);
}

Tensor& tensor(io::TensorFile& file, const std::string& name) {
  for (auto& [n, t] : file.tensors)
    if (n == name) return t;
  throw Error("no " + name);
}

TEST(Problem, TakesEverythingFromTheFile) {
  const Problem p = load_problem(golden(), DType::kF32);
  EXPECT_EQ(p.net.options().height, 18);
  EXPECT_EQ(p.net.options().width, 17);
  EXPECT_EQ(p.net.options().ways, 3);
  EXPECT_EQ(p.options.inner.steps, 3);
  EXPECT_EQ(p.options.inner.loss, LossReduction::kSum);
  EXPECT_EQ(p.params[0].dtype(), DType::kF32);
  EXPECT_EQ(load_problem(golden(), DType::kF64).params[0].dtype(), DType::kF64);
}

TEST(Problem, ResultHoldsTheGradientUnderTheParametersNames) {
  const io::TempFolder folder;
  const Problem p = load_problem(golden(), DType::kF64);
  const MetaResult r = meta_gradient(p.net, p.params, p.tasks, p.options);
  save_problem_result(folder.path("r.safetensors"), p, r);
  const io::TensorFile file = io::read_safetensors(folder.path("r.safetensors"));
  for (std::size_t i = 0; i < p.net.names().size(); ++i)
    EXPECT_TRUE(test::same_bits({with_task_axis(file.at(p.net.names()[i]))}, {r.gradient[i]}));
  EXPECT_EQ(file.at("query_loss").shape(), (Shape{2}));
  EXPECT_EQ(file.at("support_loss").shape(), (Shape{2, 3}));
}

TEST(Problem, NamesFileTensorAndRemedy) {
  const auto says = [](const std::function<void(io::TensorFile&)>& change, std::vector<std::string> words) {
    words.push_back("p.safetensors");
    EXPECT_TRUE(throws_with([&] { load_changed(change); }, words));
  };
  says([](auto& f) { f.metadata.clear(); }, {"no metadata 'config'"});
  says([](auto& f) { f.metadata["config"] += "colour = 3\n"; }, {"colour"});
  says([](auto& f) { tensor(f, "support_y").template mutable_data<std::int64_t>()[1] = 3; },
       {"'support_y'", "label 3"});
  says([](auto& f) { tensor(f, "query_y") = Tensor::zeros({2, 2}, DType::kI64); }, {"'query_y'", "[2, 3]"});
  says([](auto& f) { tensor(f, "query_x") = Tensor::zeros({2, 3, 18, 18, 1}, DType::kF32); }, {"support_x", "query_x"});
  says(
      [](auto& f) {
        tensor(f, "head.weight") = Tensor::zeros({5, 3}, DType::kF32);
      },
      {"'head.weight'", "[5, 3]", "[4, 3]"});
  says(
      [](auto& f) {
        tensor(f, "head.weight") = Tensor::full({4, 3}, DType::kF32, NAN);
      },
      {"'head.weight'", "not finite"});
}

}  // namespace
}  // namespace innerloop::meta
