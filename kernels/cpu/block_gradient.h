// The way back through a conv block that its gradient and the tangent of it share: gy is made block by block in a small
// buffer, from which the input gradient and the weight gradient take it at once. It never travels through memory.
#pragma once

#include "kernels/conv_block.h"
#include "kernels/cpu/block_cut.h"
#include "kernels/cpu/conv_input_grad.h"
#include "kernels/cpu/conv_outer.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// The two convolutions, in whose operands gy [T, N, P, Q, K] has a shape and no address: source 0 and source 1 are what
/// the maker writes. Pair n of either meets source n.
struct BackwardPair {
  ConvInputGrad input;   ///< gx absent: not wanted
  ConvWeightGrad weight;
  int input_pairs = 1, weight_pairs = 1;

  int sources() const { return input_pairs == 2 || weight_pairs == 2 ? 2 : 1; }
};

template <class T>
class BlockBackward {
 public:
  static constexpr std::int64_t kMaxStride = 2;

  /// Whether the operands are such that every task stands alone.
  static bool possible(const BackwardPair& k, const NormGrid<T>& grid) {
    const ConvGeometry& g = k.weight.geometry;
    bool apart = k.weight.gw.shape[0] == grid.tasks && (!k.input.gx || k.input.gx.shape[0] == grid.tasks);
    for (int n = 0; n < k.weight_pairs; ++n) apart &= k.weight.x[n].shape[0] == grid.tasks;
    return apart && worth_fusing(grid, g) && g.stride_h <= kMaxStride && g.stride_w <= kMaxStride;
  }

  BlockBackward(const BackwardPair& k, const NormGrid<T>& grid, Context& context)
      : k_(k),
        grid_(grid),
        context_(context),
        sizes_(conv_sizes(ConvWeightGrad::kName, k.weight.geometry, k.weight_pairs, [&](int n) { return k.weight.x[n]; },
                          [&](int) -> ConstView { return k.weight.gw; }, [&](int n) { return k.weight.gy[n]; })),
        outer_(k.weight.geometry, sizes_),
        blocks_(grid, coarse_rows(), outer_.sweep().row_unit()) {
    if (!k.input.gx) return;
    input_ = std::make_unique<InputGradConv<T>>(k.input, sizes_, k.input_pairs, context);
    for (std::int64_t a = 0; a < input_->residues_h(); ++a) {
      for (std::int64_t b = 0; b < input_->residues_w(); ++b) {
        GatherConv<T>& residue = residues_[residue_count_++] = input_->residue(a, b);
        for (GatherOperand<T>& pair : residue.pairs) pair.x_task = 0;
        const Axis& h = residue.sweep.h;
        if (h.taps == 0) continue;
        below_ = smaller(below_, h.tap_first);
        above_ = larger(above_, h.tap_first + h.span());
      }
    }
  }

  const ConvSizes& sizes() const { return sizes_; }

  /// Task t. make(first band, last band, source 0, source 1, skipped) writes the bands of gy, y's element i to
  /// source[i - skipped].
  template <class Make>
  void run(std::int64_t t, const Make& make) const {
    const std::int64_t size = sizes_.w_size();
    T* const gw = k_.weight.gw.template as<T>() + t * size;
    const Scratch<T> partials(context_, (blocks_.chunks - 1) * size);
    context_.threads().parallel_for(blocks_.chunks, [&](std::int64_t c) {
      chunk(t, c, c == 0 ? gw : partials.data() + (c - 1) * size, make);
    });
    for (std::int64_t c = 1; c < blocks_.chunks; ++c) add_in_place(gw, partials.data() + (c - 1) * size, size);
  }

 private:
  std::int64_t coarse_rows() const {
    const std::int64_t of_x = ceil_div(sizes_.h, k_.weight.geometry.stride_h);
    return k_.input.gx ? larger(of_x, sizes_.p) : sizes_.p;
  }

  /// The rows of gy of some neighbouring bands.
  class Window {
   public:
    Window(const NormGrid<T>& grid, int sources, std::int64_t rows, Context& context)
        : grid_(grid), sources_(sources), row_(grid.width * grid.channels), buffer_(context, sources * rows * row_) {
      for (int n = 0; n < sources; ++n) source_[n] = buffer_.data() + n * rows * row_;
    }

