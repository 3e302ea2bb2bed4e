// metagrad: the numbers are those of the library, the files are those of the contract, and no bad problem passes.
#include <cmath>
#include <limits>

#include "meta/checkpoint.h"
#include "meta/problem.h"
#include "tools/problem_file.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

class Metagrad : public ::testing::Test {
 protected:
  Outcome run(const io::TensorFile& problem, const std::string& options) {
    io::write_safetensors(folder_.path("p.safetensors"), problem);
    return innerloop_in(folder_.path(), split("metagrad p.safetensors --out r.safetensors " + options));
  }
  io::TensorFile result() const { return io::read_safetensors(folder_.path("r.safetensors")); }

  /// The largest difference between two results' gradients, over the first one's largest value.
  static double distance(const io::TensorFile& a, const io::TensorFile& b) {
    double difference = 0, size = 0;
    for (const auto& [name, tensor] : a.tensors) {
      const Tensor& other = b.at(name);
      for (std::int64_t i = 0; i < tensor.numel(); ++i) {
        difference = std::max(difference, std::abs(tensor.item(i) - other.item(i)));
        size = std::max(size, std::abs(tensor.item(i)));
      }
    }
    return difference / size;
  }

  TempFolder folder_;
};

TEST_F(Metagrad, HoldsTheGradientUnderTheParametersNames) {
  const io::TensorFile problem = problem_file(DType::kF32);
  const Json json = run(problem, "--repeat 2 --threads 2 --json").json();
  const io::TensorFile r = result();
  double squares = 0;
  for (const auto& [name, tensor] : problem.tensors) {
    if (name.ends_with("_x") || name.ends_with("_y")) continue;
    ASSERT_EQ(r.at(name).shape(), tensor.shape()) << name;
    EXPECT_EQ(r.at(name).dtype(), DType::kF32);
    for (const float g : r.at(name).data<float>()) squares += static_cast<double>(g) * g;
  }
  EXPECT_EQ(r.at("query_loss").shape(), Shape({2}));
  EXPECT_EQ(r.at("support_loss").shape(), Shape({2, 2}));
  EXPECT_NEAR(json["loss"], (r.at("query_loss").item(0) + r.at("query_loss").item(1)) / 2, 1e-12);
  EXPECT_NEAR(json["grad_norm"], std::sqrt(squares), 1e-9);
  EXPECT_GT(squares, 0);
  EXPECT_LE(json["min_s"], json["median_s"]);
  EXPECT_GT(json["first_s"], 0);
  EXPECT_GT(json["peak_bytes"], 0);
  EXPECT_EQ(json["repeat"], 2);
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["precision"], "f32");
  EXPECT_EQ(json["method"], "mixed");
}

TEST_F(Metagrad, MemoryOfMixedModeDoesNotGrowLikeThatOfReverse) {
  const auto growth = [&](const std::string& options) {
    const auto peak = [&](const std::string& steps) {
      return run(problem_file(DType::kF32), "--threads 1 --json --steps " + steps + " " + options).json()["peak_bytes"].get<double>();
    };
    return peak("9") - peak("1");
  };
  const double mixed = growth("--method mixed");
  EXPECT_LT(2 * mixed, growth("--method reverse"));
  EXPECT_LT(2 * mixed, growth("--method mixed --keep-steps"));
}

TEST_F(Metagrad, IsTheLibrarysInEitherPrecision) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    ASSERT_EQ(run(problem_file(dtype), dtype == DType::kF64 ? "--dtype f64" : "--dtype f32").code, 0);
    const io::TensorFile r = result();
    const meta::Problem problem = meta::load_problem(folder_.path("p.safetensors"), dtype);
    const meta::MetaResult expected = meta::meta_gradient(problem.net, problem.params, problem.tasks, problem.options);
    for (std::size_t i = 0; i < expected.gradient.size(); ++i) {
      const Tensor& g = r.at(problem.net.names()[i]);
      EXPECT_EQ(g.dtype(), dtype);
      for (std::int64_t k = 0; k < g.numel(); ++k) ASSERT_EQ(g.item(k), expected.gradient[i].item(k));
    }
  }
}

TEST_F(Metagrad, ConvertsTensorsOfTheOtherPrecision) {
  ASSERT_EQ(run(problem_file(DType::kF64), "--dtype f64").code, 0);
  const io::TensorFile wide = result();
  ASSERT_EQ(run(problem_file(DType::kF32), "--dtype f64").code, 0);
  EXPECT_EQ(distance(wide, result()), 0);  // the fixture's float64 values are its float32 ones
  ASSERT_EQ(run(problem_file(DType::kF32), "--dtype f32").code, 0);
  const io::TensorFile narrow = result();
  ASSERT_EQ(run(problem_file(DType::kF64), "--dtype f32").code, 0);
  EXPECT_EQ(distance(narrow, result()), 0);
}

TEST_F(Metagrad, MethodsAgreeAndOrdersDiffer) {
  const io::TensorFile problem = problem_file(DType::kF64);
  ASSERT_EQ(run(problem, "--dtype f64").code, 0);
  const io::TensorFile mixed = result();
  EXPECT_EQ(run(problem, "--dtype f64 --method reverse --json").json()["method"], "reverse");
  EXPECT_LE(distance(mixed, result()), 1e-12);
  EXPECT_EQ(run(problem, "--dtype f64 --order 1 --json").json()["order"], 1);
  EXPECT_GT(distance(mixed, result()), 1e-3);
  ASSERT_EQ(run(problem, "--dtype f64 --keep-steps").code, 0);
  EXPECT_EQ(distance(mixed, result()), 0);
}

