// What this GPU does at best, measured: the ceilings that docs/performance.md holds the engine against.
//
//   gpu_micro [--quick]     one JSON object on stdout
//
// A measurement that fails costs no other: "failed" says which and why, and the exit code is 1.
//
// Every figure is the median of several runs after a warm-up, timed by events, on data that are not zero; what was computed is checked.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "bench/gpu_micro/measure.h"

namespace innerloop::bench {

Timer::Timer() {
  IL_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  IL_CUDA_CHECK(cudaEventCreate(&start_));
  IL_CUDA_CHECK(cudaEventCreate(&end_));
}

Timer::~Timer() {
  static_cast<void>(cudaEventDestroy(start_));
  static_cast<void>(cudaEventDestroy(end_));
  static_cast<void>(cudaStreamDestroy(stream_));
}

double Timer::milliseconds(int repeats, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = -2; i < repeats; ++i) {
    IL_CUDA_CHECK(cudaEventRecord(start_, stream_));
    work();
    IL_CUDA_CHECK(cudaGetLastError());
    IL_CUDA_CHECK(cudaEventRecord(end_, stream_));
    IL_CUDA_CHECK(cudaEventSynchronize(end_));
    float one = 0;
    IL_CUDA_CHECK(cudaEventElapsedTime(&one, start_, end_));
    if (i >= 0) times.push_back(one);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

namespace {

struct Measurement {
  const char* name;
  Figures (*figures)(Timer&, const Effort&, const Card&);
};

constexpr Measurement kMeasurements[] = {{"nodes", measure_nodes},
                                         {"cluster barriers", measure_cluster_barriers},
                                         {"copies", measure_copies},
                                         {"cache", measure_cache},
                                         {"multiply-adds", measure_ffma},
                                         {"tensor core", measure_mma},
                                         {"wgmma", measure_wgmma}};

/// What failed and why; empty where nothing did.
std::string measure(const Effort& effort) {
  int count = 0;
  IL_CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count > 0, "gpu_micro: no NVIDIA GPU was found");
  IL_CUDA_CHECK(cudaSetDevice(0));
  cudaDeviceProp device;
  IL_CUDA_CHECK(cudaGetDeviceProperties(&device, 0));
  const Card card{device.multiProcessorCount, device.major * 10 + device.minor, static_cast<std::size_t>(device.l2CacheSize)};
  std::string failed, line = fmt::format("{{\"device\": \"{}\", \"multiprocessors\": {}, \"l2_bytes\": {}", device.name, card.multiprocessors,
                                 card.cache_bytes);
  for (const Measurement& measurement : kMeasurements) {
    try {
      Timer timer;
      for (const auto& [name, value] : measurement.figures(timer, effort, card)) line += fmt::format(", \"{}\": {:.4g}", name, value);
    } catch (const std::exception& error) {
      failed += fmt::format("{}{}: {}", failed.empty() ? "" : "; ", measurement.name, error.what());
    }
  }
  std::replace(failed.begin(), failed.end(), '"', '\'');
  if (!failed.empty()) line += fmt::format(", \"failed\": \"{}\"", failed);
  std::printf("%s}\n", line.c_str());
  return failed;
}

int run(int argc, char** argv) {
  Effort effort;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) != "--quick") {
      std::fprintf(stderr, "usage: gpu_micro [--quick]\n");
      return 2;
    }
    effort = {.repeats = 3, .nodes = 500, .copy_bytes = std::size_t{1} << 28, .rounds = 1024};
  }
  try {
    const std::string failed = measure(effort);
    if (!failed.empty()) std::fprintf(stderr, "%s\n", failed.c_str());
    return failed.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace innerloop::bench

int main(int argc, char** argv) { return innerloop::bench::run(argc, argv); }
