// Drawing tasks, gathering and augmenting images: the formulas of kernels/sample_math.h, bit for bit those of the CPU.
#include "kernels/cuda/draw.cuh"
#include "kernels/cuda/gather.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// Block x: part + parts * image, images counted through all tasks.
__global__ void __launch_bounds__(kGatherThreads) gather_augment_kernel(const __grid_constant__ ImageGather k) {
  grid_dependency_sync();
  const ImagePlace at(k, blockIdx.x / k.parts);
  IL_SHARED(Offset, moves, [kMaxAugmentations]);
  draw_moves(k, at, moves);
  if (!at.plain) __syncthreads();
  const unsigned first = (blockIdx.x % k.parts * kGatherThreads + threadIdx.x) * kQuad;
  if (first < k.values) gather_quad(k, at, moves, k.index[at.which], first);
}

void run_here(const GatherAugment& k, Context& context) {
  const ImageGather g = gather_of(k, 1);
  const auto blocks = static_cast<unsigned>(k.index.shape.numel() * g.parts);
  if (blocks > 0) launch(gather_augment_kernel, dim3(blocks), dim3(kGatherThreads), 0, stream_of(context), g);
}
IL_REGISTER_KERNEL(GatherAugment);

constexpr unsigned kDrawThreads = 128;

/// One block a task. Every draw has its own address, and what a shuffle makes of it depends on the earlier swap places alone:
/// so all draws of a step are made side by side.
__global__ void __launch_bounds__(kDrawThreads) draw_tasks_kernel(Draw k) {
  grid_dependency_sync();
  const unsigned support_count = k.ways * k.shots, query_count = k.ways * k.queries;
  const TaskAddress at{k.seed, k.stream, step_at(k.step, k.clock), k.task0 + blockIdx.x};
  std::uint32_t* swaps = k.scratch + std::int64_t{blockIdx.x} * (2 * k.ways + support_count);
  std::uint32_t *chosen = swaps + k.ways, *places = chosen + k.ways;
  std::int64_t* support = k.support + std::int64_t{blockIdx.x} * support_count;

  for (unsigned i = threadIdx.x; i < k.ways; i += kDrawThreads)
    swaps[i] = swap_place(at, 0, kDrawsPerClass, i, static_cast<std::uint32_t>(k.population));
  __syncthreads();
  for (unsigned i = threadIdx.x; i < k.ways; i += kDrawThreads) chosen[i] = resolve_draw(swaps, 1, i);
  __syncthreads();
  if (k.scheme == TaskScheme::kGroups) {
    for (unsigned i = threadIdx.x; i < support_count; i += kDrawThreads) {
      const unsigned c = i / k.shots;
      const Group group(k, chosen[c]);
      places[i] = group.size == 0 ? 0 : swap_place(at, c * kDrawsPerClass + 1, 1, i - c * k.shots, group.size);
    }
    __syncthreads();
    for (unsigned i = threadIdx.x; i < support_count; i += kDrawThreads) {
      const unsigned c = i / k.shots;
      const Group group(k, chosen[c]);
      support[i] =
          group.size == 0 ? -1 : k.members[group.begin + resolve_draw(places + c * k.shots, 1, i - c * k.shots)];
    }
  } else {
    for (unsigned i = threadIdx.x; i < support_count; i += kDrawThreads) {
      const std::uint32_t image = chosen[i / k.shots];
      support[i] = k.members != nullptr ? k.members[image] : image;
    }
  }
  if (query_count == 0) return;
  __syncthreads();
  for (unsigned i = threadIdx.x; i < query_count; i += kDrawThreads) {
    const unsigned c = i / k.queries;
    k.query[std::int64_t{blockIdx.x} * query_count + i] = support[c * k.shots + (i - c * k.queries) % k.shots];
  }
}

void run_here(const DrawTasks& k, Context& context) {
  const std::int64_t population = check(k), tasks = k.support_index.shape[0];
  const std::int64_t support = std::int64_t{k.ways} * k.shots, query = std::int64_t{k.ways} * k.queries;
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
  IL_CHECK(support + 2 * k.ways <= kMost && query <= kMost && tasks <= kMost,
           "draw_tasks: {} tasks of {} + {} images are more than one launch can address; draw fewer", tasks, support, query);
  if (tasks == 0) return;
  const auto scratch = context.arena().allocate(static_cast<std::size_t>(tasks * (2 * k.ways + support)) *
                                                sizeof(std::uint32_t));
  Draw d = draw_of(k, population);
  d.scratch = static_cast<std::uint32_t*>(scratch.get());
  launch(draw_tasks_kernel, dim3(static_cast<unsigned>(tasks)), dim3(kDrawThreads), 0, stream_of(context), d);
}
IL_REGISTER_KERNEL(DrawTasks);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
