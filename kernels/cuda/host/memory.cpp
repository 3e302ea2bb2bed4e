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
#include "kernels/cuda/host/graphs.h"
#include "kernels/cuda/host/launch_counts.h"
#include "kernels/cuda/host/options.h"
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
bool fits(const void* to, std::size_t to_bytes, const void* from, std::size_t from_bytes, cudaMemcpyKind kind) {
  const auto side = [&](const void* memory, std::size_t bytes, bool device) {
    return device ? DeviceHeap::instance().holds(memory, bytes) : memory != nullptr && !is_device(memory);
  };
  switch (kind) {
    case cudaMemcpyHostToHost: return side(to, to_bytes, false) && side(from, from_bytes, false);
    case cudaMemcpyHostToDevice: return side(to, to_bytes, true) && side(from, from_bytes, false);
    case cudaMemcpyDeviceToHost: return side(to, to_bytes, false) && side(from, from_bytes, true);
    case cudaMemcpyDeviceToDevice: return side(to, to_bytes, true) && side(from, from_bytes, true);
    case cudaMemcpyDefault: return side(to, to_bytes, is_device(to)) && side(from, from_bytes, is_device(from));
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

/// `height` rows of `width` bytes, which lie `pitch` bytes apart.
struct Rows {
  char* to;
  std::size_t to_pitch;
  const char* from;
  std::size_t from_pitch, width, height;

  std::size_t to_bytes() const { return to_pitch * (height - 1) + width; }
  std::size_t from_bytes() const { return from_pitch * (height - 1) + width; }
  void copy() const {
    for (std::size_t i = 0; i < height; ++i) copy_now(to + i * to_pitch, from + i * from_pitch, width);
  }
};

cudaError_t copy_rows(Rows rows, cudaMemcpyKind kind, cudaStream_t stream) {
  Streams& streams = Streams::instance();
  if (!fits(rows.to, rows.to_bytes(), rows.from, rows.from_bytes(), kind)) return cudaErrorInvalidValue;
  const bool pageable_source = !is_device(rows.from) && !is_pinned(rows.from);
  const bool pageable_target = !is_device(rows.to) && !is_pinned(rows.to);
  const CUstream_st& target = streams.stream(stream);
  const cudaError_t status = pageable_source || pageable_target ? Captures::instance().admit_unrecordable(target)
                                                                : Captures::instance().admit(target);
  if (status != cudaSuccess) return status;
  std::shared_ptr<std::vector<char>> staged;
  if (pageable_source) {  // CUDA has read it when the call returns
    staged = std::make_shared<std::vector<char>>(rows.from, rows.from + rows.from_bytes());
    rows.from = staged->data();
  }
  const WorkId work = streams.enqueue(stream, [rows, staged] {
    count_copy();
    rows.copy();
  });
  if (pageable_target) streams.complete(work);  // the call returns when it is written
  return cudaSuccess;
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
  if (const cudaError_t status = Captures::instance().admit_unsafe_call(); status != cudaSuccess) return note(status);
  *memory = bytes == 0 ? nullptr : DeviceHeap::instance().allocate(bytes);
  return *memory == nullptr && bytes > 0 ? note(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return cudaSuccess;
  const cudaError_t refused = Captures::instance().admit_unsafe_call();
  if (refused != cudaSuccess) return note(refused);
  const cudaError_t status = finish_quietly();
  if (!DeviceHeap::instance().release(memory)) return note(cudaErrorInvalidValue);
  return status;
}

// CUDA can record an allocation; here it is refused, since a graph that allocates is no graph of ours.
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  const CUstream_st& target = Streams::instance().stream(stream);
  const cudaError_t status = Captures::instance().admit_unrecordable(target);
  if (status != cudaSuccess) return note(status);
  return cudaMalloc(memory, bytes);
}

cudaError_t cudaMallocManaged(void** memory, std::size_t bytes, unsigned int) {
  const Lock lock(runtime_mutex());
  if (options().host_access == HostAccess::kProtected) return note(cudaErrorNotSupported);  // the host may not touch it
  const cudaError_t status = cudaMalloc(memory, bytes);
  // What the host writes there by address goes unseen, so all of it counts as written.
  if (status == cudaSuccess && bytes > 0) DeviceHeap::instance().host_wrote(*memory, bytes);
  return status;
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return cudaSuccess;
  if (!DeviceHeap::instance().holds(memory, 0)) return note(cudaErrorInvalidValue);
  const CUstream_st& target = Streams::instance().stream(stream);
  const cudaError_t status = Captures::instance().admit_unrecordable(target);
  if (status != cudaSuccess) return note(status);
  Streams::instance().enqueue(stream, [memory] { DeviceHeap::instance().release(memory); });
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned int) {
  const Lock lock(runtime_mutex());
  if (memory == nullptr) return note(cudaErrorInvalidValue);
  if (const cudaError_t status = Captures::instance().admit_unsafe_call(); status != cudaSuccess) return note(status);
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
  const cudaError_t refused = Captures::instance().admit_unsafe_call();
  if (refused != cudaSuccess) return note(refused);
  const cudaError_t status = finish_quietly();
  if (pinned().erase(reinterpret_cast<std::uintptr_t>(memory)) == 0) return note(cudaErrorInvalidValue);
  std::free(memory);
  return status;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const Lock lock(runtime_mutex());
  Streams& streams = Streams::instance();
  if (const cudaError_t status = Captures::instance().admit_unsafe_call(); status != cudaSuccess) return note(status);
  streams.rethrow_kept();
  if (bytes == 0) return cudaSuccess;
  if (!fits(to, bytes, from, bytes, kind)) return note(cudaErrorInvalidValue);
  streams.complete(streams.enqueue(nullptr, [=] { copy_now(to, from, bytes); }));
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  Streams::instance().rethrow_kept();
  if (width == 0 || height == 0) return cudaSuccess;
  if (width > to_pitch || width > from_pitch) return note(cudaErrorInvalidPitchValue);
  const Rows rows{static_cast<char*>(to), to_pitch, static_cast<const char*>(from), from_pitch, width, height};
  return note(copy_rows(rows, kind, stream));
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  const Lock lock(runtime_mutex());
  if (const cudaError_t status = Captures::instance().admit_unsafe_call(); status != cudaSuccess) return note(status);
  return cudaMemsetAsync(to, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  Streams::instance().rethrow_kept();
  if (bytes == 0) return cudaSuccess;
  if (!DeviceHeap::instance().holds(to, bytes)) return note(cudaErrorInvalidValue);
  const CUstream_st& target = Streams::instance().stream(stream);
  if (const cudaError_t status = Captures::instance().admit(target); status != cudaSuccess) return note(status);
  Streams::instance().enqueue(stream, [=] {
    count_fill();
    fill_now(to, value, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                               cudaMemcpyKind kind) {
  const Lock lock(runtime_mutex());
  // A __constant__ variable is an ordinary object of the program here.
  if (symbol == nullptr || (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDefault)) return note(cudaErrorInvalidValue);
  if (const cudaError_t status = Captures::instance().admit_unsafe_call(); status != cudaSuccess) return note(status);
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
