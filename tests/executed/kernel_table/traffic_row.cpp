#include "traffic_row.h"

#include "tensor/context.h"

namespace innerloop::executed {
namespace {

namespace traffic = host_executor::traffic;

host_executor::Options counting() {
  host_executor::Options o = host_executor::options();
  o.traffic = host_executor::TrafficCount::kOn;
  o.order = host_executor::ThreadOrder::kForward;
  return o;
}

}  // namespace

TrafficTable::TrafficTable() : options_(counting()), context_(1, Target::kCuda), scope_(context_) {}

void TrafficTable::begin() {
  context_.device()->synchronize();
  traffic::reset();
}

void TrafficTable::end(const std::string& op, const std::string& shape, std::uint64_t needed) {
  context_.device()->synchronize();
  TrafficRow row;
  row.op = op, row.shape = shape, row.needed = needed;
  for (const auto& [name, r] : traffic::by_kernel()) {
    row.kernels += row.kernels.empty() ? name : ", " + name;
    row.launches += r.launches;
    row.moved += (r.loads.sectors + r.stores.sectors + r.atomics.sectors) * traffic::kSectorBytes;
    row.conflicts += r.shared_loads.conflicts + r.shared_stores.conflicts + r.shared_atomics.conflicts;
    row.shared = std::max(row.shared, r.dynamic_shared_bytes);
  }
  rows_.push_back(row);
}

std::uint64_t bytes(std::initializer_list<const Tensor*> tensors) {
  std::uint64_t sum = 0;
  for (const Tensor* t : tensors)
    if (t->defined()) sum += static_cast<std::uint64_t>(t->bytes());
  return sum;
}

std::vector<TrafficRow> traffic_rows() {
  TrafficTable table;
  add_convolutions(table);
  add_norms(table);
  add_blocks(table);
  add_images(table);
  add_heads(table);
  add_steps(table);
  add_lists(table);
  add_samples(table);
  add_maps(table);
  return table.rows();
}

}  // namespace innerloop::executed
