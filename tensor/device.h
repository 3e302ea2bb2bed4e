// Device: memory and a queue of work that are not the host's, as the tensor floor sees them. It knows no CUDA:
// kernels/cuda implements it and registers itself.
//
// Work is put on one queue (a stream) and runs in that order. Only download() and synchronize() wait for it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/function_ref.h"
#include "tensor/view.h"

namespace innerloop {

/// Work that was put on a device's queue once and can be put there again as a whole, with the same addresses and
/// numbers.
class Recording {
 public:
  virtual ~Recording() = default;
  /// How many kernels, copies and fills it holds.
  virtual std::size_t nodes() const = 0;
};

/// Whether the host may read and write device memory by its address, once the queue is empty.
enum class HostAccess { kNo, kYes };

class Device {
 public:
  virtual ~Device() = default;

  /// For messages: the product's name.
  virtual std::string name() const = 0;
  /// What a person asks about a device: pairs of a key and a value, as `doctor` prints them.
  virtual std::vector<std::pair<std::string, std::string>> details() const = 0;
  virtual HostAccess host_access() const = 0;
  /// A choice among the device's ways to work, by name: for CUDA "conv" (kernels/cuda/conv_engine.h) and "conv-math"
  /// (kernels/cuda/conv_own.h). Throws UsageError for an unknown key, or a value that it does not have.
  virtual void set_option(std::string_view key, std::string_view value) = 0;
  /// The queue, as kernels/cuda knows it (a cudaStream_t).
  virtual void* stream() const = 0;

  /// `bytes` of memory, aligned to at least 256; nullptr when the device has no more.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  /// What the device has left and has in all, in bytes.
  struct Memory {
    std::size_t free = 0, total = 0;
  };
  virtual Memory memory() const = 0;

  /// From the host: when it returns, `from` may be changed.
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  /// To the host: waits for all work before it and for itself.
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
  /// Within the device, in the order of the queue.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  /// Every element of `to` becomes `value`.
  virtual void fill(View to, double value) = 0;
  /// Between dtypes, element by element; both views have one shape.
  virtual void cast(ConstView from, View to) = 0;
  /// Waits for all work; throws what went wrong in it.
  virtual void synchronize() = 0;

  /// Calls `work` and records what it puts on the queue, which runs only when it is replayed. Rethrows what `work`
  /// throws, and throws Error when it did what cannot be recorded: waiting, uploads, downloads, and memory that its
  /// arena had to ask the system for. So run the work once before. The device is then as if nothing had been recorded.
  ///
  /// A replay uses the memory that the work used, also what the work gave back to its arena. That memory must hold
  /// nothing else by then and must not go back to the system: give recorded work a Context of its own, keep it while the
  /// recording lives, and do not trim its arena.
  virtual std::shared_ptr<Recording> record(FunctionRef<void()> work) = 0;
  /// Whether record() is under way.
  virtual bool is_recording() const = 0;
  /// Puts the work on the queue again. Throws Error for a recording of another device.
  virtual void replay(const Recording& recording) = 0;
};

/// Called by the engine for devices that is linked into the program, before main().
using DeviceFactory = std::shared_ptr<Device> (*)();
bool register_device_factory(DeviceFactory make);
/// Whether this program holds an engine for devices; says nothing about the machine.
bool has_device_engine();
/// The device of this process, made at first use. Throws Error with the reason, in one line, when there is none.
std::shared_ptr<Device> default_device();

}  // namespace innerloop
