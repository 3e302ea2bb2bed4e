// Drawing tasks and making their images in one launch: each block finds out for itself which image its part is of. That takes the
// swap places of its class and of its place in it, which its threads draw side by side; nothing is written but images.
#include "kernels/cuda/draw.cuh"
#include "kernels/cuda/gather.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// Blocks of one image at most: each draws again, so a large image has few that go round.
constexpr std::int64_t kMostParts = 16;

struct Episodes {
  Draw draw;
  ImageGather gather[2];  ///< support, query
  unsigned support_blocks;
};

/// Support image `place` of class `c` of a task, -1 where its group has none; `places`: shared, for as many numbers as there are
/// ways or shots. The whole block calls it and gets the same answer.
__device__ __forceinline__ std::int64_t drawn_image(const Draw& k, const TaskAddress& at, unsigned c, unsigned place,
                                                    std::uint32_t* places) {
  for (unsigned i = threadIdx.x; i <= c; i += kGatherThreads)
    places[i] = swap_place(at, 0, kDrawsPerClass, i, static_cast<std::uint32_t>(k.population));
  __syncthreads();
  const std::uint32_t chosen = resolve_draw(places, 1, c);
  if (k.scheme != TaskScheme::kGroups) return k.members != nullptr ? k.members[chosen] : chosen;
  const Group group(k, chosen);
  if (group.size == 0) return -1;
  __syncthreads();  // all have read
  for (unsigned i = threadIdx.x; i <= place; i += kGatherThreads)
    places[i] = swap_place(at, c * kDrawsPerClass + 1, 1, i, group.size);
  __syncthreads();
  return k.members[group.begin + resolve_draw(places, 1, place)];
}

/// Block x: part + parts * image, the support images of all tasks first, then the query images.
__global__ void __launch_bounds__(kGatherThreads) draw_episodes_kernel(const __grid_constant__ Episodes k) {
  grid_dependency_sync();
  IL_DYNAMIC_SHARED(std::uint32_t, places);
  IL_SHARED(Offset, moves, [kMaxAugmentations]);
  const bool support = blockIdx.x < k.support_blocks;
  const ImageGather& gather = k.gather[support ? 0 : 1];
  const unsigned block = support ? blockIdx.x : blockIdx.x - k.support_blocks;
  const ImagePlace at(gather, block / gather.parts);
  draw_moves(gather, at, moves);
  const unsigned each = support ? k.draw.shots : k.draw.queries, c = at.n / each;
  const TaskAddress address{k.draw.seed, k.draw.stream, step_at(k.draw.step, k.draw.clock),
                            k.draw.task0 + at.which / gather.per_task};
  // Query j of a class is its support image j % shots. (A barrier inside is the one that the moves want.)
  const std::int64_t source = drawn_image(k.draw, address, c, (at.n - c * each) % k.draw.shots, places);
  const unsigned part = block % gather.parts * gather.rounds;
  for (unsigned round = 0; round < gather.rounds; ++round) {
    const unsigned first = ((part + round) * kGatherThreads + threadIdx.x) * kQuad;
    if (first < gather.values) gather_quad(gather, at, moves, source, first);
  }
}

void run_here(const DrawEpisodes& k, Context& context) {
  const std::int64_t tasks = k.support.out.shape[0];
  // Views of indices that are never made, for the checks.
  const DrawEpisodes all = with_indices(k, {nullptr, DType::kI64, {tasks, std::int64_t{k.draw.ways} * k.draw.shots}},
                                        {nullptr, DType::kI64, {tasks, std::int64_t{k.draw.ways} * k.draw.queries}});
  Episodes e{};
  e.draw = draw_of(all.draw, check(all.draw));
  const std::int64_t rounds = std::max<std::int64_t>(1, (quad_blocks(all.support) + kMostParts - 1) / kMostParts);
  e.gather[0] = gather_of(all.support, rounds);
  e.gather[1] = gather_of(all.query, rounds);
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
  const std::int64_t support = all.support.index.shape.numel() * e.gather[0].parts,
                     query = all.query.index.shape.numel() * e.gather[1].parts;
  IL_CHECK(support + query <= kMost, "draw_episodes: {} tasks are more than one launch can address; draw fewer", tasks);
  e.support_blocks = static_cast<unsigned>(support);
  if (support + query == 0) return;
  const std::size_t places = std::max(e.draw.ways, e.draw.shots) * sizeof(std::uint32_t);
  launch(draw_episodes_kernel, dim3(static_cast<unsigned>(support + query)), dim3(kGatherThreads), places,
         stream_of(context), e);
}
IL_REGISTER_KERNEL(DrawEpisodes);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
