// Whole meta-steps of second order on random images: over inner steps, tasks, shots, image side and threads, with the arena's
// peak beside each.
#include <fmt/core.h>

#include <thread>
#include <vector>

#include "bench/measure.h"
#include "kernels/tally.h"
#include "meta/meta_gradient.h"
#include "tensor/arena_stats.h"

namespace innerloop::bench {
namespace {

struct Network {
  const char* name;
  std::vector<std::int64_t> filters;
  std::int64_t side, channels, ways, support, query, tasks;
  double rate = 0.01;
  bool pooled = true;
};

/// The workloads of make_problem.py.
std::vector<Network> workloads() {
  const std::vector<std::int64_t> wide{64, 64, 64, 64}, narrow{32, 32, 32, 32}, xray{16, 32, 64, 64}, strided{128, 64, 64, 64};
  return {{"w1", wide, 28, 1, 5, 5, 5, 32},
          {"w2", narrow, 84, 3, 5, 25, 75, 4},
          {"w3", xray, 500, 1, 3, 3, 3, 4, 1e-4},
          {"w3r", strided, 500, 1, 3, 3, 3, 4, 0.01, false}};
}

nn::ConvNet make_net(const Network& n) {
  nn::ConvNetOptions o;
  o.filters = n.filters;
  o.height = o.width = n.side;
  o.channels = n.channels;
  o.ways = n.ways;
  if (!n.pooled) {
    o.stride = 2;
    o.pool = kernels::Pool::kNone;
    o.head = nn::Head::kMean;
  }
  return nn::ConvNet(o);
}

Tensor labels(std::int64_t tasks, std::int64_t images, std::int64_t ways) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < tasks * images; ++i) values.push_back(i % images % ways);
  return Tensor::from<std::int64_t>({tasks, images}, values);
}

void run_step(benchmark::State& state, Context& context, const Network& n, int steps) {
  const nn::ConvNet net = make_net(n);
  std::vector<Tensor> params = net.init(1);
  for (Tensor& p : params) p = p.to_context();
  meta::TaskBatch tasks;
  tasks.support_x = random_tensor({n.tasks, n.support, n.side, n.side, n.channels}, 1);
  tasks.query_x = random_tensor({n.tasks, n.query, n.side, n.side, n.channels}, 2);
  tasks.support_y = labels(n.tasks, n.support, n.ways);
  tasks.query_y = labels(n.tasks, n.query, n.ways);
  meta::MetaOptions options;
  options.inner.steps = steps;
  options.inner.rate = n.rate;

  const auto step = [&] { benchmark::DoNotOptimize(meta::meta_gradient(net, params, tasks, options)); };
  context.arena().reset_peak();
  measure(state, context, step, [&] {
    const kernels::KernelTally tally;  // of one more step, which is not timed
    step();
    wait_for(context);
    return tally.total().cost;
  });
  state.counters["arena_peak"] =
      benchmark::Counter(static_cast<double>(context.arena().stats().peak), benchmark::Counter::kDefaults, benchmark::Counter::kIs1000);
}

void register_all() {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const auto step = [&](const std::string& name, const Network& network, int steps, int threads) {
    add(name, [=](benchmark::State& state, Context& context) { run_step(state, context, network, steps); }, threads);
  };
  const std::vector<Network> all = workloads();
  for (const Network& network : all)
    for (const int steps : {1, 5}) step(fmt::format("{}/steps:{}", network.name, steps), network, steps, cores);
  const Network& w1 = all.front();
  for (const int steps : {2, 10, 20}) step(fmt::format("w1/steps:{}", steps), w1, steps, cores);
  for (const std::int64_t tasks : {1, 4, 16, 64}) {
    Network n = w1;
    n.tasks = tasks;
    step(fmt::format("w1/tasks:{}", tasks), n, 1, cores);
  }
  for (const std::int64_t shots : {2, 5, 10}) {
    Network n = w1;
    n.support = n.query = n.ways * shots;
    step(fmt::format("w1/shots:{}", shots), n, 1, cores);
  }
  for (const std::int64_t side : {28, 56, 112, 224, 500}) {
    Network n = all[2];
    n.side = side;
    n.tasks = 2;
    step(fmt::format("w3/side:{}", side), n, 1, cores);
  }
  for (int threads = 1; threads < cores; threads *= 2) step(fmt::format("w1/threads:{}", threads), w1, 1, threads);
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace
}  // namespace innerloop::bench
