// Reductions, pools and elementwise maps.
#include <fmt/format.h>

#include "kernels/elementwise.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

void add_reductions(TrafficTable& table) {
  const auto sum = [&](const std::string& text, const Shape& from, const Shape& to) {
    const Tensor x = ones(from);
    Tensor y = Tensor::empty(to, DType::kF32);
    table.add("reduce_sum", text, bytes({&x, &y}), kernels::ReduceSum{x.view(), y.mutable_view()});
  };
  sum("bias of a head: 8 x 5 x 5 over images", {8, 5, 5}, {8, 1, 5});
  sum("channels: 2 x 5 of 28x28x64 over pixels", {2, 5, 28, 28, 64}, {2, 1, 1, 1, 64});
  sum("everything: 250880", {1, 250880}, {1, 1});
  const Tensor x = ones({250880});
  Tensor y = Tensor::zeros({1}, DType::kF64);
  table.add("sum_of_squares", "250880", bytes({&x, &y}), kernels::SumOfSquares{x.view(), y.mutable_view()});
}

void add_pools(TrafficTable& table) {
  const Shape full{2, 5, 28, 28, 64}, half{2, 5, 14, 14, 64};
  const std::string shape = "2x2 on 2 x 5 of 28x28x64";
  const Tensor x = ones(full);
  Tensor y = ones(half), back = ones(full), choice = Tensor::zeros(half, DType::kI32);
  table.add("max_pool", shape, bytes({&x, &y, &choice}),
            kernels::MaxPool{{}, x.view(), y.mutable_view(), choice.mutable_view()});
  // Of each window one value: at least its sector of 32 bytes where the choices of neighbours differ, but all agree
  // here.
  table.add("pool_gather", shape, 2 * bytes({&y}) + bytes({&choice}),
            kernels::PoolGather{{}, x.view(), choice.view(), y.mutable_view()});
  table.add("pool_scatter", shape, bytes({&y, &choice, &back}),
            kernels::PoolScatter{{}, y.view(), choice.view(), back.mutable_view()});
  table.add("average_pool", shape, bytes({&x, &y}), kernels::AveragePool{{}, x.view(), y.mutable_view()});
  table.add("average_pool_grad", shape, bytes({&y, &back}),
            kernels::AveragePoolGrad{{}, y.view(), back.mutable_view()});
}

void add_elementwise(TrafficTable& table) {
  const Tensor a = ones({2, 36864}), b = ones({2, 36864}), one = ones({1, 36864}), row = ones({8, 1, 5}),
               logits = ones({8, 5, 5});
  Tensor y = ones({2, 36864}), z = ones({8, 5, 5});
  table.add("binary add", "2 x 36864", bytes({&a, &b, &y}),
            kernels::Binary{kernels::BinaryFn::kAdd, a.view(), b.view(), y.mutable_view()});
  table.add("binary add", "bias of a head: 8 x 5 x 5", bytes({&logits, &row, &z}),
            kernels::Binary{kernels::BinaryFn::kAdd, logits.view(), row.view(), z.mutable_view()});
  table.add("broadcast_to", "a filter for 2 tasks: 36864", bytes({&one, &y}),
            kernels::BroadcastTo{one.view(), y.mutable_view()});
}

}  // namespace

void add_maps(TrafficTable& table) {
  add_reductions(table);
  add_pools(table);
  add_elementwise(table);
}

}  // namespace innerloop::executed
