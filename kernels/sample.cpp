#include "kernels/sample.h"

#include <memory>

namespace innerloop::kernels {

DrawEpisodes with_indices(const DrawEpisodes& k, View support, View query) {
  DrawEpisodes all = k;
  all.draw.support_index = support, all.draw.query_index = query;
  all.support.index = support, all.query.index = query;
  return all;
}

void compose(const DrawEpisodes& k, Context& context) {
  const std::int64_t tasks = k.support.out.shape[0];
  const Shape support{tasks, std::int64_t{k.draw.ways} * k.draw.shots}, query{tasks, std::int64_t{k.draw.ways} * k.draw.queries};
  const auto memory = context.arena().allocate(static_cast<std::size_t>(support.numel() + query.numel()) * sizeof(std::int64_t));
  auto* const indices = static_cast<std::int64_t*>(memory.get());
  const DrawEpisodes all = with_indices(k, {indices, DType::kI64, support}, {indices + support.numel(), DType::kI64, query});
  run(all.draw, context);
  run(all.support, context);
  run(all.query, context);
}

}  // namespace innerloop::kernels
