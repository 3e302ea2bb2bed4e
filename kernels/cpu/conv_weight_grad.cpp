// Weight gradient on the CPU: outer tiles (conv_outer.h) over chunks of pixels.
//
// Accuracy and determinism: the pixels of a task are cut by shape into chunks of blocks. A block is summed in registers
// and added to its chunk's partial gradient; the partials of an output are joined in order of task and chunk. Who
// computes which piece is free, so the schedule may follow the number of threads and the bits do not.
#include "kernels/cpu/conv_outer.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr std::int64_t kBlocksPerChunk = 4;  // a partial gradient is worth its join
constexpr std::int64_t kMaxChunks = 16;
constexpr std::int64_t kCutRows = 48;  // whole tiles of any kind
static_assert(kCutRows % kAccumulators == 0 && kCutRows % 16 == 0);

template <class T>
struct WeightGrad {
  const ConvWeightGrad& op;
  const ConvSizes& z;
  int pairs;
  Context& context;
  OuterConv conv;
  std::int64_t chunks = 1, blocks_per_chunk = 1;

  WeightGrad(const ConvWeightGrad& k, const ConvSizes& sizes, int pair_count, Context& c)
      : op(k), z(sizes), pairs(pair_count), context(c), conv(k.geometry, sizes) {
    const ConvSweep& sweep = conv.sweep();
    blocks_per_chunk = larger(kBlocksPerChunk, ceil_div(sweep.blocks, kMaxChunks));
    chunks = larger(1, ceil_div(sweep.blocks, blocks_per_chunk));
  }

  /// A part of one chunk's partial gradient.
  void piece(std::int64_t task, std::int64_t chunk, GradRows part, T* g) const {
    const RowRange rows = conv.sweep().neighbours(chunk * blocks_per_chunk, (chunk + 1) * blocks_per_chunk);
    OuterSource<T> source;
    for (int n = 0; n < pairs; ++n) {
      source.x[n] = op.x[n].as<T>() + task * task_stride(op.x[n]);
      source.gy[n] = op.gy[n].as<T>() + task * task_stride(op.gy[n]) + rows.first * z.q * z.k;
    }
    conv.run(source, pairs, rows, part, g, Start::kZero, context);
  }

  void run() const {
    const std::int64_t size = z.w_size(), out_tasks = op.gw.shape[0], rows = conv.grad_rows();
    T* const gw = op.gw.as<T>();
    if (conv.sweep().blocks == 0) {
      __builtin_memset(gw, 0, static_cast<std::size_t>(out_tasks * size) * sizeof(T));
      return;
    }
    const std::int64_t pieces = z.tasks / out_tasks * chunks;  // of one output
    const std::int64_t threads = ThreadPool::inside() ? 1 : context.threads().threads();
    if (threads == 1 || out_tasks >= 4 * threads) {
      context.threads().parallel_for(out_tasks, [&](std::int64_t out_task) {
        T* const out = gw + out_task * size;
        piece(out_task, 0, {0, rows}, out);
        const Scratch<T> partial(context, pieces > 1 ? size : 0);
        for (std::int64_t i = 1; i < pieces; ++i) {
          piece(out_task + i / chunks, i % chunks, {0, rows}, partial.data());
          add_in_place(out, partial.data(), size);
        }
      });
      return;
    }
    // Pieces side by side, each cut further by rows when there are too few of them.
    const std::int64_t jobs = out_tasks * pieces;
    const std::int64_t cuts_wanted = conv.template takes_all_rows<T>(context) ? 1 : ceil_div(4 * threads, jobs);
    const std::int64_t rows_per_cut = smaller(rows, round_up(ceil_div(rows, cuts_wanted), kCutRows));
    const std::int64_t cuts = ceil_div(rows, rows_per_cut);
    const Scratch<T> partials(context, (pieces - 1) * out_tasks * size);
    context.threads().parallel_for(jobs * cuts, [&](std::int64_t job) {
      const std::int64_t cut = job % cuts, i = job / cuts % pieces, out_task = job / cuts / pieces;
      T* const g = i == 0 ? gw + out_task * size : partials.data() + (out_task * (pieces - 1) + i - 1) * size;
      const std::int64_t first = cut * rows_per_cut;
      piece(out_task + i / chunks, i % chunks, {first, smaller(rows_per_cut, rows - first)}, g);
    });
    if (pieces == 1) return;
    constexpr std::int64_t kSlice = 4096;
    const std::int64_t slices = ceil_div(size, kSlice);
    context.threads().parallel_for(out_tasks * slices, [&](std::int64_t job) {
      const std::int64_t out_task = job / slices, first = job % slices * kSlice;
      for (std::int64_t i = 1; i < pieces; ++i) {
        add_in_place(gw + out_task * size + first, partials.data() + (out_task * (pieces - 1) + i - 1) * size + first,
            smaller(kSlice, size - first));
      }
    });
  }
};

template <class T>
void weight_grad(const ConvWeightGrad& op, const ConvSizes& z, int pairs, Context& context) {
  WeightGrad<T>(op, z, pairs, context).run();
}

void run_here(const ConvWeightGrad& op, Context& context) {
  const int pairs = count_pairs(ConvWeightGrad::kName, op.x, op.gy);
  const ConvSizes z = conv_sizes(ConvWeightGrad::kName, op.geometry, pairs, [&](int n) { return op.x[n]; },
                                 [&](int) -> ConstView { return op.gw; }, [&](int n) { return op.gy[n]; });
  if (op.gw.shape.numel() == 0) return;
  op.gw.dtype == DType::kF32 ? weight_grad<float>(op, z, pairs, context) : weight_grad<double>(op, z, pairs, context);
}

IL_REGISTER_KERNEL(ConvWeightGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
