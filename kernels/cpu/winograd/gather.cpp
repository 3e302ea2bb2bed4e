// Forward convolution and input gradient with fewer products: for each point of the transforms one matrix product
// [tile][channel in] x [channel in][channel out], made by the gather tiles that serve every other convolution.
#include "kernels/cpu/conv_winograd.h"
#include "kernels/cpu/winograd/tiles.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {
namespace {

using V = Vec<float>;

template <class H, class W>
class Gather {
 public:
  Gather(const GatherConv<float>& conv, Context& context)
      : conv_(conv),
        sweep_(conv.sweep),
        context_(context),
        panel_(apart(sweep_.channels * sweep_.out_channels)),
        tiles_(batch_size(conv)),
        source_pitch_(apart(tiles_ * sweep_.channels)),
        sum_pitch_(apart(tiles_ * sweep_.out_channels)),
        weights_(context, conv.pair_count * H::kWeights * W::kWeights * panel_),
        source_(context, conv.pair_count * kPoints * source_pitch_),
        sums_(context, kPoints * sum_pitch_),
        zeros_(context, sweep_.channels),
        tables_(context, 2 * (tiles_ + kTableTail)) {
    for (std::int64_t c = 0; c < sweep_.channels; ++c) zeros_.data()[c] = 0;
    count_up(sweep_.channels, tiles_, tables_.data());
    count_up(sweep_.out_channels, tiles_, tables_.data() + tiles_ + kTableTail);
  }

  void run(std::int64_t out_task, std::int64_t task, RowRange rows, Start start) const {
    for (int n = 0; n < conv_.pair_count; ++n)
      transform_weights(conv_.pairs[n].w + task * conv_.pairs[n].w_task, weights_of(n));
    float* const y = conv_.y + out_task * conv_.y_task - conv_.y_skipped;
    const Stores stores = start == Start::kZero ? conv_.stores : Stores::kCached;
    const RowRange held{conv_.skipped, conv_.source_end};
    const auto windows_of = [&](int n) {
      return Windows<H, W>(sweep_, conv_.pairs[n].x + task * conv_.pairs[n].x_task, held, zeros_.data());
    };
    const Windows<H, W> windows[] = {windows_of(0), windows_of(conv_.pair_count - 1)};
    const Places<H, W> places(sweep_, rows, context_);
    places.for_each_batch(tiles_, [&](const Batch& batch) {
      for (int n = 0; n < conv_.pair_count; ++n)
        for (int t = 0; t < batch.count; ++t)
          windows[n].transform(batch.places[t], 0, sweep_.channels, source_of(n) + t * sweep_.channels, source_pitch_);
      multiply(batch.count, Ahead<H, W>(windows, conv_.pair_count, batch, 0, sweep_.channels));
      for (int t = 0; t < batch.count; ++t) write(batch.places[t], sums_.data() + t * sweep_.out_channels, start, stores, y);
    });
    finish_stores(stores);
  }

 private:
  using Batch = typename Places<H, W>::Batch;
  static constexpr int kPoints = H::kPoints * W::kPoints;

  /// Tiles worked on together: transformed sources and sums stay in the second-level cache beside the weights; a multiple of all
  /// register tiles' pixels.
  static int batch_size(const GatherConv<float>& conv) {
    constexpr std::int64_t kElements = 131072, kUnit = 24, kMost = 96;
    const std::int64_t one = kPoints * (conv.pair_count * conv.sweep.channels + conv.sweep.out_channels);
    return static_cast<int>(larger(kUnit / 2, smaller(kMost, kElements / one / kUnit * kUnit)));
  }

  float* weights_of(int n) const { return weights_.data() + n * H::kWeights * W::kWeights * panel_; }
  float* source_of(int n) const { return source_.data() + n * kPoints * source_pitch_; }

