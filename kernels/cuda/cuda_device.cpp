#include "kernels/cuda/cuda_device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/conv_choices.h"
#include "kernels/cuda/conv_own.h"
#include "kernels/cuda/full_wave.h"
#include "kernels/cuda/launch_overlap.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/nvtx.h"
#include "kernels/cuda/recording.h"
#include "kernels/cuda/status.h"

namespace innerloop::kernels::cuda {
namespace {

constexpr int kOldestArchitecture = 80, kOldestThatOverlaps = 90;

/// On the host executor the host can address all memory unless it is told not to.
HostAccess asked_host_access() {
#if defined(IL_HOST_EXECUTOR)
  constexpr HostAccess kUnasked = HostAccess::kYes;
#else
  constexpr HostAccess kUnasked = HostAccess::kNo;
#endif
  const char* asked = std::getenv("IL_CUDA_MEMORY");
  if (asked == nullptr || *asked == '\0') return kUnasked;
  if (std::string_view(asked) == "device") return HostAccess::kNo;
  if (std::string_view(asked) == "pinned") return HostAccess::kYes;
  fail_usage("IL_CUDA_MEMORY={}: use device or pinned", asked);
}

#if defined(IL_HOST_EXECUTOR)
constexpr bool kDeviceMemoryIsPinned = false;
#else
constexpr bool kDeviceMemoryIsPinned = true;  // where the host is to address it
#endif

cudaError_t take(void** memory, std::size_t bytes, HostAccess access) {
  return kDeviceMemoryIsPinned && access == HostAccess::kYes ? cudaMallocHost(memory, bytes) : cudaMalloc(memory, bytes);
}

cudaError_t give_back(void* memory, HostAccess access) {
  return kDeviceMemoryIsPinned && access == HostAccess::kYes ? cudaFreeHost(memory) : cudaFree(memory);
}

bool asked_for_overlap() {
  const char* asked = std::getenv("IL_CUDA_OVERLAP");
  if (asked == nullptr || *asked == '\0' || std::string_view(asked) == "on") return true;
  if (std::string_view(asked) == "off") return false;
  fail_usage("IL_CUDA_OVERLAP={}: use on or off", asked);
}

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

std::string libraries_of_convolutions() {
  const std::string& why_not = load_conv_module();
  if (!why_not.empty()) return "none: " + why_not;
  std::string names;
  for (const ConvEngine engine : {ConvEngine::kCudnn, ConvEngine::kGemm})
    if (conv_backend_factory(engine) != nullptr) names += std::string(names.empty() ? "" : " and ") + std::string(name_of(engine));
  return names;
}

void require_device() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return;
  static_cast<void>(cudaGetLastError());
  int driver = 0, runtime = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));
  static_cast<void>(cudaRuntimeGetVersion(&runtime));
  IL_CHECK(status != cudaErrorInsufficientDriver || driver == 0,
           "device cuda: the NVIDIA driver speaks CUDA {} and this program needs {}; update the driver, or use "
           "--device cpu",
           version(driver), version(runtime));
  const char* reason = status == cudaSuccess ? "the driver lists none" : cudaGetErrorString(status);
  fail("device cuda: no NVIDIA GPU was found ({}); use --device cpu", driver == 0 ? "no driver answers" : reason);
}

}  // namespace

CudaDevice::CudaDevice() : host_access_(asked_host_access()) {
  require_device();
  trace_if_asked();
  IL_CUDA_CHECK(cudaSetDevice(0));
  cudaDeviceProp properties;
  IL_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
  name_ = properties.name;
  architecture_ = properties.major * 10 + properties.minor;
  multiprocessors_ = properties.multiProcessorCount;
  set_full_wave(multiprocessors_);
  shared_per_block_ = properties.sharedMemPerBlockOptin;
  IL_CHECK(architecture_ >= kOldestArchitecture,
           "device cuda: {} is a compute capability {}.{} device and the kernels need 8.0 or newer; use --device cpu",
           name_, properties.major, properties.minor);
  launches_overlap = architecture_ >= kOldestThatOverlaps && asked_for_overlap();
  IL_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  IL_CUDA_CHECK(cudaMallocHost(&staging_, kStagingBytes));
  tickets_ = DeviceBuffer(kTickets * sizeof(unsigned));
  IL_CUDA_CHECK(cudaMemsetAsync(tickets_.data(), 0, tickets_.bytes(), stream_));
  overlap_fails_ = launches_overlap && !overlap_works(stream_);
  if (overlap_fails_) launches_overlap = false;
}

CudaDevice::~CudaDevice() {
  // A failure has nobody to report to: the process is ending.
  static_cast<void>(cudaFreeHost(staging_));
  static_cast<void>(cudaStreamDestroy(stream_));
}