TEST_F(Metagrad, NoInnerStepsIsThePlainGradient) {
  EXPECT_EQ(run(problem_file(DType::kF32), "--steps 0 --json").json()["steps"], 0);
  EXPECT_EQ(result().at("support_loss").shape(), Shape({2, 0}));
}

TEST_F(Metagrad, FindsOutBeforeTheWorkWhereNoResultCanBe) {
  io::write_safetensors(folder_.path("p.safetensors"), problem_file(DType::kF32));
  const std::string before = io::read_file(folder_.path("p.safetensors"));
  const auto to = [&](const std::string& out) {
    return innerloop_in(folder_.path(), split("metagrad p.safetensors --repeat 1000000 --out " + out));
  };
  expect_error(to("none/r.safetensors"), 1, {"none/r.safetensors", "does not exist"});
  expect_error(to("./p.safetensors"), 2, {"./p.safetensors: is the input itself", "--out"});
  EXPECT_EQ(io::read_file(folder_.path("p.safetensors")), before);
}

TEST_F(Metagrad, RefusesBadProblems) {
  const auto refuse = [&](const std::function<void(io::TensorFile&)>& spoil, const std::vector<std::string>& parts) {
    io::TensorFile problem = problem_file(DType::kF32);
    spoil(problem);
    std::filesystem::remove(folder_.path("r.safetensors"));
    std::vector<std::string> all = parts;
    all.push_back("p.safetensors");
    expect_error(run(problem, ""), 1, all);
    EXPECT_FALSE(std::filesystem::exists(folder_.path("r.safetensors")));
  };
  const auto tensor = [](io::TensorFile& file, const std::string& name) -> Tensor& {
    for (auto& [its_name, its_tensor] : file.tensors)
      if (its_name == name) return its_tensor;
    throw Error("no " + name);
  };
  const auto erase = [](io::TensorFile& file, const std::string& name) {
    std::erase_if(file.tensors, [&](const auto& entry) { return entry.first == name; });
  };
  refuse([&](auto& f) { erase(f, "query_y"); }, {"query_y"});
  refuse([&](auto& f) { erase(f, "block2.norm.shift"); }, {"block2.norm.shift"});
  refuse([&](auto& f) { tensor(f, "head.weight") = Tensor::zeros({5, 3}, DType::kF32); }, {"head.weight", "[5, 3]"});
  refuse([&](auto& f) { tensor(f, "support_x") = Tensor::zeros({2, 3, 12, 12}, DType::kF32); }, {"support_x"});
  refuse([&](auto& f) { tensor(f, "support_y").template mutable_data<std::int64_t>()[1] = 3; }, {"support_y", "3"});
  refuse([&](auto& f) { tensor(f, "query_y").template mutable_data<std::int64_t>()[0] = -1; }, {"query_y", "-1"});
  refuse([&](auto& f) { tensor(f, "query_y") = Tensor::zeros({2, 6}, DType::kF32); }, {"query_y", "f32"});
  refuse(
      [&](auto& f) {
        tensor(f, "query_x").template mutable_data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
      },
      {"query_x", "not finite"});
  refuse([&](auto& f) { f.metadata.erase("config"); }, {"config"});
  refuse([&](auto& f) { f.metadata["config"] = "[inner]\nstep = 2\n"; }, {"inner.step", "did you mean 'inner.steps'"});
  refuse([&](auto& f) { f.metadata["config"] = std::string(kProblemConfig) + "[model]\n"; }, {"TOML"});
  refuse([&](auto& f) { f.metadata["config"] = "[model]\nfilters = [4, 4]\nnorm_scale = false\n"; },
         {"block1.norm.scale"});
  refuse([&](auto& f) { f.metadata["config"] = "[model]\nfilters = [4, 4]\nkernel = 2\n"; }, {"model.kernel", "odd"});
  refuse([&](auto& f) { f.metadata["config"] = "[model]\nfilters = [4, 4]\n[inner]\nsteps = 3\nrate = 1e30\n"; },
         {"not finite", "inner.rate"});
}

TEST_F(Metagrad, NamesTheOperationThatMadeANaNWhenAsked) {
  io::TensorFile problem = problem_file(DType::kF32);
  problem.metadata["config"] = "[model]\nfilters = [4, 4]\n[inner]\nsteps = 3\nrate = 1e30\n";
  expect_error(run(problem, "--check-finite"), 1, {"conv_block", "NaN or an infinity"});
}

TEST_F(Metagrad, RefusesAFileCutShortAndAFileThatIsNone) {
  io::write_safetensors(folder_.path("p.safetensors"), problem_file(DType::kF32));
  const std::string whole = io::read_file(folder_.path("p.safetensors"));
  folder_.write("cut.safetensors", whole.substr(0, whole.size() / 2));
  folder_.write("text.safetensors", "hello");
  const auto call = [&](const std::string& name) {
    return innerloop_in(folder_.path(), {"metagrad", name, "--out", "r.safetensors"});
  };
  expect_error(call("cut.safetensors"), 1, {"cut.safetensors"});
  expect_error(call("text.safetensors"), 1, {"text.safetensors"});
  expect_error(call("none.safetensors"), 1, {"none.safetensors"});
}

TEST_F(Metagrad, KeepsToTheProblemsNetwork) {
  expect_error(run(problem_file(DType::kF32), "--set model.kernel=5"), 2, {"[model]", "p.safetensors"});
  EXPECT_EQ(run(problem_file(DType::kF32), "--set inner.rate=0.5 --json").json()["rate"], 0.5);
}

}  // namespace
}  // namespace innerloop::tools
