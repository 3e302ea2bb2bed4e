// doctor: what this machine and this build offer.
#include <fmt/core.h>
#include <spdlog/version.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Version.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "meta/profile/roofline.h"
#include "tensor/device.h"
#include "tensor/host_memory.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/messages.h"
#include "tools/profile_output.h"

namespace innerloop::tools {
namespace {

/// What stands behind `key` and a colon in a file of such lines; empty when it is not there.
std::string entry(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

/// Bytes of an entry such as "MemAvailable:  123 kB"; 0 when unknown.
std::uint64_t kilobytes(const char* path, std::string_view key) {
  const std::string text = entry(path, key);
  return text.empty() ? 0 : std::strtoull(text.c_str(), nullptr, 10) * 1024;
}

Json libraries() {
  return {{"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
          {"spdlog", fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)},
          {"CLI11", CLI11_VERSION},
          {"toml++", fmt::format("{}.{}.{}", TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH)},
          {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                        NLOHMANN_JSON_VERSION_PATCH)}};
}

void print(const meta::profile::Roofline& r) {
  fmt::print("roofline    {:.0f} GFLOP/s, memory {:.1f} GB/s", r.flops_per_s * 1e-9, r.memory_bytes_per_s * 1e-9);
  if (r.cache_bytes_per_s > 0) fmt::print(", cache {:.1f} GB/s", r.cache_bytes_per_s * 1e-9);
  fmt::print(" (float32, all threads)\n");
}

struct DoctorRequest {
  CommonOptions common;
  bool roofline = false;
};

int run(const DoctorRequest& options) {
  const CommonOptions& common = options.common;
  Context context = common.make_context(common.run());
  std::optional<meta::profile::Roofline> roofline;
  if (options.roofline) {
    const ContextScope scope(context);
    roofline = meta::profile::measure_roofline(context);
  }
  const std::string model = entry("/proc/cpuinfo", "model name");
  const auto gib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 30); };
  const std::uint64_t total = kilobytes("/proc/meminfo", "MemTotal"),
                      available = kilobytes("/proc/meminfo", "MemAvailable"), limit = container_memory_limit();
  const Json versions = libraries();
  const std::string no_gpu = no_gpu_reason();
  Json gpu;
  if (no_gpu.empty()) {
    const std::shared_ptr<Device> device = default_device();
    const Device::Memory memory = device->memory();
    gpu = {{"name", device->name()}, {"memory_bytes", memory.total}, {"memory_available_bytes", memory.free}};
    for (const auto& [key, value] : device->details()) gpu[key] = value;
  }

  if (common.json()) {
    print_json({{"version", IL_VERSION},
                {"compiler", __VERSION__},
                {"device", device_name(context)},
                {"cpu", model},
                {"target", name_of(context.target())},
                {"cores", std::thread::hardware_concurrency()},
                {"threads", context.threads().threads()},
                {"memory_bytes", total},
                {"memory_available_bytes", available},
                {"memory_limit_bytes", limit == 0 ? Json() : Json(limit)},
                {"gpu", gpu},
                {"gpu_reason", no_gpu.empty() ? Json() : Json(no_gpu)},
                {"roofline", roofline ? json_of(*roofline) : Json()},
                {"libraries", versions}});
    return kDone;
  }
  fmt::print("innerloop   {} (compiler {})\n", IL_VERSION, __VERSION__);
  fmt::print("cpu         {}, kernels {} (IL_SIMD chooses others)\n", model.empty() ? "unknown" : model,
             name_of(cpu_target()));
  const Winograd products = winograd_wanted();
  fmt::print("products    {}\n", products == Winograd::kOff          ? "all (IL_WINOGRAD=off)"
                                 : products == Winograd::kSmallTiles ? "fewer where that pays, in small tiles (IL_WINOGRAD=small)"
                                                                     : "fewer where that pays (IL_WINOGRAD=small: in small tiles; off: all)");
  fmt::print("threads     {} of {} cores\n", context.threads().threads(), std::thread::hardware_concurrency());
  fmt::print("memory      {:.1f} GiB, {:.1f} GiB available", gib(total), gib(available));
  if (limit != 0) fmt::print(", limited to {:.1f} GiB", gib(limit));
  if (gpu.is_null()) {
    fmt::print("\ngpu         none: {}\n", no_gpu);
  } else {
    fmt::print("\ngpu         {}, {:.1f} GiB, {:.1f} GiB available", gpu["name"].get<std::string>(),
               gib(gpu["memory_bytes"]), gib(gpu["memory_available_bytes"]));
    fmt::print("\n");
    for (const auto& [key, value] : default_device()->details()) fmt::print("            {}: {}\n", key, value);
  }
  if (roofline) print(*roofline);
  fmt::print("device auto {}\n", gpu.is_null() ? "cpu" : "cuda");
  fmt::print("libraries  ");
  for (const auto& [name, version] : versions.items()) fmt::print(" {} {}", name, version.get<std::string>());
  fmt::print("\n");
  return kDone;
}

}  // namespace

void add_doctor(CommandLine& line) {
  auto options = std::make_shared<DoctorRequest>();
  CLI::App& command =
      line.add(line.app, "doctor", "Says what this machine and this build offer.",
               "The CPU and the kernels chosen for it, threads, memory, the GPU or the reason why there is none, "
               "and the versions of the libraries.",
               "  innerloop doctor\n"
               "  innerloop doctor --roofline --threads 1");
  command.add_flag("--roofline", options->roofline, "also measure what arithmetic and memory do at best, in about a second");
  options->common.add_to(command);
  line.on_run(command, [options] { return run(*options); });
}

}  // namespace innerloop::tools
