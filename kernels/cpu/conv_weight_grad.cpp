// Weight gradient on the CPU: outer tiles over rows (tap, c), one product a pixel.
//
// Accuracy and determinism: the pixels of a task are cut by shape into chunks of blocks. A block is summed in registers
// and added to its chunk's partial gradient; the partials of an output are joined in order of task and chunk. Who
// computes which piece is free, so the schedule may follow the number of threads and the bits do not.
#include "kernels/cpu/conv_block.h"
#include "kernels/conv_check.h"
#include "kernels/cpu/conv_depthwise.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr std::int64_t kBlockPixels = 256;    // x and gy of a block stay in the second-level cache
constexpr std::int64_t kBlocksPerChunk = 4;   // a partial gradient is worth its join
constexpr std::int64_t kMaxChunks = 16;

template <class T>
struct WeightGrad {
  const ConvWeightGrad& op;
  const ConvSizes& z;
  int pairs;
  Context& context;
  Sweep sweep{};
  std::int64_t chunks = 1, blocks_per_chunk = 0;

  std::int64_t rows() const { return z.r * z.s * z.group_c(); }

  void plan() {
    const ConvGeometry& g = op.geometry;
    sweep.h = forward_axis(z.h, z.p, z.r, g.stride_h, g.pad_top, g.dilation_h);
    sweep.w = forward_axis(z.w, z.q, z.s, g.stride_w, g.pad_left, g.dilation_w);
    sweep.images = z.images;
    sweep.channels = z.c;
    sweep.out_w = z.q;
    sweep.out_image = z.p * z.q;
    sweep.out_channels = z.k;
    sweep.cut(kBlockPixels);
    blocks_per_chunk = larger(kBlocksPerChunk, ceil_div(sweep.blocks, kMaxChunks));
    chunks = larger(1, ceil_div(sweep.blocks, blocks_per_chunk));
  }

  /// gy of a block, padded to whole vectors a group when its channels are none.
  const T* right_operand(const T* gy, std::int64_t pixels, std::int64_t pitch, T* copy) const {
    if (copy == nullptr) return gy;
    const std::int64_t group_k = z.group_k();
    T* to = copy;
    for (std::int64_t i = 0; i < pixels * z.groups; ++i, gy += group_k, to += pitch) {
      for (std::int64_t k = 0; k < pitch; ++k) to[k] = k < group_k ? gy[k] : T{0};
    }
    return copy;
  }

  /// Rows [row_first, row_first + row_count) of one chunk's partial gradient.
  void piece(std::int64_t task, std::int64_t chunk, std::int64_t row_first, std::int64_t row_count, T* g) const {
    const std::int64_t group_c = z.group_c(), group_k = z.group_k();
    const std::int64_t padded = round_up(group_k, Vec<T>::kLanes);
    const bool depthwise = z.groups > 1 && group_c == 1 && group_k == 1;
    const bool pack = padded != group_k && !depthwise;
    const Scratch<std::int64_t> offsets(context, row_count + kAccumulators);
    for (std::int64_t i = 0; i < row_count + kAccumulators; ++i) {
      const std::int64_t row = smaller(row_first + i, row_first + row_count - 1);
      const std::int64_t tap = row / group_c;
      offsets.get()[i] = sweep.tap_offset(tap / z.s, tap % z.s) + row % group_c;
    }
    const std::int64_t first = chunk * blocks_per_chunk, last = smaller(sweep.blocks, first + blocks_per_chunk);
    for (std::int64_t block = first; block < last; ++block) {
      const PixelBlock<T> pixels(sweep, block, context);
      const std::int64_t gy_copy = pack ? pixels.pixels() * z.groups * padded : 0;
      const Scratch<T> copies(context, pairs * (pixels.copy_size() + gy_copy));
      T* copy = copies.get();
      OuterPair<T> source[2] = {};
      for (int n = 0; n < pairs; ++n) {
        source[n].x = pixels.fill(op.x[n].as<T>() + task * task_stride(op.x[n]), copy);
        copy += pixels.copy_size();
        const T* const gy = op.gy[n].as<T>() + task * task_stride(op.gy[n]) + pixels.first_pixel() * z.k;
        source[n].gy = right_operand(gy, pixels.pixels(), padded, pack ? copy : nullptr);
        copy += gy_copy;
      }
      OuterWork<T> work{source, pairs, pixels.from(), pixels.pixels(), pack ? z.groups * padded : z.k, offsets.get(),
                        row_count, g + row_first * z.k, z.k, 0, block == first ? Start::kZero : Start::kAccumulate};
      if (depthwise) {
        depthwise_outer(work, z.c);
        continue;
      }
      for (std::int64_t group = 0; group < z.groups; ++group) {
        for_channel_blocks<T>(group_k, [&](std::int64_t channel, int vectors, int last_lanes) {
          OuterPair<T> here[2] = {};
          for (int n = 0; n < pairs; ++n) {
            here[n] = {source[n].x + group * group_c, source[n].gy + group * (pack ? padded : group_k) + channel};
          }
          work.pairs = here;
          work.g = g + row_first * z.k + group * group_k + channel;
          work.last_lanes = last_lanes;
          outer_blocks(work, vectors);
        });
      }
    }
  }