std::vector<std::pair<std::string, std::string>> CudaDevice::details() const {
  int driver = 0, runtime = 0;
  IL_CUDA_CHECK(cudaDriverGetVersion(&driver));
  IL_CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
  return {{"compute capability", fmt::format("{}.{}", architecture_ / 10, architecture_ % 10)},
          {"multiprocessors", fmt::format("{}", multiprocessors_)},
          {"driver", version(driver)},
          {"runtime", version(runtime)},
          {"launches", launches_overlap ? "begin while those ahead end" : overlap_fails_ ? "in turn: overlapping ones fail here" : "in turn"},
          {"conv", std::string(name_of(conv_engine()))},
          {"conv-math", std::string(name_of(conv_math()))},
          {"conv libraries", libraries_of_convolutions()},
          {"conv choices", conv_choice_file().string()}};
}

void CudaDevice::set_option(std::string_view key, std::string_view value) {
  const auto pick = [&](const auto& all, auto set) {
    std::string names;
    for (const auto choice : all) {
      if (name_of(choice) == value) return set(choice);
      names += names.empty() ? "" : ", ";
      names += name_of(choice);
    }
    fail_usage("--{} {}: use one of {}", key, value, names);
  };
  if (key == "conv")
    pick(kConvEngines, set_conv_engine);
  else if (key == "conv-math")
    pick(kConvMaths, set_conv_math);
  else
    fail_usage("--{}: the device cuda has no such option", key);
}

void CudaDevice::require_not_recording(const char* what) const {
  IL_CHECK(!recording_, "device cuda: {} while work is recorded; do it before or after", what);
}

void* CudaDevice::allocate(std::size_t bytes) {
  IL_CHECK(!recording_,
           "device cuda: {} bytes were asked of the system while work is recorded; run the work once before it is "
           "recorded, in the same context, so that its arena holds all that it needs",
           bytes);
  void* memory = nullptr;
  const cudaError_t status = take(&memory, bytes, host_access_);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  IL_CUDA_CHECK(status);
  return memory;
}

void CudaDevice::release(void* memory) noexcept {
  const std::lock_guard lock(released_mutex_);
  if (recording_)
    released_.push_back(memory);  // cudaFree would end the capture
  else
    static_cast<void>(give_back(memory, host_access_));
}

Device::Memory CudaDevice::memory() const {
  Memory m;
  IL_CUDA_CHECK(cudaMemGetInfo(&m.free, &m.total));
  return m;
}

void CudaDevice::upload(void* to, const void* from, std::size_t bytes) {
  require_not_recording("an upload");
  std::lock_guard lock(staging_mutex_);
  for (std::size_t at = 0; at < bytes; at += kStagingBytes) {
    const std::size_t piece = std::min(kStagingBytes, bytes - at);
    std::memcpy(staging_, static_cast<const char*>(from) + at, piece);
    IL_CUDA_CHECK(cudaMemcpyAsync(static_cast<char*>(to) + at, staging_, piece, cudaMemcpyDefault, stream_));
    IL_CUDA_CHECK(cudaStreamSynchronize(stream_));
  }
}

void CudaDevice::download(void* to, const void* from, std::size_t bytes) {
  require_not_recording("a download");
  std::lock_guard lock(staging_mutex_);
  for (std::size_t at = 0; at < bytes; at += kStagingBytes) {
    const std::size_t piece = std::min(kStagingBytes, bytes - at);
    IL_CUDA_CHECK(
        cudaMemcpyAsync(staging_, static_cast<const char*>(from) + at, piece, cudaMemcpyDefault, stream_));
    IL_CUDA_CHECK(cudaStreamSynchronize(stream_));
    std::memcpy(static_cast<char*>(to) + at, staging_, piece);
  }
}

void CudaDevice::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) IL_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_));
}

void CudaDevice::fill(View to, double value) { fill_on(stream_, to, value); }
void CudaDevice::cast(ConstView from, View to) { cast_on(stream_, from, to); }

void CudaDevice::synchronize() {
  require_not_recording("a synchronisation");
  IL_CUDA_CHECK(cudaStreamSynchronize(stream_));
}

/// Says that the device is recording, and frees behind it what was released meanwhile.
class CudaDevice::RecordingScope {
 public:
  explicit RecordingScope(CudaDevice& device) : device_(device) {
    IL_CHECK(!device_.recording_.exchange(true), "device cuda: a recording within a recording");
  }
  ~RecordingScope() {
    const std::lock_guard lock(device_.released_mutex_);
    device_.recording_ = false;
    for (void* memory : std::exchange(device_.released_, {})) static_cast<void>(give_back(memory, device_.host_access_));
  }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;

 private:
  CudaDevice& device_;
};

std::shared_ptr<Recording> CudaDevice::record(FunctionRef<void()> work) {
  const RecordingScope scope(*this);  // outlives the capture
  StreamCapture capture(stream_);
  work();
  return std::make_shared<GraphRecording>(capture.finish());
}

void CudaDevice::replay(const Recording& recording) {
  const auto* graph = dynamic_cast<const GraphRecording*>(&recording);
  IL_CHECK(graph != nullptr, "device cuda: a recording of another device was to be replayed on {}", name_);
  require_not_recording("a replay");
  graph->launch(stream_);
}

namespace {
[[maybe_unused]] const bool registered =
    register_device_factory([]() -> std::shared_ptr<Device> { return std::make_shared<CudaDevice>(); });
}  // namespace

}  // namespace innerloop::kernels::cuda
