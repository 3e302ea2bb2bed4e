// The command with `--device cuda`, end to end. What a person meets on a machine with a GPU, on the host executor.
#include <cmath>
#include <fstream>
#include <iterator>

#include "io/safetensors.h"
#include "tools/problem_file.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The largest difference of any parameter, relative to the largest parameter of its tensor.
double difference(const std::string& a, const std::string& b) {
  const io::TensorFile x = io::read_safetensors(a), y = io::read_safetensors(b);
  double worst = 0;
  for (const auto& [name, t] : x.tensors) {
    const Tensor& u = y.at(name);
    double size = 1e-30, most = 0;
    for (std::int64_t i = 0; i < t.numel(); ++i) {
      size = std::max(size, std::abs(t.item(i)));
      most = std::max(most, std::abs(t.item(i) - u.item(i)));
    }
    worst = std::max(worst, most / size);
  }
  return worst;
}

class OnDevice : public ::testing::Test {
 protected:
  Outcome run(const std::string& line, const Arguments& more = {}) {
    return innerloop_in(folder_.path(), split(line) + more);
  }
  Outcome train(const std::string& line) {
    const Outcome o = run("train --data " + xrays() + " " + line, small_model());
    EXPECT_EQ(o.code, 0) << o.err;
    return o;
  }
  std::string path(const std::string& name) { return folder_.path(name); }

  TempFolder folder_;
};

TEST_F(OnDevice, AutoIsTheGpuAndDoctorNamesIt) {
  const Json json = run("doctor --json").json();
  EXPECT_EQ(json["device"], "cuda");
  EXPECT_TRUE(json["gpu"].is_object());
  EXPECT_TRUE(json["gpu"].contains("compute capability"));
  EXPECT_EQ(run("doctor --json --device cpu").json()["device"], "cpu");
}

TEST_F(OnDevice, EpisodesAreThoseOfTheCpuBitForBit) {
  for (const char* device : {"cpu", "cuda"}) {
    const Outcome o = run(std::string("episodes --data ") + xrays() + " --out " + device + ".png --device " + device,
                          Arguments{"--set", "augment=[{kind=\"salt_pepper\",probability=0.2,salt=0.5},{kind=\"gaussian\",std=0.1},"
                                             "{kind=\"shift\",pixels=3}]"} + small_model());
    ASSERT_EQ(o.code, 0) << o.err;
  }
  EXPECT_EQ(bytes_of(path("cpu.png")), bytes_of(path("cuda.png")));
}

TEST_F(OnDevice, TrainingIsThatOfTheCpuAndTheGraphChangesNoBit) {
  train("--iterations 4 --out cpu --device cpu");
  train("--iterations 4 --out graph --device cuda");
  train("--iterations 4 --out plain --device cuda --graph off");
  EXPECT_EQ(bytes_of(path("graph/checkpoint.safetensors")), bytes_of(path("plain/checkpoint.safetensors")));
  EXPECT_LT(difference(path("cpu/checkpoint.safetensors"), path("graph/checkpoint.safetensors")), 1e-3);
}

TEST_F(OnDevice, ARunMayChangeItsDeviceWhenItResumes) {
  train("--iterations 4 --out whole --device cuda --set outer.schedule=constant");
  for (const auto& [first, second] : {std::pair{"cuda", "cuda"}, {"cuda", "cpu"}, {"cpu", "cuda"}}) {
    const std::string out = std::string(first) + "_" + second;
    train("--iterations 2 --out " + out + " --device " + first + " --set outer.schedule=constant");
    const Outcome resumed = run("train --resume --iterations 4 --out " + out + " --device " + second);
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    const std::string whole = path("whole/checkpoint.safetensors"), parts = path(out + "/checkpoint.safetensors");
    if (out == "cuda_cuda") {
      EXPECT_EQ(difference(whole, parts), 0);
    } else {
      EXPECT_LT(difference(whole, parts), 1e-3) << out;
    }
  }
}

TEST_F(OnDevice, EvaluationsAndPredictionsAgreeWithTheCpu) {
  train("--iterations 2 --out run --device cpu");
  const auto eval = [&](const std::string& device) {
    return run("eval run/checkpoint.safetensors --data " + xrays() + " --episodes 20 --queries 2 --json --device " +
               device)
        .json();
  };
  const Json cpu = eval("cpu"), cuda = eval("cuda");
  EXPECT_NEAR(cpu["loss"].get<double>(), cuda["loss"].get<double>(), 1e-3);
  EXPECT_NEAR(cpu["accuracy"].get<double>(), cuda["accuracy"].get<double>(), 0.02);
  const auto predict = [&](const std::string& device) {
    const Outcome o = run("predict run/checkpoint.safetensors --support " + xrays() + " --images " + xrays() +
                          " --steps 2 --device " + device);
    EXPECT_EQ(o.code, 0) << o.err;
    return lines_of(o.out);
  };
  const auto a = predict("cpu"), b = predict("cuda");
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Json x = Json::parse(a[i]), y = Json::parse(b[i]);
    for (const auto& [name, p] : x["probabilities"].items())
      EXPECT_NEAR(p.get<double>(), y["probabilities"][name].get<double>(), 1e-3) << x["image"];
  }
}