  static void add(T* to, const T* from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
  }

  void run() const {
    const std::int64_t size = z.w_size(), out_tasks = op.gw.shape[0];
    T* const gw = op.gw.as<T>();
    if (sweep.blocks == 0) {
      __builtin_memset(gw, 0, static_cast<std::size_t>(out_tasks * size) * sizeof(T));
      return;
    }
    const std::int64_t pieces = z.tasks / out_tasks * chunks;  // of one output
    const std::int64_t threads = ThreadPool::inside() ? 1 : context.threads().threads();
    if (threads == 1 || out_tasks >= 4 * threads) {
      context.threads().parallel_for(out_tasks, [&](std::int64_t out_task) {
        T* const out = gw + out_task * size;
        piece(out_task, 0, 0, rows(), out);
        const Scratch<T> partial(context, pieces > 1 ? size : 0);
        for (std::int64_t i = 1; i < pieces; ++i) {
          piece(out_task + i / chunks, i % chunks, 0, rows(), partial.get());
          add(out, partial.get(), size);
        }
      });
      return;
    }
    // Pieces side by side, each cut further by rows when there are too few of them.
    const std::int64_t jobs = out_tasks * pieces;
    const std::int64_t cuts_wanted = ceil_div(4 * threads, jobs);
    const std::int64_t rows_per_cut = smaller(rows(), round_up(ceil_div(rows(), cuts_wanted), kAccumulators));
    const std::int64_t cuts = ceil_div(rows(), rows_per_cut);
    const Scratch<T> partials(context, (pieces - 1) * out_tasks * size);
    context.threads().parallel_for(jobs * cuts, [&](std::int64_t job) {
      const std::int64_t cut = job % cuts, i = job / cuts % pieces, out_task = job / cuts / pieces;
      T* const g = i == 0 ? gw + out_task * size : partials.get() + (out_task * (pieces - 1) + i - 1) * size;
      const std::int64_t first = cut * rows_per_cut;
      piece(out_task + i / chunks, i % chunks, first, smaller(rows_per_cut, rows() - first), g);
    });
    if (pieces == 1) return;
    constexpr std::int64_t kSlice = 4096;
    const std::int64_t slices = ceil_div(size, kSlice);
    context.threads().parallel_for(out_tasks * slices, [&](std::int64_t job) {
      const std::int64_t out_task = job / slices, first = job % slices * kSlice;
      for (std::int64_t i = 1; i < pieces; ++i) {
        add(gw + out_task * size + first, partials.get() + (out_task * (pieces - 1) + i - 1) * size + first,
            smaller(kSlice, size - first));
      }
    });
  }
};

template <class T>
void weight_grad(const ConvWeightGrad& op, const ConvSizes& z, int pairs, Context& context) {
  WeightGrad<T> grad{op, z, pairs, context};
  grad.plan();
  grad.run();
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
