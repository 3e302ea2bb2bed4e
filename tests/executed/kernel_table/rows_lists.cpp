// What happens to all parameters at once, on those of a network of four blocks of 64 filters.
#include <fmt/format.h>

#include "kernels/outer_update.h"
#include "kernels/pack.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

constexpr std::int64_t kTasks = 2, kWays = 5;

std::vector<Shape> parameter_shapes() {
  std::vector<Shape> shapes;
  std::int64_t channels = 1;
  for (int block = 0; block < 4; ++block) {
    shapes.push_back({3, 3, channels, 64});
    shapes.push_back({64});
    shapes.push_back({64});
    channels = 64;
  }
  shapes.push_back({64, kWays});
  shapes.push_back({kWays});
  return shapes;
}

/// The parameters of `tasks` tasks, their views, and their bytes.
struct List {
  explicit List(std::int64_t tasks) {
    for (const Shape& s : parameter_shapes()) {
      tensors.push_back(Tensor::full({tasks, s.numel()}, DType::kF32, 1));
      views.push_back(tensors.back().view());
      size += bytes({&tensors.back()});
    }
    for (Tensor& t : tensors) mutable_views.push_back(t.mutable_view());
  }
  std::vector<Tensor> tensors;
  std::vector<ConstView> views;
  std::vector<View> mutable_views;
  std::uint64_t size = 0;
};

}  // namespace

void add_lists(TrafficTable& table) {
  const List grad(kTasks), theta(1), mean(1), m(1), v(1);
  List out(kTasks);
  const Tensor schedule = Tensor::full({3}, DType::kF64, 1), clock = Tensor::zeros({1}, DType::kI64);
  const std::string all = fmt::format("{} x parameters of 4 blocks of 64", kTasks),
                    one = "parameters of 4 blocks of 64";
  table.add("sgd_list", all + ", one start", theta.size + grad.size + out.size,
            kernels::SgdList{
                .rate = 0.1, .rate_from = {}, .theta = theta.views, .grad = grad.views, .out = out.mutable_views});
  table.add(
      "sgd_list", all, grad.size + 2 * out.size,
      kernels::SgdList{.rate = 0.1, .rate_from = {}, .theta = out.views, .grad = grad.views, .out = out.mutable_views});
  table.add("mean_over_tasks_list", all, grad.size + mean.size,
            kernels::MeanOverTasksList{.tasks = kTasks, .x = grad.views, .y = mean.mutable_views});
  table.add("adam_list", one, 4 * mean.size + 3 * theta.size,
            kernels::AdamList{.schedule = schedule.view(),
                              .grad = mean.views,
                              .theta = theta.mutable_views,
                              .m = m.mutable_views,
                              .v = v.mutable_views});
  Tensor squares = Tensor::zeros({static_cast<std::int64_t>(mean.views.size())}, DType::kF64);
  table.add("sum_of_squares_list", one, mean.size + bytes({&squares}),
            kernels::SumOfSquaresList{mean.views, squares.mutable_view()});

  Tensor now = Tensor::zeros({1}, DType::kI64), row = Tensor::zeros({3}, DType::kF64);
  const Tensor rates = Tensor::full({4, 3}, DType::kF64, 1);
  Tensor state = Tensor::zeros({3 * squares.numel()}, DType::kF64);
  kernels::OuterUpdate update{{rates.view(), now.mutable_view(), row.mutable_view()}, {}, squares.mutable_view(),
                              state.mutable_view()};
  update.adam.schedule = row.view(), update.adam.grad = mean.views, update.adam.theta = theta.mutable_views;
  update.adam.m = m.mutable_views, update.adam.v = v.mutable_views;
  table.add("outer_update", one, 4 * mean.size + 3 * theta.size + bytes({&squares, &state}), update);

  const Tensor losses = Tensor::full({32}, DType::kF32, 1);
  Tensor columns = Tensor::zeros({32, 5}, DType::kF32), ring = Tensor::zeros({4, 32 * 3}, DType::kF64);
  const std::vector<ConstView> five(5, losses.view()), three(3, losses.view());
  table.add("interleave", "5 columns of 32", 2 * bytes({&columns}), kernels::Interleave{five, columns.mutable_view()});
  table.add("pack_row", "3 parts of 32", 3 * bytes({&losses}) + bytes({&clock}) + 3 * 32 * sizeof(double),
            kernels::PackRow{three, clock.view(), ring.mutable_view()});
}

}  // namespace innerloop::executed
