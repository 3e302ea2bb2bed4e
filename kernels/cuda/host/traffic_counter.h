// TrafficCounter: groups the accesses of a warp's lanes into requests and accounts for them (traffic.h).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "kernels/cuda/host/execution.h"
#include "kernels/cuda/host/monitor.h"
#include "kernels/cuda/host/traffic.h"

namespace innerloop::host_executor {

class TrafficCounter {
 public:
  void launch_begins(const void* kernel);
  void record(std::uintptr_t address, std::size_t bytes, Access kind, std::uintptr_t instruction);
  void block_ended();
  void launch_ended();

 private:
  /// One execution of one instruction by a warp; lanes join as they get there.
  struct Request {
    std::uint32_t lanes = 0;
    std::uint32_t bytes = 0;
    std::array<std::uintptr_t, kWarpLanes> addresses{};
  };
  struct Instruction {
    Access kind = Access::kRead;
    std::array<std::uint64_t, kWarpLanes> executed{};
    std::uint64_t first = 0;  ///< execution number of open.front()
    std::deque<Request> open;
  };

  void account(const Request& request, Access kind);

  std::array<std::unordered_map<std::uint64_t, Instruction>, kMaxWarps> warps_;
  const void* kernel_ = nullptr;
  std::uint64_t dynamic_shared_bytes_ = 0;
  traffic::Report report_;
  bool active_ = false;
};

}  // namespace innerloop::host_executor