  /// To [weight][channel in][channel out].
  void transform_weights(const float* w, float* to) const {
    for (std::int64_t c = 0; c < sweep_.channels; ++c, w += conv_.w_pitch) {
      for (std::int64_t k = 0; k < sweep_.out_channels; k += V::kLanes, to += V::kLanes)
        on_both_axes<Weight, H, W>(
            [&](int i, int j) IL_LAMBDA_INLINE { return V::load(w + i * conv_.w_tap_h + j * conv_.w_tap_w + k); },
            [&](int a, int b, V value) IL_LAMBDA_INLINE { value.store(to + (a * W::kWeights + b) * panel_); });
    }
  }

  void multiply(int count, Ahead<H, W> ahead) const {
    for_each_point<H, W>([&](std::int64_t point, std::int64_t weight) {
      for_channel_blocks<float>(sweep_.out_channels, [&](std::int64_t channel, int vectors, int last_lanes) {
        Tap<float> taps[2];
        for (int n = 0; n < conv_.pair_count; ++n)
          taps[n] = {source_of(n) + point * source_pitch_, weights_of(n) + weight * panel_ + channel};
        const GatherWork<float> work{taps, conv_.pair_count, sweep_.channels, sweep_.out_channels, tables_.data(),
                                     tables_.data() + tiles_ + kTableTail, count,
                                     sums_.data() + point * sum_pitch_ + channel, last_lanes, Start::kZero};
        gather_blocks(work, vectors);
      });
      ahead.go_on();
    });
  }

  /// The first output of row i of a tile.
  IL_INLINE float* output(const Place& place, int i, float* y) const {
    const std::int64_t row = sweep_.h.out_first + (place.row + i) * sweep_.h.out_step;
    const std::int64_t column = sweep_.w.out_first + place.column * sweep_.w.out_step;
    return y + (place.image * sweep_.out_image + row * sweep_.out_w + column) * sweep_.out_channels;
  }

  /// A tile's outputs from its sums.
  IL_INLINE void write(const Place& place, const float* sums, Start start, Stores stores, float* y) const {
    const int columns = static_cast<int>(smaller(W::kOutputs, sweep_.w.out - place.column));
    float* to[H::kOutputs];
    for (int i = place.first; i < place.last; ++i) to[i] = output(place, i, y);
    const std::int64_t next = sweep_.w.out_step * sweep_.out_channels;
    for (std::int64_t k = 0; k < sweep_.out_channels; k += V::kLanes)
      on_both_axes<Result, H, W>(
          [&](int a, int b) IL_LAMBDA_INLINE { return V::load(sums + (a * W::kPoints + b) * sum_pitch_ + k); },
          [&](int i, int j, V value) IL_LAMBDA_INLINE {
            if (i < place.first || i >= place.last || j >= columns) return;
            float* const at = to[i] + j * next + k;
            if (stores == Stores::kPast) return store_past(at, value);
            (start == Start::kAccumulate ? V::load(at) + value : value).store(at);
          });
  }

  const GatherConv<float>& conv_;
  const ConvSweep& sweep_;
  Context& context_;
  const std::int64_t panel_;  ///< elements from one transformed weight to the next
  const int tiles_;           ///< of a batch
  const std::int64_t source_pitch_, sum_pitch_;
  Scratch<float> weights_, source_, sums_, zeros_;
  Scratch<std::int64_t> tables_;
};

}  // namespace

bool serves(const GatherConv<float>& conv, Winograd tiles) { return tiles != Winograd::kOff && conv.groups == 1 && pays(conv.sweep, tiles); }

void gather_rows(const GatherConv<float>& conv, std::int64_t out_task, RowRange rows, Context& context) {
  with_algorithms(conv.sweep, context.winograd(), [&](auto h, auto w) {
    const Gather<decltype(h), decltype(w)> gather(conv, context);
    for (std::int64_t i = 0; i < conv.tasks / conv.out_tasks; ++i)
      gather.run(out_task, out_task + i, rows, i == 0 ? Start::kZero : Start::kAccumulate);
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
