#include "kernels/cuda/host/device_heap.h"

#include <sys/mman.h>

#include <cstring>
#include <optional>

#include "kernels/cuda/host/diagnostics.h"
#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/shared_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

namespace innerloop::host_executor {
namespace {

/// The bytes behind an allocation start its redzone pattern at a multiple of 4; those before that are left alone.
[[maybe_unused]] std::size_t gap_behind(const Allocation& allocation) { return (4 - allocation.bytes % 4) % 4; }

void write_redzones([[maybe_unused]] const Allocation& allocation) {
#if !defined(__SANITIZE_ADDRESS__)
  fill_redzone(allocation.data() - kRedzoneBytes, kRedzoneBytes);
  fill_redzone(allocation.data() + allocation.bytes + gap_behind(allocation), kRedzoneBytes);
#endif
}

#if !defined(__SANITIZE_ADDRESS__)  // which reports the access itself
/// The offset, seen from the allocation's start, of a byte around it that was written to.
std::optional<std::ptrdiff_t> damage(const Allocation& allocation) {
  const std::size_t before = first_changed(allocation.data() - kRedzoneBytes, kRedzoneBytes);
  if (before < kRedzoneBytes) return static_cast<std::ptrdiff_t>(before) - static_cast<std::ptrdiff_t>(kRedzoneBytes);
  const std::size_t start = allocation.bytes + gap_behind(allocation);
  const std::size_t behind = first_changed(allocation.data() + start, kRedzoneBytes);
  if (behind < kRedzoneBytes) return static_cast<std::ptrdiff_t>(start + behind);
  return std::nullopt;
}
#endif

}  // namespace

DeviceHeap& DeviceHeap::instance() {
  static auto* const heap = new DeviceHeap;  // never destroyed: static objects may still free device memory
  return *heap;
}

DeviceHeap::DeviceHeap() {
  void* range = mmap(nullptr, kRangeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  IL_CHECK(range != MAP_FAILED, "host executor: no {} GiB of address space for device memory; lift 'ulimit -v'",
           kRangeBytes >> 30);
  base_ = reinterpret_cast<std::uintptr_t>(range);
}

std::uintptr_t DeviceHeap::take_range(std::size_t reserved) {
  if (reserved <= kRangeBytes - used_) {
    const std::uintptr_t start = base_ + used_;
    used_ += reserved;
    return start;
  }
  for (auto it = allocations_.begin(); it != allocations_.end(); ++it) {
    if (it->second.state != Allocation::State::kFreed || it->second.reserved < reserved) continue;
    const std::uintptr_t start = it->second.begin - kFront;
    allocations_.erase(it);  // what the old range had beyond `reserved` is lost; 64 GiB of tests never notice
    return start;
  }
  return 0;
}

char* DeviceHeap::allocate(std::size_t bytes) {
  if (bytes > kDeviceBytes || live_bytes_ + bytes > kDeviceBytes) return nullptr;
  const std::size_t reserved = (kFront + bytes + 2 * kRedzoneBytes + kPage - 1) / kPage * kPage;
  const std::uintptr_t start = take_range(reserved);
  if (start == 0) return nullptr;
  Allocation allocation{start + kFront, bytes, reserved, Allocation::State::kLive, nullptr, live_.size()};
  const AccessScope access;
  ASAN_POISON_MEMORY_REGION(reinterpret_cast<char*>(start), reserved);
  ASAN_UNPOISON_MEMORY_REGION(allocation.data(), bytes);
  // Skipped kernels read nothing, and untouched pages cost no memory.
  const bool used = options().kernels == KernelWork::kRun;
  if (used) std::memset(allocation.data(), 0xFF, bytes);
  write_redzones(allocation);
  if (used && monitor != nullptr) allocation.notes = monitor->notes_for(bytes);
  live_bytes_ += bytes;
  const std::uintptr_t begin = allocation.begin;
  const auto at = allocations_.insert_or_assign(begin, std::move(allocation)).first;
  live_.push_back(&at->second);
  return at->second.data();
}

bool DeviceHeap::release(void* memory) {
  const auto it = allocations_.find(reinterpret_cast<std::uintptr_t>(memory));
  if (it == allocations_.end() || it->second.state != Allocation::State::kLive) return false;
  Allocation& allocation = it->second;
  const AccessScope access;
  // Stale pointers read NaN: a word in each freed page would do, but small blocks are the ones that matter.
  constexpr std::size_t kPoisoned = std::size_t{1} << 20;
  if (allocation.bytes <= kPoisoned) {
    std::memset(allocation.data(), 0xFF, allocation.bytes);
  } else {
    madvise(allocation.data(), allocation.bytes / kPage * kPage, MADV_DONTNEED);
  }
  ASAN_POISON_MEMORY_REGION(allocation.data(), allocation.bytes);
  allocation.state = Allocation::State::kFreed;
  live_.back()->live_index = allocation.live_index;
  live_[allocation.live_index] = live_.back();
  live_.pop_back();
  allocation.notes.reset();
  live_bytes_ -= allocation.bytes;
  return true;
}

Allocation* DeviceHeap::find(std::uintptr_t address) {
  if (!in_range(address)) return nullptr;
  auto it = allocations_.upper_bound(address + kRedzoneBytes);
  if (it == allocations_.begin()) return nullptr;
  --it;
  Allocation& allocation = it->second;
  return address < allocation.begin - kFront + allocation.reserved ? &allocation : nullptr;
}

bool DeviceHeap::holds(const void* memory, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const Allocation* allocation = find(address);
  return allocation != nullptr && allocation->state == Allocation::State::kLive && address >= allocation->begin &&
         address - allocation->begin <= allocation->bytes && bytes <= allocation->bytes - (address - allocation->begin);
}

void DeviceHeap::host_wrote(void* memory, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  Allocation* allocation = find(address);
  if (monitor == nullptr || allocation == nullptr || allocation->notes == nullptr) return;
  monitor->host_wrote(*allocation->notes, address - allocation->begin, bytes);
}

void DeviceHeap::check_redzones() {
#if !defined(__SANITIZE_ADDRESS__)
  const AccessScope access;
  for (const Allocation* allocation : live_) {
    const auto offset = damage(*allocation);
    if (!offset) continue;
    repair_redzones();
    report(Fault::kOutOfBounds, fmt::format("out of bounds: a thread wrote outside the device allocation of {} bytes at {:#x}, "
                                            "at byte {}",
                                            allocation->bytes, allocation->begin, *offset));
  }
#endif
}

void DeviceHeap::repair_redzones() {
  const AccessScope access;
  for (const Allocation* allocation : live_) write_redzones(*allocation);
}

void DeviceHeap::set_protection(int protection) {
  if (used_ > 0) mprotect(reinterpret_cast<void*>(base_), used_, protection);
}

DeviceHeap::AccessScope::AccessScope() {
  DeviceHeap& heap = instance();
  if (heap.open_scopes_++ > 0 || !heap.protected_) return;
  heap.set_protection(PROT_READ | PROT_WRITE);
  heap.protected_ = false;
}

DeviceHeap::AccessScope::~AccessScope() {
  DeviceHeap& heap = instance();
  if (--heap.open_scopes_ > 0 || options().host_access == HostAccess::kAllowed) return;
  heap.set_protection(PROT_NONE);
  heap.protected_ = true;
}

}  // namespace innerloop::host_executor
