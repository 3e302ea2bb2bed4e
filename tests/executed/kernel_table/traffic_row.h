// One line of the table of traffic: an op on one shape, what it had to move and what it asked memory for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "kernels/cuda/host/options.h"
#include "kernels/cuda/host/traffic.h"
#include "kernels/kernel.h"
#include "tensor/tensor.h"

namespace innerloop::executed {

struct TrafficRow {
  std::string op, shape;
  std::string kernels;  ///< that it launched
  std::uint64_t launches = 0;
  std::uint64_t needed = 0;     ///< bytes that the op's contract cannot do without
  std::uint64_t moved = 0;      ///< bytes of all sectors asked for: loads, stores and atomics
  std::uint64_t conflicts = 0;  ///< wavefronts of shared memory beyond those needed
  std::uint64_t shared = 0;     ///< dynamic shared memory of a block, bytes, the most of its launches
  double ratio() const { return needed == 0 ? 0.0 : static_cast<double>(moved) / static_cast<double>(needed); }
};

/// An operand, whose values do not matter.
inline Tensor ones(const Shape& shape) { return Tensor::full(shape, DType::kF32, 1); }

/// Runs ops with counting on; tensors made meanwhile live on the device. One at a time.
class TrafficTable {
 public:
  TrafficTable();

  /// Runs `kernel` once and adds its row.
  template <class K>
  void add(const std::string& op, const std::string& shape, std::uint64_t needed, const K& kernel) {
    begin();
    kernels::run(kernel, context_);
    end(op, shape, needed);
  }
  const std::vector<TrafficRow>& rows() const { return rows_; }

 private:
  void begin();
  void end(const std::string& op, const std::string& shape, std::uint64_t needed);

  host_executor::ScopedOptions options_;
  Context context_;
  ContextScope scope_;
  std::vector<TrafficRow> rows_;
};

/// The sum of their bytes; absent tensors have none.
std::uint64_t bytes(std::initializer_list<const Tensor*> tensors);

// The rows of each family.
void add_convolutions(TrafficTable& table);
void add_norms(TrafficTable& table);
void add_blocks(TrafficTable& table);
void add_images(TrafficTable& table);
void add_heads(TrafficTable& table);
void add_steps(TrafficTable& table);
void add_lists(TrafficTable& table);
void add_samples(TrafficTable& table);
void add_maps(TrafficTable& table);

/// All of them, in that order.
std::vector<TrafficRow> traffic_rows();

}  // namespace innerloop::executed
