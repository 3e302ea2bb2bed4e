#include "tensor/arena.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tensor/arena_stats.h"
#include "tensor/device.h"
#include "tensor/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace innerloop {
namespace {

/// Memory from the system; nullptr when there is none. Blocks of several huge pages ask for them: a large activation in pages of
/// 4 KiB costs a page fault for each on first use, and misses the TLB for good.
void* system_block(std::size_t bytes) {
#if defined(__linux__)
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (bytes >= 2 * kHugePage) {
    void* block = std::aligned_alloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    if (block != nullptr) madvise(block, bytes, MADV_HUGEPAGE);  // advice: a refusal changes nothing but speed
    return block;
  }
#endif
  return std::aligned_alloc(Arena::kAlignment, bytes);
}

}  // namespace

struct Arena::State {
  std::mutex mutex{};
  ArenaStats stats{};
  std::unordered_map<std::size_t, std::vector<void*>> free{};
  std::vector<std::string> open_phases{};

  void note_growth() {
    stats.peak = std::max(stats.peak, stats.current);
    for (const std::string& phase : open_phases) {
      std::size_t& peak = stats.phase_peak[phase];
      peak = std::max(peak, stats.current);
    }
  }
};

Arena::Arena(std::shared_ptr<Device> device) : device_(std::move(device)), state_(std::make_unique<State>()) {}

std::shared_ptr<Arena> Arena::create(std::shared_ptr<Device> device) { return std::shared_ptr<Arena>(new Arena(std::move(device))); }

Arena::~Arena() {
  for (auto& [bytes, blocks] : state_->free)
    for (void* block : blocks) system_release(block);
}

void* Arena::system_allocate(std::size_t bytes) {
  return device_ != nullptr ? device_->allocate(bytes) : system_block(bytes);
}

void Arena::system_release(void* block) noexcept {
  if (device_ != nullptr)
    device_->release(block);
  else
    std::free(block);
}

std::shared_ptr<void> Arena::allocate(std::size_t bytes) {
  const std::size_t unit = device_ != nullptr ? kDeviceAlignment : kAlignment;
  const std::size_t rounded = std::max(unit, (bytes + unit - 1) / unit * unit);
  void* block = nullptr;
  {
    std::lock_guard lock(state_->mutex);
    auto it = state_->free.find(rounded);
    if (it != state_->free.end() && !it->second.empty()) {
      block = it->second.back();
      it->second.pop_back();
      state_->stats.cached -= rounded;
    }
  }
  const bool fresh = block == nullptr;
  if (fresh) {
    block = system_allocate(rounded);
    if (block == nullptr) {  // give the cache back and try once more before giving up
      trim();
      block = system_allocate(rounded);
    }
    if (block == nullptr) throw Error(no_memory(rounded));
  }
  std::lock_guard lock(state_->mutex);
  state_->stats.current += rounded;
  ++state_->stats.allocations;
  state_->stats.system_allocations += fresh ? 1 : 0;
  state_->note_growth();
  return {block, [self = shared_from_this(), rounded](void* p) { self->release(p, rounded); }};
}

std::string Arena::no_memory(std::size_t bytes) const {
  constexpr std::string_view kRemedy = "lower outer.tasks, task.shots, data.size or model.filters";
  const ArenaStats s = stats();
  if (device_ == nullptr)
    return fmt::format("out of memory: {} bytes asked for on top of {} in use; {}", bytes, s.current, kRemedy);
  const auto mib = [](std::size_t n) { return static_cast<double>(n) / (1 << 20); };
  std::string phases;
  for (const auto& [name, peak] : s.phase_peak) phases += fmt::format("{}{} {:.1f}", phases.empty() ? "" : ", ", name, mib(peak));
  const Device::Memory memory = device_->memory();
  return fmt::format(
      "out of memory on {}: {:.1f} MiB asked for on top of {:.1f} in use; {:.1f} of {:.1f} MiB are free{}{}; {}, or set "
      "run.records = recompute",
      device_->name(), mib(bytes), mib(s.current), mib(memory.free), mib(memory.total),
      phases.empty() ? "" : "; peak by phase, MiB: ", phases, kRemedy);
}

void Arena::release(void* block, std::size_t bytes) {
  std::lock_guard lock(state_->mutex);
  state_->stats.current -= bytes;
  state_->stats.cached += bytes;
  state_->free[bytes].push_back(block);
}

ArenaStats Arena::stats() const {
  std::lock_guard lock(state_->mutex);
  return state_->stats;
}

void Arena::reset_peak() {
  std::lock_guard lock(state_->mutex);
  state_->stats.peak = state_->stats.current;
  state_->stats.phase_peak.clear();
}

void Arena::trim() {
  std::lock_guard lock(state_->mutex);
  for (auto& [bytes, blocks] : state_->free)
    for (void* block : blocks) system_release(block);
  state_->free.clear();
  state_->stats.cached = 0;
}

Arena::Phase::Phase(Arena& arena, std::string name) : arena_(arena), name_(std::move(name)) {
  std::lock_guard lock(arena_.state_->mutex);
  arena_.state_->open_phases.push_back(name_);
  arena_.state_->note_growth();
}

Arena::Phase::~Phase() {
  std::lock_guard lock(arena_.state_->mutex);
  auto& open = arena_.state_->open_phases;
  auto it = std::find(open.rbegin(), open.rend(), name_);
  if (it != open.rend()) open.erase(std::next(it).base());
}

}  // namespace innerloop
