// What the benchmarks share: where they run, random operands, and the counters beside each time.
//
// Every benchmark is registered once for each CPU target of the machine and once for the GPU where there is one, as
// NAME/TARGET. Counters: flops and bytes (a second), which each kernel states of itself (kernels/cost.h: ideal traffic), and
// roofline, the share of what the machine could do at best, measured on the first use with as many threads.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cost.h"
#include "kernels/kernel.h"
#include "tensor/context.h"
#include "tensor/tensor.h"

namespace innerloop::bench {

/// The CPU targets that this machine can run, and the GPU where the program is linked with its engine and finds one.
std::vector<Target> targets();

/// Normal numbers in the current context; the same ones for a seed.
Tensor random_tensor(const Shape& shape, unsigned seed, DType dtype = DType::kF32);

/// Runs `step` once untimed, then in the loop, each to its end; then sets the counters flops, bytes and roofline of `cost` a
/// step. The roofline is float32's.
void measure(benchmark::State& state, Context& context, const std::function<void()>& step,
             const std::function<kernels::KernelCost()>& cost);

/// Until what was launched is done; nothing on a CPU.
void wait_for(Context& context);

/// Registers NAME/TARGET for every target, in microseconds of wall time.
void add(const std::string& name, const std::function<void(benchmark::State&, Context&)>& body, int threads = 1);

template <class K>
void measure(benchmark::State& state, Context& context, const K& kernel) {
  measure(state, context, [&] { kernels::run(kernel, context); }, [&] { return cost_of(kernel); });
}

}  // namespace innerloop::bench
