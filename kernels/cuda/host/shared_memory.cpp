#include "kernels/cuda/host/shared_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/monitor.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

namespace innerloop::host_executor {
namespace {

constexpr char redzone_byte(std::size_t i) { return static_cast<char>(kRedzoneWord >> (8 * (i % 4))); }

constexpr std::array<char, kRedzoneBytes> kRedzone = [] {
  std::array<char, kRedzoneBytes> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = redzone_byte(i);
  return bytes;
}();

}  // namespace

void fill_redzone(char* memory, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) memory[i] = redzone_byte(i);
}

std::size_t first_changed(const char* memory, std::size_t bytes) {
  // Each launch looks at two for every allocation: whole redzones that nobody touched must cost little.
  if (bytes == kRedzoneBytes && std::memcmp(memory, kRedzone.data(), kRedzoneBytes) == 0) return bytes;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (memory[i] != redzone_byte(i)) return i;
  }
  return bytes;
}

SharedMemory::SharedMemory() {
  void* memory = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  IL_CHECK(memory != MAP_FAILED, "host executor: no memory for shared memory; raise the limit on memory");
  arena_ = static_cast<char*>(memory);
}

void SharedMemory::begin_launch(std::size_t dynamic_bytes, bool asked_for_more) {
  dynamic_bytes_ = dynamic_bytes;
  most_bytes_ = asked_for_more ? kMaxDynamicShared : kMaxUnaskedShared;
}

void SharedMemory::begin_block() {
  ASAN_POISON_MEMORY_REGION(arena_, kArenaBytes);
  used_ = static_bytes_ = 0;
  variables_ = nullptr;
  dynamic_ = nullptr;
  ++block_;
}

void SharedMemory::end_block() {
  for (const SharedVariable* v = variables_; v != nullptr; v = v->next) check_redzone(v->name, v->memory, v->bytes);
  if (dynamic_ != nullptr) check_redzone("dynamic shared memory", dynamic_, dynamic_bytes_);
}

void SharedMemory::check_redzone([[maybe_unused]] const char* name, [[maybe_unused]] const char* memory,
                                 [[maybe_unused]] std::size_t bytes) const {
#if !defined(__SANITIZE_ADDRESS__)  // which reports the access itself
  const std::size_t changed = first_changed(memory + bytes, kRedzoneBytes);
  if (changed < kRedzoneBytes) {
    report(Fault::kOutOfBounds, fmt::format("out of bounds: a thread wrote past the end of shared {} ({} bytes), at byte {}",
                                            name, bytes, bytes + changed));
  }
#endif
}

char* SharedMemory::take(std::size_t bytes, std::size_t alignment) {
  const std::size_t step = std::max<std::size_t>(alignment, 16);
  const std::size_t start = (used_ + kRedzoneBytes + step - 1) / step * step;
  if (start + bytes + kRedzoneBytes > kArenaBytes) {
    report(Fault::kLaunch, fmt::format("shared memory exhausted by {} more bytes; a block has {} bytes on the GPU", bytes,
                                       kMaxDynamicShared));
  }
  char* memory = arena_ + start;
  used_ = start + bytes;
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  std::memset(memory, 0xFF, bytes);
#if !defined(__SANITIZE_ADDRESS__)
  fill_redzone(memory + bytes, kRedzoneBytes);
#endif
  if (monitor != nullptr) monitor->shared_allocated(memory, bytes);
  return memory;
}

char* SharedMemory::place(SharedVariable& variable) {
  static_bytes_ += variable.bytes;
  if (static_bytes_ > kMaxStaticShared) {
    report(Fault::kLaunch, fmt::format("{} bytes of IL_SHARED variables (the last: {}); nvcc allows {}: use "
                                       "IL_DYNAMIC_SHARED",
                                       static_bytes_, variable.name, kMaxStaticShared));
  }
  if (static_bytes_ + dynamic_bytes_ > most_bytes_) {
    report(Fault::kLaunch, fmt::format("{} bytes of IL_SHARED and {} of dynamic shared memory; a block has {}{}", static_bytes_, dynamic_bytes_,
                                       most_bytes_, most_bytes_ < kMaxDynamicShared ? " unless the launch asks for more" : ""));
  }
  variable.memory = take(variable.bytes, variable.alignment);
  variable.block = block_;
  variable.next = variables_;
  variables_ = &variable;
  return variable.memory;
}

char* SharedMemory::dynamic() {
  if (dynamic_ == nullptr) dynamic_ = take(dynamic_bytes_, 128);
  return dynamic_;
}

std::string SharedMemory::describe(std::uintptr_t address) const {
  const auto within = [&](const char* memory, std::size_t bytes) {
    return address + kRedzoneBytes - reinterpret_cast<std::uintptr_t>(memory) < bytes + 2 * kRedzoneBytes;
  };
  const auto text = [&](const char* name, const char* memory, std::size_t bytes) {
    const auto offset = static_cast<std::ptrdiff_t>(address - reinterpret_cast<std::uintptr_t>(memory));
    return fmt::format("{} ({} bytes) at byte {}", name, bytes, offset);
  };
  // Redzones of neighbours touch: an address between two belongs to the one that ends before it.
  const SharedVariable* best = nullptr;
  for (const SharedVariable* v = variables_; v != nullptr; v = v->next) {
    if (!within(v->memory, v->bytes)) continue;
    if (best == nullptr || (reinterpret_cast<std::uintptr_t>(v->memory) <= address && v->memory > best->memory)) best = v;
  }
  if (best != nullptr && reinterpret_cast<std::uintptr_t>(best->memory) <= address) {
    return text(fmt::format("shared {}", best->name).c_str(), best->memory, best->bytes);
  }
  if (dynamic_ != nullptr && within(dynamic_, dynamic_bytes_)) {
    return text("dynamic shared memory", dynamic_, dynamic_bytes_);
  }
  return best != nullptr ? text(fmt::format("shared {}", best->name).c_str(), best->memory, best->bytes)
                         : std::string("shared memory outside every variable");
}

}  // namespace innerloop::host_executor
