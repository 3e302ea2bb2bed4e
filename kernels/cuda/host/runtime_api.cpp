// The CUDA runtime API on host memory, part two: streams, events, errors and the device's properties (memory.cpp is part one).
#include <cuda_runtime_api.h>

#include <cstdio>
#include <memory>
#include <set>
#include <utility>

#include "kernels/cuda/host/device_heap.h"
#include "kernels/cuda/host/graphs.h"
#include "kernels/cuda/host/runtime.h"
#include "kernels/cuda/host/runtime_status.h"
#include "kernels/cuda/host/streams.h"

namespace innerloop::host_executor {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;
thread_local cudaError_t last_error = cudaSuccess;

struct ErrorName {
  cudaError_t code;
  const char* name;
  const char* text;
};
constexpr ErrorName kErrorNames[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorInvalidPitchValue, "cudaErrorInvalidPitchValue", "invalid pitch argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState", "the operation cannot be performed in the present state"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
    {cudaErrorStreamCaptureWrongThread, "cudaErrorStreamCaptureWrongThread",
     "attempt to terminate a thread-local capture sequence from another thread"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "a kernel failed; the next runtime call says how"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "not supported by the host executor"},
};

const ErrorName* find_name(cudaError_t code) {
  for (const ErrorName& entry : kErrorNames) {
    if (entry.code == code) return &entry;
  }
  return nullptr;
}

std::set<cudaEvent_t>& events() {
  static auto* const all = new std::set<cudaEvent_t>;
  return *all;
}

/// The numbers of an H100, so that code which tunes itself by them takes the same paths; the name says what it is.
cudaError_t attribute(cudaDeviceAttr which, int& value) {
  switch (which) {
    case cudaDevAttrMaxThreadsPerBlock: value = 1024; break;
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY: value = 1024; break;
    case cudaDevAttrMaxBlockDimZ: value = 64; break;
    case cudaDevAttrMaxGridDimX: value = 0x7fffffff; break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ: value = 65535; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: value = static_cast<int>(kMaxStaticShared); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: value = static_cast<int>(kMaxDynamicShared); break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: value = 228 * 1024; break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: value = 65536; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: value = 2048; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: value = 32; break;
    case cudaDevAttrMultiProcessorCount: value = 132; break;
    case cudaDevAttrWarpSize: value = 32; break;
    case cudaDevAttrComputeCapabilityMajor: value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: value = 0; break;
    case cudaDevAttrL2CacheSize: value = 50 * 1024 * 1024; break;
    case cudaDevAttrClockRate: value = 1'980'000; break;
    case cudaDevAttrMemoryPoolsSupported: value = 1; break;
    case cudaDevAttrCooperativeLaunch: value = 0; break;
    default: return cudaErrorNotSupported;
  }
  return cudaSuccess;
}

int attribute_or_zero(cudaDeviceAttr which) {
  int value = 0;
  return attribute(which, value) == cudaSuccess ? value : 0;
}

cudaError_t create_stream(cudaStream_t* stream, unsigned flags) {
  const Lock lock(runtime_mutex());
  if (stream == nullptr || (flags & ~static_cast<unsigned>(cudaStreamNonBlocking)) != 0) return note(cudaErrorInvalidValue);
  *stream = Streams::instance().create((flags & cudaStreamNonBlocking) != 0 ? CUstream_st::Kind::kNonBlocking
                                                                          : CUstream_st::Kind::kBlocking);
  return cudaSuccess;
}

/// Takes one step, so that a loop which polls comes to an end.
cudaError_t poll(WorkId work) {
  Streams& streams = Streams::instance();
  streams.rethrow_kept();
  if (streams.is_done(work)) return cudaSuccess;
  streams.advance(work);
  return cudaErrorNotReady;
}

}  // namespace

cudaError_t note(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

}  // namespace innerloop::host_executor

