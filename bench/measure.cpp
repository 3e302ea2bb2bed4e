#include "bench/measure.h"

#include <fmt/core.h>

#include <chrono>
#include <map>
#include <random>
#include <utility>

#include "meta/profile/roofline.h"
#include "tensor/cpu_targets.h"
#include "tensor/device.h"

namespace innerloop::bench {
namespace {

using meta::profile::Roofline;

bool has_gpu() {
  static const bool found = [] {
    try {
      return has_device_engine() && default_device() != nullptr;
    } catch (const Error&) {
      return false;  // an engine without a GPU: the CPU is measured
    }
  }();
  return found;
}

/// Measured once for each target and number of threads.
const Roofline& roofline_of(Context& context) {
  static std::map<std::pair<Target, int>, Roofline> known;
  const std::pair key{context.target(), context.threads().threads()};
  auto it = known.find(key);
  if (it == known.end()) {
    const ContextScope scope(context);
    it = known.emplace(key, meta::profile::measure_roofline(context)).first;
  }
  return it->second;
}

}  // namespace

std::vector<Target> targets() {
  std::vector<Target> found = cpu_targets();
  if (has_gpu()) found.push_back(Target::kCuda);
  return found;
}

Tensor random_tensor(const Shape& shape, unsigned seed, DType dtype) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Tensor host = Tensor::empty_on_host(shape, DType::kF32);
  for (float& v : host.mutable_data<float>()) v = normal(generator);
  const Tensor there = host.to_context();
  return dtype == DType::kF32 ? there : there.to(dtype);
}

void measure(benchmark::State& state, Context& context, const std::function<void()>& step,
             const std::function<kernels::KernelCost()>& cost) {
  step();
  wait_for(context);
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) {
    step();
    wait_for(context);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  using benchmark::Counter;
  const kernels::KernelCost each = cost();
  const auto rate = Counter::kIsIterationInvariantRate;
  state.counters["flops"] = Counter(static_cast<double>(each.flops), rate, Counter::kIs1000);
  state.counters["bytes"] = Counter(static_cast<double>(each.bytes), rate, Counter::kIs1000);
  state.counters["roofline"] =
      roofline_of(context).least_seconds(each) * static_cast<double>(state.iterations()) / seconds;
}

void wait_for(Context& context) {
  if (context.device() != nullptr) context.device()->synchronize();
}

void add(const std::string& name, const std::function<void(benchmark::State&, Context&)>& body, int threads) {
  for (const Target target : targets()) {
    benchmark::RegisterBenchmark(fmt::format("{}/{}", name, name_of(target)).c_str(),
                                 [body, target, threads](benchmark::State& state) {
                                   Context context(threads, target);
                                   const ContextScope scope(context);
                                   body(state, context);
                                 })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

}  // namespace innerloop::bench
