#include "tensor/device.h"

#include <mutex>

#include "tensor/error.h"

namespace innerloop {
namespace {

DeviceFactory& factory() {
  static DeviceFactory make = nullptr;
  return make;
}

}  // namespace

bool register_device_factory(DeviceFactory make) {
  factory() = make;
  return true;
}

bool has_device_engine() { return factory() != nullptr; }

std::shared_ptr<Device> default_device() {
  IL_CHECK(has_device_engine(),
           "device cuda: this program was built without the CUDA engine; install the CUDA toolkit, configure with "
           "-DIL_CUDA=ON and build again, or use --device cpu");
  static std::mutex mutex;
  static std::shared_ptr<Device> device;  // a factory that throws is asked again the next time
  std::lock_guard lock(mutex);
  if (device == nullptr) device = factory()();
  return device;
}

}  // namespace innerloop