    /// Makes the bands [first, last) be there. What is there already and goes on being needed moves to the front.
    template <class Make>
    void show(std::int64_t first, std::int64_t last, const Make& make) {
      std::int64_t have = first;  // bands [first, have) are there
      if (first >= first_ && first <= last_) {
        have = last_;
        const std::int64_t from = (grid_.row_of(first) - first_row()) * row_;
        const std::int64_t size = (grid_.row_of(have) - grid_.row_of(first)) * row_;
        for (int n = 0; n < sources_ && from > 0; ++n)
          __builtin_memmove(source_[n], source_[n] + from, static_cast<std::size_t>(size) * sizeof(T));
      }
      first_ = first;
      last_ = larger(have, last);
      if (have < last) make(have, last, source_[0], source_[1], first_row() * row_);
    }

    std::int64_t first_row() const { return grid_.row_of(first_); }
    std::int64_t last_row() const { return grid_.row_of(last_); }
    const T* from_row(int source, std::int64_t row) const { return source_[source] + (row - first_row()) * row_; }

   private:
    const NormGrid<T>& grid_;
    int sources_;
    std::int64_t row_;
    std::int64_t first_ = 0, last_ = 0;
    Scratch<T> buffer_;
    T* source_[2] = {};
  };

  template <class Make>
  void chunk(std::int64_t t, std::int64_t c, T* gw, const Make& make) const {
    const std::int64_t height = grid_.height, grad_rows = outer_.grad_rows();
    const bool whole = blocks_.per_image == 1;
    const std::int64_t most = whole ? blocks_.images * height : blocks_.rows + above_ - below_ + 2 * grid_.side;
    Window window(grid_, k_.sources(), most, context_);
    __builtin_memset(gw, 0, static_cast<std::size_t>(sizes_.w_size()) * sizeof(T));
    const std::int64_t end = smaller(blocks_.count, (c + 1) * blocks_.chunk);
    for (std::int64_t i = c * blocks_.chunk; i < end; ++i) {
      const ImageBlocks::Block block = blocks_.block(i, grid_.images);
      const std::int64_t image = block.first_image * height;
      const RowRange read = whole ? RowRange{image, block.last_image * height}
                                  : RowRange{image + larger(0, block.first + below_),
                                             image + smaller(height, block.last - 1 + above_)};
      if (read.count() > 0) window.show(grid_.band_of(read.first), grid_.band_of(read.last - 1) + 1, make);
      for (int r = 0; r < residue_count_; ++r) {
        GatherConv<T> conv = residues_[r];
        for (int n = 0; n < k_.input_pairs; ++n) conv.pairs[n].x = window.from_row(n, window.first_row());
        conv.skipped = window.first_row();
        conv.source_end = window.last_row();
        gather_rows(conv, t, {first_row(block, conv.sweep.h.out), last_row(block, conv.sweep.h.out)}, context_);
      }
      const RowRange own{first_row(block, height), last_row(block, height)};
      OuterSource<T> outer;
      for (int n = 0; n < k_.weight_pairs; ++n) {
        outer.x[n] = k_.weight.x[n].template as<T>() + t * task_stride(k_.weight.x[n]);
        outer.gy[n] = window.from_row(n, own.first);
      }
      if (own.count() > 0) outer_.run(outer, k_.weight_pairs, own, {0, grad_rows}, gw, Start::kAccumulate, context_);
    }
  }

  const BackwardPair& k_;
  const NormGrid<T>& grid_;
  Context& context_;
  ConvSizes sizes_;
  OuterConv outer_;
  ImageBlocks blocks_;
  std::unique_ptr<InputGradConv<T>> input_;  ///< absent: gx is not wanted
  GatherConv<T> residues_[kMaxStride * kMaxStride];
  int residue_count_ = 0;
  std::int64_t below_ = 0, above_ = 1;  ///< coarse row j reads rows [j + below, j + above) of y, its own among them
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
