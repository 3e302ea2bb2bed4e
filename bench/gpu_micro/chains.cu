// Latencies: a kernel behind a kernel, and a barrier across the blocks of a cluster.
#include "bench/gpu_micro/measure.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::bench {
namespace {

using kernels::cuda::launch;
using kernels::cuda::launches_overlap;

__global__ void count_up(int* value) {
  kernels::cuda::grid_dependency_sync();
  if (threadIdx.x == 0 && blockIdx.x == 0) *value += 1;
}

/// Microseconds of one of effort.nodes kernels.
struct NodeCost {
  double graph = 0, launched = 0;
};

NodeCost measure_chain(Timer& timer, const Effort& effort, int blocks) {
  Buffer<int> counter(1);
  IL_CUDA_CHECK(cudaMemsetAsync(counter.data(), 0, sizeof(int), timer.stream()));
  const auto launch_all = [&] {
    for (int i = 0; i < effort.nodes; ++i) launch(count_up, dim3(blocks), dim3(128), 0, timer.stream(), counter.data());
  };
  const double launched = timer.milliseconds(effort.repeats, launch_all);

  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  IL_CUDA_CHECK(cudaStreamBeginCapture(timer.stream(), cudaStreamCaptureModeThreadLocal));
  launch_all();
  IL_CUDA_CHECK(cudaStreamEndCapture(timer.stream(), &graph));
  IL_CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
  const double replayed =
      timer.milliseconds(effort.repeats, [&] { IL_CUDA_CHECK(cudaGraphLaunch(executable, timer.stream())); });
  IL_CUDA_CHECK(cudaGraphExecDestroy(executable));
  IL_CUDA_CHECK(cudaGraphDestroy(graph));

  const int expected = 2 * (effort.repeats + 2) * effort.nodes;
  IL_CHECK(counter.first(1)[0] == expected, "gpu_micro: {} kernels counted to {}", expected, counter.first(1)[0]);
  return {replayed * 1e3 / effort.nodes, launched * 1e3 / effort.nodes};
}

/// Each round every block adds one to its neighbour's count, and only the barrier keeps the additions in their rounds.
__global__ void meet_in_cluster(int* counts, int rounds, int cluster) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  const int block = static_cast<int>(blockIdx.x), first = block / cluster * cluster;
  for (int r = 0; r < rounds; ++r) {
    if (threadIdx.x == 0) counts[first + (block - first + r) % cluster] += 1;
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
  }
#endif
}

/// Microseconds of a barrier, or less than 0 where no cluster of that size fits.
double measure_barrier(Timer& timer, const Effort& effort, int cluster) {
  constexpr int kClusters = 4, kThreads = 128;
  IL_CUDA_CHECK(cudaFuncSetAttribute(meet_in_cluster, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  cudaLaunchAttribute dimension{};
  dimension.id = cudaLaunchAttributeClusterDimension;
  dimension.val.clusterDim = {static_cast<unsigned>(cluster), 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(cluster * kClusters)), config.blockDim = dim3(kThreads), config.stream = timer.stream();
  config.attrs = &dimension, config.numAttrs = 1;
  int fit = 0;
  if (cudaOccupancyMaxActiveClusters(&fit, meet_in_cluster, &config) != cudaSuccess || fit < kClusters) {
    static_cast<void>(cudaGetLastError());
    return -1;
  }
  Buffer<int> counts(static_cast<std::size_t>(cluster) * kClusters);
  IL_CUDA_CHECK(cudaMemsetAsync(counts.data(), 0, sizeof(int) * cluster * kClusters, timer.stream()));
  const int rounds = effort.rounds / cluster * cluster;
  const double ms = timer.milliseconds(effort.repeats, [&] {
    IL_CUDA_CHECK(cudaLaunchKernelEx(&config, meet_in_cluster, counts.data(), rounds, cluster));
  });
  const int expected = (effort.repeats + 2) * rounds;
  for (const int count : counts.first(static_cast<std::size_t>(cluster) * kClusters))
    IL_CHECK(count == expected, "gpu_micro: {} rounds of a cluster of {} counted to {}", expected, cluster, count);
  return ms * 1e3 / rounds;
}

}  // namespace

Figures measure_nodes(Timer& timer, const Effort& effort, const Card& card) {
  Figures figures;
  for (const bool overlap : {false, true}) {
    if (overlap && card.architecture < 90) continue;
    launches_overlap = overlap;
    const NodeCost one = measure_chain(timer, effort, 1), full = measure_chain(timer, effort, card.multiprocessors);
    launches_overlap = false;
    const std::string how = overlap ? "overlapping_" : "";
    figures.insert(figures.end(), {{"graph_node_" + how + "us", one.graph}, {"graph_node_full_" + how + "us", full.graph},
                                   {"launch_" + how + "us", one.launched}, {"launch_full_" + how + "us", full.launched}});
  }
  return figures;
}

Figures measure_cluster_barriers(Timer& timer, const Effort& effort, const Card& card) {
  Figures figures;
  if (card.architecture < 90) return figures;
  for (const int cluster : {4, 8, 16}) {
    const double us = measure_barrier(timer, effort, cluster);
    if (us >= 0) figures.emplace_back("cluster_barrier_" + std::to_string(cluster) + "_us", us);
  }
  return figures;
}

}  // namespace innerloop::bench