using namespace innerloop::host_executor;

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return create_stream(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) { return create_stream(stream, flags); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int) { return create_stream(stream, flags); }

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least != nullptr) *least = 0;
  if (greatest != nullptr) *greatest = 0;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  try {
    Streams::instance().destroy(stream);
    return cudaSuccess;
  } catch (...) {
    return note(cudaErrorInvalidResourceHandle);
  }
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  Streams& streams = Streams::instance();
  const cudaError_t status = Captures::instance().admit_unrecordable(streams.stream(stream));
  if (status != cudaSuccess) return note(status);
  streams.rethrow_kept();
  if (streams.stream(stream).kind == CUstream_st::Kind::kDefault) {
    streams.complete_default();
  } else {
    streams.complete_stream(stream);
  }
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  const Lock lock(runtime_mutex());
  if (const cudaError_t status = Captures::instance().admit_device_wait(); status != cudaSuccess) return note(status);
  Streams::instance().rethrow_kept();
  Streams::instance().complete_all();
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  const CUstream_st& target = Streams::instance().stream(stream);
  const cudaError_t status = Captures::instance().admit_unrecordable(target);
  if (status != cudaSuccess) return note(status);
  return poll(target.last);
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  const Lock lock(runtime_mutex());
  if (event == nullptr) return note(cudaErrorInvalidValue);
  *event = new CUevent_st;
  events().insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(runtime_mutex());
  if (events().erase(event) == 0) return note(cudaErrorInvalidResourceHandle);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(runtime_mutex());
  if (events().count(event) == 0) return note(cudaErrorInvalidResourceHandle);
  CUstream_st& target = Streams::instance().stream(stream);
  if (const cudaError_t status = Captures::instance().admit(target); status != cudaSuccess) return note(status);
  if (target.capture != nullptr) {
    Captures::instance().record_event(target, *event);
    return cudaSuccess;
  }
  event->capture = nullptr;
  auto time = std::make_shared<std::chrono::steady_clock::time_point>();
  event->time = time;
  event->recorded = Streams::instance().enqueue(stream, [time] { *time = std::chrono::steady_clock::now(); });
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  const Lock lock(runtime_mutex());
  if (events().count(event) == 0) return note(cudaErrorInvalidResourceHandle);
  const cudaError_t status = Captures::instance().wait_event(Streams::instance().stream(stream), *event);
  if (status != cudaSuccess) return note(status);
  Streams::instance().wait_for(stream, event->recorded);
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(runtime_mutex());
  if (events().count(event) == 0) return note(cudaErrorInvalidResourceHandle);
  const cudaError_t status = Captures::instance().admit_event_wait(*event);
  if (status != cudaSuccess) return note(status);
  Streams::instance().rethrow_kept();
  Streams::instance().complete(event->recorded);
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Lock lock(runtime_mutex());
  if (events().count(event) == 0) return note(cudaErrorInvalidResourceHandle);
  const cudaError_t status = Captures::instance().admit_event_wait(*event);
  if (status != cudaSuccess) return note(status);
  return poll(event->recorded);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Lock lock(runtime_mutex());
  if (milliseconds == nullptr || events().count(start) == 0 || events().count(end) == 0 || !start->time || !end->time) {
    return note(cudaErrorInvalidResourceHandle);
  }
  const Streams& streams = Streams::instance();
  if (!streams.is_done(start->recorded) || !streams.is_done(end->recorded)) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *start->time).count();
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

const char* cudaGetErrorName(cudaError_t error) {
  const ErrorName* entry = find_name(error);
  return entry != nullptr ? entry->name : "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  const ErrorName* entry = find_name(error);
  return entry != nullptr ? entry->text : "unrecognized error code";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : note(cudaErrorInvalidDevice); }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  if (device != 0) return note(cudaErrorInvalidDevice);
  return note(attribute(which, *value));
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return note(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "innerloop host executor");
  properties->totalGlobalMem = DeviceHeap::kDeviceBytes;
  properties->sharedMemPerBlock = kMaxStaticShared;
  properties->sharedMemPerBlockOptin = kMaxDynamicShared;
  properties->sharedMemPerMultiprocessor =
      static_cast<std::size_t>(attribute_or_zero(cudaDevAttrMaxSharedMemoryPerMultiprocessor));
  properties->regsPerBlock = properties->regsPerMultiprocessor = attribute_or_zero(cudaDevAttrMaxRegistersPerBlock);
  properties->warpSize = attribute_or_zero(cudaDevAttrWarpSize);
  properties->maxThreadsPerBlock = attribute_or_zero(cudaDevAttrMaxThreadsPerBlock);
  properties->maxThreadsPerMultiProcessor = attribute_or_zero(cudaDevAttrMaxThreadsPerMultiProcessor);
  properties->multiProcessorCount = attribute_or_zero(cudaDevAttrMultiProcessorCount);
  properties->major = attribute_or_zero(cudaDevAttrComputeCapabilityMajor);
  properties->minor = attribute_or_zero(cudaDevAttrComputeCapabilityMinor);
  properties->l2CacheSize = attribute_or_zero(cudaDevAttrL2CacheSize);
  for (int i = 0; i < 3; ++i) {
    properties->maxThreadsDim[i] = i < 2 ? 1024 : 64;
    properties->maxGridSize[i] = i < 1 ? 0x7fffffff : 65535;
  }
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }

}  // extern "C"
