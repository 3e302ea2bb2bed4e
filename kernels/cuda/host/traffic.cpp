#include "kernels/cuda/host/traffic.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>

#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/runtime.h"
#include "kernels/cuda/host/traffic_counter.h"

namespace innerloop::host_executor {
namespace {

std::map<const void*, traffic::Report>& totals() {
  static auto* const all = new std::map<const void*, traffic::Report>;
  return *all;
}

void add(traffic::Global& sum, const traffic::Global& more) {
  sum.requests += more.requests;
  sum.sectors += more.sectors;
  sum.bytes_asked += more.bytes_asked;
  sum.bytes_useful += more.bytes_useful;
}

void add(traffic::Shared& sum, const traffic::Shared& more) {
  sum.requests += more.requests;
  sum.wavefronts += more.wavefronts;
  sum.conflicts += more.conflicts;
}

void add(traffic::Report& sum, const traffic::Report& more) {
  sum.launches += more.launches;
  sum.blocks += more.blocks;
  sum.dynamic_shared_bytes = std::max(sum.dynamic_shared_bytes, more.dynamic_shared_bytes);
  add(sum.loads, more.loads);
  add(sum.stores, more.stores);
  add(sum.atomics, more.atomics);
  add(sum.shared_loads, more.shared_loads);
  add(sum.shared_stores, more.shared_stores);
  add(sum.shared_atomics, more.shared_atomics);
}

bool is_called(const std::string& demangled, std::string_view name) {
  const std::string plain = unqualified(demangled);
  return demangled == name || plain == name || plain.substr(0, plain.find('<')) == name;
}

using Addresses = std::array<std::uintptr_t, kWarpLanes>;

traffic::Global global_request(const Addresses& addresses, unsigned count, std::size_t bytes) {
  Addresses sorted = addresses;
  std::sort(sorted.begin(), sorted.begin() + count);
  traffic::Global result;
  result.requests = 1;
  result.bytes_asked = count * bytes;
  std::uintptr_t covered = 0, next_sector = 0;  // everything below is counted
  for (unsigned i = 0; i < count; ++i) {
    const std::uintptr_t begin = sorted[i], end = begin + bytes;
    result.bytes_useful += end - std::min(end, std::max(begin, covered));
    covered = std::max(covered, end);
    const std::uintptr_t first = std::max(begin / traffic::kSectorBytes, next_sector);
    const std::uintptr_t last = (end - 1) / traffic::kSectorBytes;
    if (last >= first) result.sectors += last - first + 1;
    next_sector = std::max(next_sector, last + 1);
  }
  return result;
}

constexpr unsigned kBanks = 32, kBankBytes = 4;

/// The wavefronts of the lanes that one phase serves together: the most words that any bank has to give.
std::uint64_t phase_wavefronts(const std::uintptr_t* addresses, unsigned count, std::size_t bytes, Access kind) {
  std::array<std::uintptr_t, kWarpLanes * 4> words{};
  unsigned n = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::uintptr_t last = (addresses[i] + bytes - 1) / kBankBytes;
    for (std::uintptr_t w = addresses[i] / kBankBytes; w <= last && n < words.size(); ++w) words[n++] = w;
  }
  std::sort(words.begin(), words.begin() + n);
  if (kind != Access::kAtomic) n = static_cast<unsigned>(std::unique(words.begin(), words.begin() + n) - words.begin());
  std::array<std::uint64_t, kBanks> load{};
  for (unsigned i = 0; i < n; ++i) ++load[words[i] % kBanks];
  return *std::max_element(load.begin(), load.end());
}

}  // namespace

void TrafficCounter::launch_begins(const void* kernel) {
  active_ = options().traffic == TrafficCount::kOn;
  kernel_ = kernel;
  dynamic_shared_bytes_ = Execution::instance().request().dynamic_shared_bytes;
  report_ = {};
  for (auto& warp : warps_) warp.clear();
}

