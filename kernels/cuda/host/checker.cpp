#include "kernels/cuda/host/checker.h"

#include <algorithm>

#include "kernels/cuda/host/options.h"

namespace innerloop::host_executor {
namespace {

constexpr Cell kOutsideCell{{Stamp::kOutside, 0, 0}, {}};
constexpr Cell kHostCell{{Stamp::kByHost, 0, 0}, {}};

const char* verb(Access kind) {
  switch (kind) {
    case Access::kRead: return "read";
    case Access::kWrite: return "write";
    case Access::kAtomic: return "atomic";
    case Access::kStarted: return "asynchronous write";
  }
  return "access";
}

}  // namespace

void install_checker() {
  if (monitor == nullptr) monitor = new Checker;  // never destroyed, as the execution that it watches
}

Checker::Checker() : arena_(execution_.shared().arena_bytes(), kOutsideCell) {}

void Checker::launch_begins(const void* kernel) {
  launch_epoch_ = ++epoch_;
  releases_.clear();
  recent_.fill(nullptr);
  progress_switches_ = progress_threads_ = 0;
  progress_accesses_ = execution_.statistics().accesses;
  traffic_.launch_begins(kernel);
}

void Checker::block_begins() {
  block_epoch_ = ++epoch_;
  acquired_.clear();
  observed_.clear();
  arena_.assign(0, arena_dirty_, kOutsideCell);
  arena_dirty_ = 0;
  if (std::exchange(fences_used_, false)) fenced_.fill(0);
  if (std::exchange(clocks_used_, false)) {
    clock_.fill(1);
    for (LaneClocks& warp : seen_) {
      for (auto& lane : warp) lane.fill(0);
    }
  }
}

void Checker::block_ended() { traffic_.block_ended(); }

void Checker::launch_ended() { traffic_.launch_ended(); }

void Checker::shared_allocated(const char* memory, std::size_t bytes) {
  const auto offset = static_cast<std::size_t>(memory - execution_.shared().arena());
  // Cells are set whole: a last word that the variable has only in part counts as its own.
  arena_.assign(offset, bytes, Cell{});
  arena_dirty_ = std::max(arena_dirty_, offset + bytes);
}

void Checker::warp_synchronised(unsigned warp, unsigned lanes) {
  clocks_used_ = true;
  std::array<std::uint32_t, kWarpLanes> joined{};
  const auto in = [&](unsigned lane) { return (lanes >> lane & 1u) != 0; };
  for (unsigned l = 0; l < kWarpLanes; ++l) {
    if (!in(l)) continue;
    for (unsigned m = 0; m < kWarpLanes; ++m) joined[m] = std::max(joined[m], seen_[warp][l][m]);
    joined[l] = std::max(joined[l], clock_[warp * kWarpLanes + l]);
  }
  for (unsigned l = 0; l < kWarpLanes; ++l) {
    if (!in(l)) continue;
    seen_[warp][l] = joined;
    std::uint32_t& clock = clock_[warp * kWarpLanes + l];
    if (++clock > Stamp::kMaxClock) {
      report(Fault::kNoProgress, "more than a million __syncwarp of one thread in one block: use a smaller case");
    }
  }
}

void Checker::barrier_passed() {
  ++epoch_;
  for (Observed& seen : observed_) seen.thread = Observed::kAnyThread;
}

void Checker::fence() {
  const unsigned me = execution_.current();
  fenced_[me] = epoch_;
  fences_used_ = true;
  std::erase_if(observed_, [&](const Observed& seen) {
    if (seen.thread != me && seen.thread != Observed::kAnyThread) return false;
    if (std::find(acquired_.begin(), acquired_.end(), seen.epochs) == acquired_.end()) acquired_.push_back(seen.epochs);
    return true;
  });
}

void Checker::synchronise_through(std::uintptr_t address) {
  if (const std::uint32_t fenced = fenced_[execution_.current()]; fenced != 0) {
    const auto same = std::find_if(releases_.begin(), releases_.end(), [&](const Release& r) {
      return r.address == address && r.first == block_epoch_;
    });
    if (same != releases_.end()) {
      same->last = std::max(same->last, fenced);
    } else {
      releases_.push_back({address, block_epoch_, fenced});
    }
  }
  for (const Release& release : releases_) {
    if (release.address != address || release.first == block_epoch_) continue;
    const Observed seen{execution_.current(), {release.first, release.last}};
    if (std::find(observed_.begin(), observed_.end(), seen) == observed_.end()) observed_.push_back(seen);
  }
}

void Checker::require_progress() {
  Statistics& statistics = execution_.statistics();
  ++statistics.accesses;
  if (statistics.switches != progress_switches_ || statistics.threads != progress_threads_) {
    progress_switches_ = statistics.switches;
    progress_threads_ = statistics.threads;
    progress_accesses_ = statistics.accesses;
  } else if (statistics.accesses - progress_accesses_ > options().progress_limit) {
    report(Fault::kNoProgress, fmt::format("no progress: {} accesses without a barrier or an exit; a loop that waits for "
                                           "another thread, or that never ends",
                                           options().progress_limit));
  }
}

void Checker::access(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t return_address) {
  require_progress();
  const unsigned me = execution_.current();
  const Stamp stamp{epoch_, Stamp::pack(me, kind, clock_[me]),
                    static_cast<std::uint32_t>(return_address - program_image().base)};
  const Attempt attempt{address, bytes, kind, stamp};
  if (execution_.shared().holds(address)) {
    access_shared(attempt);
  } else {
    access_global(attempt);
  }
  const std::uint32_t every = options().preempt_every;
  if (every != 0 && execution_.draws().below(every) == 0) execution_.give_way();
}

void Checker::access_shared(const Attempt& attempt) {
  if (attempt.kind == Access::kAtomic) synchronise_through(attempt.address);
  const std::size_t offset = attempt.address - reinterpret_cast<std::uintptr_t>(execution_.shared().arena());
  for (Cell& cell : arena_.at(offset, attempt.bytes)) touch(cell, attempt, true);
}

void Checker::access_global(const Attempt& attempt) {
  const std::uintptr_t address = attempt.address;
  Allocation*& recent = recent_[attempt.stamp.instruction % recent_.size()];
  if (recent == nullptr || !recent->holds(address)) {
    recent = heap_.find(address);
    if (recent == nullptr) {
      if (program_image().holds(address)) return;  // constants and literals
      const auto arguments = reinterpret_cast<std::uintptr_t>(execution_.request().arguments.get());
      if (address - arguments < execution_.request().arguments_bytes) return;
      fault(Fault::kIllegalAddress, "illegal address", attempt);
    }
  }
  if (!execution_.thread(execution_.current()).in_turn) fault(Fault::kGridDependency, "ahead of grid_dependency_sync()", attempt);
  Allocation& allocation = *recent;
  if (allocation.state == Allocation::State::kFreed) fault(Fault::kUseAfterFree, "use after free", attempt);
  const std::size_t offset = address - allocation.begin;  // huge when before the start
  if (offset >= allocation.bytes || attempt.bytes > allocation.bytes - offset) {
    recent = nullptr;
    fault(Fault::kOutOfBounds, "out of bounds", attempt);
  }
  if (attempt.bytes <= 16 && address % attempt.bytes != 0) fault(Fault::kMisaligned, "misaligned", attempt);
  if (attempt.kind == Access::kAtomic) synchronise_through(address);
  if (allocation.notes == nullptr) allocation.notes = notes_for(allocation.bytes);
  for (Cell& cell : static_cast<Shadow&>(*allocation.notes).at(offset, attempt.bytes)) touch(cell, attempt, false);
}

bool Checker::races(const Stamp& earlier, const Attempt& attempt) const {
  if (earlier.epoch < launch_epoch_) return false;
  if (attempt.kind == Access::kAtomic && earlier.atomic()) return false;
  if (earlier.epoch >= block_epoch_) {
    if (earlier.epoch < epoch_) return false;  // a barrier lies between
    if (earlier.thread() == attempt.stamp.thread()) return false;
    if (earlier.warp() != attempt.stamp.warp()) return true;
    return seen_[earlier.warp()][attempt.stamp.lane()][earlier.lane()] < earlier.clock();
  }
  return std::none_of(acquired_.begin(), acquired_.end(), [&](const auto& epochs) {
    return epochs.first <= earlier.epoch && earlier.epoch <= epochs.second;
  });
}

void Checker::touch(Cell& cell, const Attempt& attempt, bool shared) {
  if (cell.write.epoch == Stamp::kOutside) fault(Fault::kOutOfBounds, "out of bounds", attempt);
  if (races(cell.write, attempt)) race(attempt, cell.write, "write");
  if (attempt.kind == Access::kRead || attempt.kind == Access::kAtomic) {
    const bool written = (shared ? cell.write.epoch >= block_epoch_ : cell.write.epoch != Stamp::kNever) && !cell.write.started();
    if (!written) fault(Fault::kUninitialised, "uninitialised", attempt);
  }
  if (attempt.kind == Access::kRead) {
    Stamp &first = cell.reads[0], &second = cell.reads[1];
    if (first.epoch != epoch_ || first.thread() == attempt.stamp.thread()) {
      first = attempt.stamp;
    } else if (second.epoch != epoch_ || first.warp() == second.warp()) {
      second = attempt.stamp;
    }
    return;
  }
  for (Stamp& read : cell.reads) {
    if (read.epoch != Stamp::kNever && races(read, attempt)) race(attempt, read, "read");
  }
  cell.reads = {};
  cell.write = attempt.stamp;
}

std::string Checker::describe_object(std::uintptr_t address) const {
  if (execution_.shared().holds(address)) return execution_.shared().describe(address);
  if (const Allocation* allocation = heap_.find(address)) {
    return fmt::format("device allocation of {} bytes at {:#x}, at byte {}", allocation->bytes, allocation->begin,
                       static_cast<std::ptrdiff_t>(address - allocation->begin));
  }
  return fmt::format("{:#x}, which is no device memory (a host pointer?)", address);
}

std::string Checker::describe(const Attempt& attempt) const {
  return fmt::format("{} of {} bytes of {} at {}", verb(attempt.kind), attempt.bytes, describe_object(attempt.address),
                     source_position(program_image().base + attempt.stamp.instruction));
}

void Checker::fault(Fault kind, const char* what, const Attempt& attempt) const {
  report(kind, fmt::format("{}: {}", what, describe(attempt)));
}

void Checker::race(const Attempt& attempt, const Stamp& earlier, const char* earlier_kind) const {
  report(Fault::kDataRace, fmt::format("data race: {}; conflicts with {} by thread {}{} at {}", describe(attempt),
                                       earlier.atomic() ? "an atomic" : fmt::format("a {}", earlier_kind), earlier.thread(),
                                       earlier.epoch < block_epoch_ ? " of another block" : "",
                                       source_position(program_image().base + earlier.instruction)));
}

void Checker::count(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t return_address) {
  if (options().traffic == TrafficCount::kOff) return;
  if (!execution_.shared().holds(address) && !heap_.in_range(address)) return;  // built-ins, arguments and constants
  traffic_.record(address, bytes, kind, return_address - program_image().base);
}

std::unique_ptr<AllocationNotes> Checker::notes_for(std::size_t bytes) { return std::make_unique<Shadow>(bytes, Cell{}); }

void Checker::host_wrote(AllocationNotes& notes, std::size_t offset, std::size_t bytes) {
  static_cast<Shadow&>(notes).assign(offset, bytes, kHostCell);
}

}  // namespace innerloop::host_executor
