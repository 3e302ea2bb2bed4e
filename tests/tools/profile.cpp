// profile: tables that add up, files that their readers read, and calls that cannot be meant.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tools/problem_file.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

class ProfileCommand : public ::testing::Test {
 protected:
  ProfileCommand() { io::write_safetensors(folder_.path("p.safetensors"), problem_file(DType::kF32)); }
  Outcome run(const std::string& line, const Arguments& more = {}) {
    return innerloop_in(folder_.path(), split("profile " + line) + more);
  }
  std::string text_of(const std::string& name) {
    std::ifstream file(folder_.path(name), std::ios::binary);
    EXPECT_TRUE(file.good()) << name;
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempFolder folder_;
};

void expect_sums(const Json& j) {
  double seconds = 0;
  std::int64_t flops = 0, bytes = 0, calls = 0;
  for (const Json& row : j["rows"]) {
    seconds += row["seconds"].get<double>();
    flops += row["flops"].get<std::int64_t>();
    bytes += row["bytes"].get<std::int64_t>();
    calls += row["calls"].get<std::int64_t>();
  }
  EXPECT_NEAR(seconds, j["kernels_s"], 1e-9);
  EXPECT_NEAR(seconds + j["outside_s"].get<double>(), j["total_s"], 1e-9);
  EXPECT_NEAR(j["wall_s"].get<double>() * j["lanes"].get<int>(), j["total_s"], 1e-9);
  EXPECT_EQ(flops, j["flops"]);
  EXPECT_EQ(bytes, j["bytes"]);
  EXPECT_EQ(calls, j["calls"]);
  EXPECT_GT(flops, 0);
}

TEST_F(ProfileCommand, OfAProblemIsByLayerStepAndOrder) {
  const Json j = run("p.safetensors --threads 1 --repeat 2 --json").json();
  expect_sums(j);
  EXPECT_EQ(j["lanes"], 1);
  EXPECT_EQ(j["device"], "cpu");
  EXPECT_GT(j["roofline"]["flops_per_s"], 1e6);
  EXPECT_GT(j["roofline"]["memory_bytes_per_s"], 1e6);
  std::set<std::string> layers, steps, orders;
  for (const Json& row : j["rows"]) {
    layers.insert(row["layer"]);
    steps.insert(row["step"]);
    orders.insert(row["order"]);
  }
  EXPECT_EQ(layers, (std::set<std::string>{"block1", "block2", "head", "-"}));
  EXPECT_EQ(steps, (std::set<std::string>{"1", "2", "query gradient", "start, join"}));
  EXPECT_EQ(orders, (std::set<std::string>{"forward", "first", "tangent", "second", "update"}));
}

TEST_F(ProfileCommand, CountsWhatTheOptionsAskFor) {
  const auto flops = [&](const std::string& options) {
    return run("p.safetensors --repeat 1 --json " + options).json()["flops"].get<std::int64_t>();
  };
  const std::int64_t whole = flops("");
  EXPECT_EQ(flops(""), whole) << "a count, not a measurement";
  EXPECT_EQ(flops("--dtype f64"), whole);
  EXPECT_EQ(flops("--threads 1"), whole);
  EXPECT_LT(flops("--order 1"), whole);
  EXPECT_GT(flops("--steps 3"), whole);
  EXPECT_GT(flops("--set run.records=recompute"), whole) << "each inner gradient is computed twice";
}

TEST_F(ProfileCommand, OfTrainingHasDrawingAndTheOuterUpdate) {
  const Json j = run("--data " + xrays() + " --repeat 2 --threads 2 --by step,order --json", small_model()).json();
  expect_sums(j);
  std::set<std::string> places;
  for (const Json& row : j["rows"]) {
    places.insert(row["step"].get<std::string>() + ": " + row["order"].get<std::string>());
    EXPECT_FALSE(row.contains("layer"));
  }
  // The update of an inner step is part of the gradient that takes it.
  for (const char* place : {"draw tasks: draw", "1: second", "2: first", "query gradient: first", "outer update: update"})
    EXPECT_TRUE(places.contains(place)) << place;
}

TEST_F(ProfileCommand, MayCountTheWorkOfThreads) {
  const Json j = run("p.safetensors --repeat 1 --threads 1 --clock thread --json").json();
  expect_sums(j);
  EXPECT_EQ(j["clock"], "thread");
}

TEST_F(ProfileCommand, PrintsTables) {
  const Outcome o = run("p.safetensors --repeat 1");
  EXPECT_EQ(o.code, 0) << o.err;
  for (const char* part : {"layer", "block1", "tangent", "outside kernels", "total", "query gradient", "GFLOP/s", "roofline"})
    EXPECT_NE(o.out.find(part), std::string::npos) << part;
  const Outcome by_kernel = run("p.safetensors --repeat 1 --by kernel");
  EXPECT_NE(by_kernel.out.find("conv_weight_grad"), std::string::npos);
  EXPECT_EQ(by_kernel.out.find("block1"), std::string::npos);
}

TEST_F(ProfileCommand, WritesATraceAndAFlameGraph) {
  const Outcome o = run("p.safetensors --repeat 1 --trace t.json --flame f.html");
  ASSERT_EQ(o.code, 0) << o.err;
  const Json trace = Json::parse(text_of("t.json"));
  EXPECT_GT(trace["traceEvents"].size(), 100u);
  EXPECT_EQ(trace["traceEvents"].back()["args"]["name"], "innerloop");
  const std::string page = text_of("f.html");
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_NE(page.find("hessian-vector product 2"), std::string::npos);
}

TEST_F(ProfileCommand, DoesNotWriteOverItsInputOrItself) {
  const std::string problem = text_of("p.safetensors");
  expect_error(run("p.safetensors --trace ./p.safetensors"), 2, {"is the input itself", "--trace"});
  expect_error(run("p.safetensors --flame p.safetensors"), 2, {"is the input itself", "--flame"});
  EXPECT_EQ(text_of("p.safetensors"), problem);
  expect_error(run("p.safetensors --trace a.json --flame ./a.json"), 2, {"name one file"});
}

TEST_F(ProfileCommand, CtrlCLeavesNoFileBehind) {
  const std::string traces = folder_.path("traces");
  std::filesystem::create_directory(traces);
  Process endless(folder_.path(), split("profile p.safetensors --repeat 1000 --trace traces/t.json"));
  // Until the file is open: where it has a name meanwhile, that shows.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  ASSERT_TRUE(wait_until([&] { return !std::filesystem::is_empty(traces) || std::chrono::steady_clock::now() > patience; }));
  endless.signal(SIGINT);
  EXPECT_EQ(endless.wait().code, 130);
  EXPECT_TRUE(std::filesystem::is_empty(traces));
}

TEST_F(ProfileCommand, RefusesWhatCannotBeMeant) {
  expect_error(run(""), 2, {"PROBLEM", "--data"});
  expect_error(run("p.safetensors --data synthetic"), 2, {"PROBLEM", "--data"});
  expect_error(run("p.safetensors --by layer,depth"), 2, {"--by", "depth"});
  expect_error(run("p.safetensors --by layer,layer"), 2, {"--by", "layer comes twice"});
  expect_error(run("p.safetensors --trace t --flame t"), 2, {"--trace", "--flame", "give two"});
  expect_error(run("--data synthetic --dtype f64"), 2, {"--dtype f64"});
  expect_error(run("p.safetensors --set model.stride=2"), 2, {"profile", "[model]"});
  expect_error(run("none.safetensors"), 1, {"none.safetensors"});
  expect_error(run("p.safetensors --trace no/folder/t.json"), 1, {"no/folder"});
}

}  // namespace
}  // namespace innerloop::tools