void TrafficCounter::record(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t instruction) {
  const Execution& execution = Execution::instance();
  const unsigned lane = execution.lane(), warp = execution.current() / kWarpLanes;
  Instruction& of = warps_[warp][std::uint64_t{instruction} * 4 + static_cast<unsigned>(kind)];
  of.kind = kind;
  const std::uint64_t index = of.executed[lane]++ - of.first;
  if (index == of.open.size()) of.open.emplace_back();
  Request& request = of.open[index];
  request.lanes |= 1u << lane;
  request.bytes = static_cast<std::uint32_t>(bytes);
  request.addresses[lane] = address;
  while (!of.open.empty() && of.open.front().lanes == execution.warp(warp).exists) {
    account(of.open.front(), kind);
    of.open.pop_front();
    ++of.first;
  }
}

void TrafficCounter::block_ended() {
  if (!active_) return;
  ++report_.blocks;
  for (auto& warp : warps_) {
    for (const auto& [instruction, of] : warp) {
      for (const Request& request : of.open) account(request, of.kind);
    }
    warp.clear();
  }
}

void TrafficCounter::launch_ended() {
  if (!active_) return;
  report_.launches = 1;
  report_.dynamic_shared_bytes = dynamic_shared_bytes_;
  add(totals()[kernel_], report_);
  active_ = false;
}

void TrafficCounter::account(const Request& request, Access kind) {
  Addresses addresses{};
  unsigned count = 0;
  for (unsigned rest = request.lanes; rest != 0; rest &= rest - 1) {
    addresses[count++] = request.addresses[static_cast<unsigned>(std::countr_zero(rest))];
  }
  const SharedMemory& shared = Execution::instance().shared();
  if (!shared.holds(addresses[0])) {
    traffic::Global& sum = kind == Access::kRead ? report_.loads : kind == Access::kWrite ? report_.stores : report_.atomics;
    add(sum, global_request(addresses, count, request.bytes));
    return;
  }
  traffic::Shared& sum = kind == Access::kRead    ? report_.shared_loads
                         : kind == Access::kWrite ? report_.shared_stores
                                                  : report_.shared_atomics;
  const unsigned lanes_a_phase = request.bytes <= 4 ? 32 : request.bytes <= 8 ? 16 : 8;
  ++sum.requests;
  for (unsigned first = 0; first < kWarpLanes; first += lanes_a_phase) {
    unsigned n = 0;
    Addresses phase{};
    for (unsigned lane = first; lane < first + lanes_a_phase; ++lane) {
      if ((request.lanes >> lane & 1u) != 0) phase[n++] = request.addresses[lane];
    }
    if (n == 0) continue;
    const std::uint64_t wavefronts = phase_wavefronts(phase.data(), n, request.bytes, kind);
    sum.wavefronts += wavefronts;
    sum.conflicts += wavefronts - 1;
  }
}

namespace traffic {

namespace {

void require_counting(std::string_view kernel) {
  IL_CHECK(monitor != nullptr, "traffic of kernel {}: this program counts none; link il_host_executor_checked", kernel);
}

}  // namespace

Report of(std::string_view kernel) {
  const std::lock_guard lock(runtime_mutex());
  require_counting(kernel);
  Report sum;
  for (const auto& [address, report] : totals()) {
    if (is_called(function_name(address), kernel)) add(sum, report);
  }
  return sum;
}

std::map<std::string, Report> by_kernel() {
  const std::lock_guard lock(runtime_mutex());
  require_counting("any");
  std::map<std::string, Report> all;
  for (const auto& [address, report] : totals()) {
    const std::string name = unqualified(function_name(address));
    add(all[name.substr(0, name.find('<'))], report);
  }
  return all;
}

void reset() {
  const std::lock_guard lock(runtime_mutex());
  totals().clear();
}

}  // namespace traffic
}  // namespace innerloop::host_executor
