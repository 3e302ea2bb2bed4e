// From bytes to a batch of tasks.
#include <fmt/format.h>

#include "kernels/sample.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

void add_gather(TrafficTable& table, const std::string& op, const std::string& workload, std::int64_t side,
                std::int64_t channels, const std::vector<kernels::Augmentation>& augmentations) {
  const Tensor images = Tensor::full({10, side, side, channels}, DType::kU8, 9),
               index = Tensor::zeros({2, 5}, DType::kI64);
  Tensor out = Tensor::empty({2, 5, side, side, channels}, DType::kF32);
  kernels::GatherAugment k;
  k.images = images.view(), k.index = index.view(), k.augmentations = augmentations, k.out = out.mutable_view();
  const auto values = static_cast<std::uint64_t>(out.numel());
  table.add(op, fmt::format("{}: 2 x 5 of {}x{}x{}", workload, side, side, channels), 5 * values + bytes({&index}), k);
}

/// 32 tasks of W1's kind in one launch: the images, and nothing of the indices.
void add_episodes(TrafficTable& table) {
  const std::int64_t tasks = 32, ways = 5, side = 28;
  const Tensor images = Tensor::full({10, side, side, 1}, DType::kU8, 9), clock = Tensor::zeros({1}, DType::kI64);
  Tensor support = Tensor::empty({tasks, ways, side, side, 1}, DType::kF32),
         query = Tensor::empty({tasks, ways, side, side, 1}, DType::kF32);
  kernels::Augmentation pepper;
  pepper.probability = 0.5f;
  const std::vector<kernels::Augmentation> augmentations{pepper};
  kernels::DrawEpisodes k;
  k.draw.scheme = kernels::TaskScheme::kInstances;
  k.draw.image_count = 10, k.draw.ways = ways, k.draw.shots = 1, k.draw.queries = 1;
  k.draw.clock = k.support.clock = k.query.clock = clock.view();
  k.support.images = k.query.images = images.view();
  k.support.out = support.mutable_view(), k.query.out = query.mutable_view();
  k.query.augmentations = augmentations, k.query.image0 = ways;
  const auto values = static_cast<std::uint64_t>(support.numel() + query.numel());
  table.add("draw_episodes pepper", "W1: 32 x (5 + 5) of 28x28x1", 5 * values + bytes({&clock}), k);
}

}  // namespace

void add_samples(TrafficTable& table) {
  const Tensor clock = Tensor::zeros({1}, DType::kI64);
  const std::int64_t tasks = 32, ways = 5, queries = 1;
  Tensor support = Tensor::empty({tasks, ways}, DType::kI64),
         query = Tensor::empty({tasks, ways * queries}, DType::kI64);
  kernels::DrawTasks draw;
  draw.scheme = kernels::TaskScheme::kInstances;
  draw.image_count = 1200, draw.ways = ways, draw.shots = 1, draw.queries = queries;
  draw.support_index = support.mutable_view(), draw.query_index = query.mutable_view(), draw.clock = clock.view();
  table.add("draw_tasks", "W1: 32 tasks, 5 ways", bytes({&support, &query, &clock}), draw);

  add_episodes(table);

  kernels::Augmentation pepper, shift;
  pepper.probability = 0.5f;
  shift.kind = kernels::AugmentKind::kShift, shift.pixels = 6;
  for (const auto& [workload, side, channels] : {std::tuple{"W1", 28, 1}, {"W2", 84, 3}}) {
    add_gather(table, "gather_augment plain", workload, side, channels, {});
    add_gather(table, "gather_augment pepper, shift", workload, side, channels, {pepper, shift});
  }
}

}  // namespace innerloop::executed
