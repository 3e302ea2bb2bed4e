// The CUDA runtime API on host memory, part one: allocation, copies and fills. Defined against the toolkit's own prototypes,
// so host code is the same for both and links this in place of libcudart.
//
// A call that a device would refuse returns the device's error code. A fault of a kernel that a call had to run first is
// thrown through it as a KernelError, which says more than a code could; cudaFree and the destroying calls, which destructors
// make, keep the fault for the next call that may throw.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "kernels/cuda/host/device_heap.h"
#include "kernels/cuda/host/runtime.h"
#include "kernels/cuda/host/runtime_status.h"
#include "kernels/cuda/host/streams.h"

namespace innerloop::host_executor {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

/// Pinned host memory by address. Copies to and from it are asynchronous; pageable memory is staged, as CUDA does.
std::map<std::uintptr_t, std::size_t>& pinned() {
  static auto* const ranges = new std::map<std::uintptr_t, std::size_t>;
  return *ranges;
}

bool is_pinned(const void* memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  auto it = pinned().upper_bound(address);
  return it != pinned().begin() && address - (--it)->first < it->second;
}

bool is_device(const void* memory) { return DeviceHeap::instance().in_range(reinterpret_cast<std::uintptr_t>(memory)); }

/// Whether both sides are what `kind` says, and the device sides lie in live allocations.
bool fits(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const auto side = [&](const void* memory, bool device) {
    return device ? DeviceHeap::instance().holds(memory, bytes) : memory != nullptr && !is_device(memory);
  };
  switch (kind) {
    case cudaMemcpyHostToHost: return side(to, false) && side(from, false);
    case cudaMemcpyHostToDevice: return side(to, true) && side(from, false);
    case cudaMemcpyDeviceToHost: return side(to, false) && side(from, true);
    case cudaMemcpyDeviceToDevice: return side(to, true) && side(from, true);
    case cudaMemcpyDefault: return side(to, is_device(to)) && side(from, is_device(from));
  }
  return false;
}

void copy_now(void* to, const void* from, std::size_t bytes) {
  const DeviceHeap::AccessScope access;
  std::memmove(to, from, bytes);
  if (is_device(to)) DeviceHeap::instance().host_wrote(to, bytes);
}

void fill_now(void* to, int value, std::size_t bytes) {
  const DeviceHeap::AccessScope access;
  std::memset(to, value, bytes);
  DeviceHeap::instance().host_wrote(to, bytes);
}

/// All queued work, with a fault kept rather than thrown.
cudaError_t finish_quietly() {
  try {
    Streams::instance().complete_all();
    return cudaSuccess;
  } catch (...) {
    Streams::instance().keep(std::current_exception());
    return note(cudaErrorLaunchFailure);
  }
}

}  // namespace
}  // namespace innerloop::host_executor

using namespace innerloop::host_executor;

extern "C" {

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return note(cudaErrorInvalidValue);
  *memory = bytes == 0 ? nullptr : DeviceHeap::instance().allocate(bytes);
  return *memory == nullptr && bytes > 0 ? note(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return cudaSuccess;
  const cudaError_t status = finish_quietly();
  if (!DeviceHeap::instance().release(memory)) return note(cudaErrorInvalidValue);
  return status;
}

cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return cudaSuccess;
  if (!DeviceHeap::instance().holds(memory, 0)) return note(cudaErrorInvalidValue);
  Streams::instance().enqueue(stream, [memory] { DeviceHeap::instance().release(memory); });
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned int) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return note(cudaErrorInvalidValue);
  *memory = std::malloc(bytes);
  if (*memory == nullptr) return note(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xFF, bytes);  // so that reading before a copy has been waited for shows
  pinned()[reinterpret_cast<std::uintptr_t>(*memory)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) { return cudaHostAlloc(memory, bytes, 0); }

cudaError_t cudaFreeHost(void* memory) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return cudaSuccess;
  const cudaError_t status = finish_quietly();
  if (pinned().erase(reinterpret_cast<std::uintptr_t>(memory)) == 0) return note(cudaErrorInvalidValue);
  std::free(memory);
  return status;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const Lock lock(runtime_mutex());
  Streams& streams = Streams::instance();
  streams.rethrow_kept();
  if (bytes == 0) return cudaSuccess;
  if (!fits(to, from, bytes, kind)) return note(cudaErrorInvalidValue);
  streams.complete(streams.enqueue(nullptr, [=] { copy_now(to, from, bytes); }));
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  Streams& streams = Streams::instance();
  streams.rethrow_kept();
  if (bytes == 0) return cudaSuccess;
  if (!fits(to, from, bytes, kind)) return note(cudaErrorInvalidValue);
  if (!is_device(from) && !is_pinned(from)) {
    // Pageable source: CUDA has read it when the call returns.
    const auto* first = static_cast<const char*>(from);
    auto staged = std::make_shared<std::vector<char>>(first, first + bytes);
    streams.enqueue(stream, [=] { copy_now(to, staged->data(), bytes); });
    return cudaSuccess;
  }
  const WorkId work = streams.enqueue(stream, [=] { copy_now(to, from, bytes); });
  if (!is_device(to) && !is_pinned(to)) streams.complete(work);  // pageable target: the call returns when it is written
  return cudaSuccess;
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) { return cudaMemsetAsync(to, value, bytes, nullptr); }

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  Streams::instance().rethrow_kept();
  if (bytes == 0) return cudaSuccess;
  if (!DeviceHeap::instance().holds(to, bytes)) return note(cudaErrorInvalidValue);
  Streams::instance().enqueue(stream, [=] { fill_now(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                               cudaMemcpyKind kind) {
  const Lock lock(runtime_mutex());
  // A __constant__ variable is an ordinary object of the program here.
  if (symbol == nullptr || (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDefault)) return note(cudaErrorInvalidValue);
  Streams::instance().complete_default();
  std::memcpy(static_cast<char*>(const_cast<void*>(symbol)) + offset, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  const Lock lock(runtime_mutex());
  if (free_bytes != nullptr) *free_bytes = DeviceHeap::kDeviceBytes - DeviceHeap::instance().live_bytes();
  if (total_bytes != nullptr) *total_bytes = DeviceHeap::kDeviceBytes;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* memory) {
  const Lock lock(runtime_mutex());
  *attributes = {};
  auto* const pointer = const_cast<void*>(memory);
  if (DeviceHeap::instance().holds(memory, 0)) {
    attributes->type = cudaMemoryTypeDevice;
    attributes->devicePointer = pointer;
  } else {
    attributes->type = is_pinned(memory) ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
    attributes->hostPointer = pointer;
  }
  return cudaSuccess;
}

}  // extern "C"