TEST_F(OnDevice, MetagradAgreesWithTheCpuAndReplaysOneGraph) {
  io::write_safetensors(path("p.safetensors"), problem_file(DType::kF32));
  const auto metagrad = [&](const std::string& options, const std::string& out) {
    return run("metagrad p.safetensors --json --out " + out + " " + options).json();
  };
  const Json cpu = metagrad("--device cpu", "cpu.safetensors"),
             graph = metagrad("--device cuda --repeat 2", "graph.safetensors"),
             plain = metagrad("--device cuda --repeat 2 --graph off", "plain.safetensors");
  EXPECT_EQ(graph["device"], "cuda");
  EXPECT_GT(graph["graph_nodes"].get<int>(), 20);
  EXPECT_TRUE(plain["graph_nodes"].is_null());
  EXPECT_EQ(bytes_of(path("graph.safetensors")), bytes_of(path("plain.safetensors")));
  EXPECT_LT(difference(path("cpu.safetensors"), path("graph.safetensors")), 1e-4);
  EXPECT_NEAR(metagrad("--device cuda --dtype f64", "g64.safetensors")["loss"].get<double>(),
              metagrad("--device cpu --dtype f64", "c64.safetensors")["loss"].get<double>(), 1e-12);
  EXPECT_LT(difference(path("c64.safetensors"), path("g64.safetensors")), 1e-10);

  // Of more filters, whose products tensor cores take, small norms are stages of their convolutions' launches.
  io::write_safetensors(path("p.safetensors"), problem_file(DType::kF32, 16));
  metagrad("--device cpu --dtype f64", "c64.safetensors");
  const Json staged = metagrad("--device cuda --repeat 3", "graph.safetensors");
  metagrad("--device cuda --graph off", "plain.safetensors");
  EXPECT_LT(staged["graph_nodes"].get<int>(), graph["graph_nodes"].get<int>());
  EXPECT_EQ(bytes_of(path("graph.safetensors")), bytes_of(path("plain.safetensors")));
  EXPECT_LT(difference(path("c64.safetensors"), path("graph.safetensors")), 1e-4);
}

TEST_F(OnDevice, AProfileTimesKernelsOnTheQueue) {
  io::write_safetensors(path("p.safetensors"), problem_file(DType::kF32));
  const auto profile = [&](const std::string& options) {
    const Outcome o = run("profile p.safetensors --repeat 1 --json --by layer,kernel " + options);
    EXPECT_EQ(o.code, 0) << o.err;
    return o.json();
  };
  const Json cpu = profile("--device cpu --set run.records=keep --threads 1"),
             cuda = profile("--device cuda --trace t.json --flame f.html");
  EXPECT_EQ(cuda["device"], "cuda");
  EXPECT_EQ(cuda["lanes"], 1) << "the queue";
  const auto flops = [](const Json& j, const char* family) {
    std::int64_t sum = 0;
    for (const Json& row : j["rows"])
      if (row["layer"] == "block2" && row["kernel"].get<std::string>().starts_with(family)) sum += row["flops"].get<std::int64_t>();
    return sum;
  };
  // Of the second block: in the first, the moments of its images save a CPU most of the arithmetic. Here it is one, wherever it is done;
  // but there a convolution takes the sums that are a norm's here, which joins its parts (3/64 of what was summed, and three
  // operations for each), and a weight gradient the inner step that is a list kernel's here. And there z is computed, in three of a
  // norm's seven operations, of the pixel that decides each window alone: one of four.
  const auto block = [&](const Json& j) { return flops(j, "conv") + flops(j, "norm"); };
  const std::int64_t sums = flops(cpu, "norm") - flops(cuda, "norm");
  EXPECT_GT(sums, 0);
  const std::int64_t forward = flops(cpu, "norm_relu_pool") - flops(cpu, "norm_relu_pool_");
  EXPECT_GT(forward, 0);
  EXPECT_GT(block(cuda), block(cpu) - forward * 3 / 7 * 3 / 4);
  EXPECT_LT(block(cuda), block(cpu) + flops(cpu, "sgd") + sums * 9 / 64);
  EXPECT_GT(flops(cuda, "conv_forward_moments"), 0);
  EXPECT_EQ(flops(cuda, "sgd"), 0);
  double seconds = 0;
  for (const Json& row : cuda["rows"]) seconds += row["seconds"].get<double>();
  EXPECT_GT(seconds, 0);
  EXPECT_LE(seconds, cuda["wall_s"].get<double>());
  const Json trace = Json::parse(bytes_of(path("t.json")));
  bool queue = false;
  for (const Json& event : trace["traceEvents"]) queue |= event["args"].value("name", "") == "device queue";
  EXPECT_TRUE(queue);
  EXPECT_NE(bytes_of(path("f.html")).find("hessian-vector product 2"), std::string::npos);
}

TEST_F(OnDevice, ChecksHoldTheDeviceAgainstTheCpu) {
  const Json json = run("check --json --device cuda").json();
  EXPECT_TRUE(json["pass"].get<bool>());
  const auto count = [&](const char* words) {
    int n = 0;
    for (const Json& check : json["checks"]) n += check["name"].get<std::string>().find(words) != std::string::npos;
    return n;
  };
  EXPECT_EQ(count("cuda against portable"), count("mixed against reverse"));
  EXPECT_GE(count("cuda against portable"), 4);
}

}  // namespace
}  // namespace innerloop::tools
