// CudaDevice: the first CUDA device of the process, its queue (one stream) and its staging memory.
//
// Every status is checked and thrown with its expression. While work is recorded, copy(), fill() and cast() become part
// of it, release() waits for its end, and what cannot be recorded throws before it reaches the stream.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cuda/device_buffer.h"
#include "tensor/context.h"
#include "tensor/device.h"

namespace innerloop::kernels::cuda {

class CudaDevice final : public Device {
 public:
  /// Throws Error in one line when there is no device, the driver is too old, or the card is older than sm_80.
  CudaDevice();
  ~CudaDevice() override;

  std::string name() const override { return name_; }
  std::vector<std::pair<std::string, std::string>> details() const override;
  void set_option(std::string_view key, std::string_view value) override;
  /// kYes where IL_CUDA_MEMORY=pinned asks for memory of the host's, which both can address (tests), and on the host executor.
  HostAccess host_access() const override { return host_access_; }
  void* stream() const override { return stream_; }
  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  Memory memory() const override;
  void upload(void* to, const void* from, std::size_t bytes) override;
  void download(void* to, const void* from, std::size_t bytes) override;
  void copy(void* to, const void* from, std::size_t bytes) override;
  void fill(View to, double value) override;
  void cast(ConstView from, View to) override;
  void synchronize() override;
  std::shared_ptr<Recording> record(FunctionRef<void()> work) override;
  bool is_recording() const override { return recording_; }
  void replay(const Recording& recording) override;

  /// Compute capability times ten: 90 for an H100.
  int architecture() const { return architecture_; }
  int multiprocessors() const { return multiprocessors_; }
  /// Bytes of shared memory that a block may have when it asks.
  std::size_t shared_per_block() const { return shared_per_block_; }
  /// kTickets counters for launches whose last block joins what the others left (tickets.cuh). They are 0 between launches,
  /// and the launches of a device follow one another, so all use the same ones.
  unsigned* tickets() const { return static_cast<unsigned*>(tickets_.data()); }
  static constexpr std::int64_t kTickets = 1 << 16;

 private:
  static constexpr std::size_t kStagingBytes = std::size_t{8} << 20;

  class RecordingScope;
  void require_not_recording(const char* what) const;

  std::string name_;
  int architecture_ = 0, multiprocessors_ = 0;
  std::size_t shared_per_block_ = 0;
  HostAccess host_access_ = HostAccess::kNo;
  cudaStream_t stream_ = nullptr;
  DeviceBuffer tickets_;
  bool overlap_fails_ = false;  ///< launches that overlap were tried and refused
  void* staging_ = nullptr;  ///< pinned; uploads and downloads go through it in pieces
  std::mutex staging_mutex_;
  std::atomic<bool> recording_ = false;
  std::mutex released_mutex_;
  std::vector<void*> released_;  ///< during a recording; freed behind it
};

/// The stream that the kernels of `context` go to.
inline cudaStream_t stream_of(Context& context) { return static_cast<cudaStream_t>(context.device()->stream()); }

inline const CudaDevice& device_of(Context& context) { return *static_cast<const CudaDevice*>(context.device()); }

/// The tickets of the device of `context`: CudaDevice::kTickets of them.
inline unsigned* tickets_of(Context& context) { return device_of(context).tickets(); }

}  // namespace innerloop::kernels::cuda
