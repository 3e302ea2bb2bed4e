// CudaDevice: the first CUDA device of the process, its queue (one stream) and its staging memory.
//
// Every status is checked and thrown with its expression. Nothing here is called while a stream is captured, except copy()
// and fill(), which are put on the stream.
#pragma once

#include <cuda_runtime_api.h>

#include <mutex>
#include <string>

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
  /// kYes where IL_CUDA_MEMORY=managed asks for memory that both can address (tests), and on the host executor.
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

  /// Compute capability times ten: 90 for an H100.
  int architecture() const { return architecture_; }
  int multiprocessors() const { return multiprocessors_; }

 private:
  static constexpr std::size_t kStagingBytes = std::size_t{8} << 20;

  std::string name_;
  int architecture_ = 0, multiprocessors_ = 0;
  HostAccess host_access_ = HostAccess::kNo;
  cudaStream_t stream_ = nullptr;
  void* staging_ = nullptr;  ///< pinned; uploads and downloads go through it in pieces
  std::mutex staging_mutex_;
};

/// The stream that the kernels of `context` go to.
inline cudaStream_t stream_of(Context& context) { return static_cast<cudaStream_t>(context.device()->stream()); }

}  // namespace innerloop::kernels::cuda
