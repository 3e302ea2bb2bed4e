// The weight gradient with fewer products: for each point of the transforms one matrix product [channel in][tile] x
// [tile][channel out], made by the outer tiles that serve every other convolution.
#include "kernels/cpu/conv_winograd.h"
#include "kernels/cpu/winograd/tiles.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {
namespace {

using V = Vec<float>;

template <class H, class W>
class Outer {
 public:
  Outer(const ConvSizes& z, const ConvSweep& sweep, const OuterSource<float>& source, int pairs, RowRange rows, Context& context)
      : z_(z),
        sweep_(sweep),
        from_(source),
        pairs_(pairs),
        rows_(rows),
        channels_(channels_at_once(z)),
        tiles_(batch_size()),
        x_pitch_(apart(tiles_ * channels_)),
        gy_pitch_(apart(tiles_ * z.k)),
        sum_pitch_(apart(channels_ * z.k)),
        x_(context, pairs * kPoints * x_pitch_),
        gy_(context, pairs * kPoints * gy_pitch_),
        sums_(context, kWeights * sum_pitch_),
        zeros_(context, channels_),
        places_(sweep, rows, context),
        tables_(context, tiles_ + kTableTail + channels_ + kTableTail) {
    for (std::int64_t c = 0; c < channels_; ++c) zeros_.data()[c] = 0;
    count_up(channels_, tiles_, tables_.data());
    count_up(1, channels_, rows_of_tile());
  }

  void run(float* g, Start start) const {
    const auto windows_of = [&](int n) {
      return Windows<H, W>(sweep_, from_.x[n], {0, z_.images * z_.h}, zeros_.data());
    };
    const Windows<H, W> windows[] = {windows_of(0), windows_of(pairs_ - 1)};
    for (std::int64_t c = 0; c < z_.c; c += channels_) {
      const std::int64_t channels = smaller(channels_, z_.c - c);
      bool first = true;
      places_.for_each_batch(tiles_, [&](const Batch& batch) {
        for (int n = 0; n < pairs_; ++n) {
          for (int t = 0; t < batch.count; ++t) {
            windows[n].transform(batch.places[t], c, channels, x_of(n) + t * channels_, x_pitch_);
            spread(batch.places[t], from_.gy[n], gy_of(n) + t * z_.k);
          }
        }
        multiply(batch.count, channels, first, Ahead<H, W>(windows, pairs_, batch, c, channels));
        first = false;
      });
      collect(g + c * z_.k, channels, start);
    }
  }

 private:
  using Batch = typename Places<H, W>::Batch;
  static constexpr int kPoints = H::kPoints * W::kPoints, kWeights = H::kWeights * W::kWeights;

  /// Input channels worked on together: their sums stay in the second-level cache.
  static std::int64_t channels_at_once(const ConvSizes& z) {
    constexpr std::int64_t kElements = 212992;
    const std::int64_t most = larger(V::kLanes, kElements / (kWeights * z.k) / V::kLanes * V::kLanes);
    return round_up(ceil_div(z.c, ceil_div(z.c, most)), V::kLanes);
  }

  int batch_size() const {
    constexpr std::int64_t kElements = 131072, kLeast = 8, kMost = 64;  // no more than outer tiles take in one go
    return static_cast<int>(larger(kLeast, smaller(kMost, kElements / (kPoints * pairs_ * (channels_ + z_.k)))));
  }

  float* x_of(int n) const { return x_.data() + n * kPoints * x_pitch_; }
  float* gy_of(int n) const { return gy_.data() + n * kPoints * gy_pitch_; }
  std::int64_t* rows_of_tile() const { return tables_.data() + tiles_ + kTableTail; }

  /// gy of a tile to to[point * pitch]; what lies outside of the rows or of the image is zero.
  IL_INLINE void spread(const Place& place, const float* gy, float* to) const {
    const int columns = static_cast<int>(smaller(W::kOutputs, sweep_.w.out - place.column));
    const float* const base = gy + ((place.image * z_.p + place.row - rows_.first) * z_.q + place.column) * z_.k;
    const auto load = [&](int i, int j, std::int64_t k) IL_LAMBDA_INLINE { return V::load(base + (i * z_.q + j) * z_.k + k); };
    if (place.first == 0 && place.last == H::kOutputs && columns == W::kOutputs) return spread_pixels(to, load);
    spread_pixels(to, [&](int i, int j, std::int64_t k) IL_LAMBDA_INLINE {
      return i >= place.first && i < place.last && j < columns ? load(i, j, k) : V::zero();
    });
  }

  template <class Load>
  IL_INLINE void spread_pixels(float* to, const Load& load) const {
    for (std::int64_t k = 0; k < z_.k; k += V::kLanes)
      on_both_axes<Spread, H, W>(
          [&](int i, int j) IL_LAMBDA_INLINE { return load(i, j, k); },
          [&](int a, int b, V value) IL_LAMBDA_INLINE { value.store(to + (a * W::kPoints + b) * gy_pitch_ + k); });
  }

  void multiply(int count, std::int64_t channels, bool first, Ahead<H, W> ahead) const {
    bool begun[kWeights];
    for (bool& b : begun) b = !first;
    for_each_point<H, W>([&](std::int64_t point, std::int64_t weight) {
      const Start start = begun[weight] ? Start::kAccumulate : Start::kZero;
      begun[weight] = true;
      for_channel_blocks<float>(z_.k, [&](std::int64_t channel, int vectors, int last_lanes) {
        OuterPair<float> pairs[2] = {};
        for (int n = 0; n < pairs_; ++n) pairs[n] = {x_of(n) + point * x_pitch_, gy_of(n) + point * gy_pitch_ + channel};
        const OuterWork<float> work{pairs, pairs_, tables_.data(), count, z_.k, rows_of_tile(), channels,
                                    sums_.data() + weight * sum_pitch_ + channel, z_.k, last_lanes, start};
        outer_blocks(work, vectors);
      });
      ahead.go_on();
    });
  }

  /// The sums to rows (tap, c) of g.
  void collect(float* g, std::int64_t channels, Start start) const {
    const std::int64_t tap = z_.c * z_.k;
    for (std::int64_t at = 0; at < channels * z_.k; at += V::kLanes)
      on_both_axes<Collect, H, W>(
          [&](int a, int b) IL_LAMBDA_INLINE { return V::load(sums_.data() + (a * W::kWeights + b) * sum_pitch_ + at); },
          [&](int i, int j, V value) IL_LAMBDA_INLINE {
            float* const to = g + (i * W::kTaps + j) * tap + at;
            (start == Start::kAccumulate ? V::load(to) + value : value).store(to);
          });
  }

  const ConvSizes& z_;
  const ConvSweep& sweep_;
  const OuterSource<float>& from_;
  const int pairs_;
  const RowRange rows_;
  const std::int64_t channels_;
  const int tiles_;
  const std::int64_t x_pitch_, gy_pitch_, sum_pitch_;
  Scratch<float> x_, gy_, sums_, zeros_;
  const Places<H, W> places_;
  Scratch<std::int64_t> tables_;
};

}  // namespace

bool serves_outer(const ConvSizes& z, const ConvSweep& sweep, Winograd tiles) {
  return tiles != Winograd::kOff && z.groups == 1 && pays(sweep, tiles);
}

void outer_rows(const ConvSizes& z, const ConvSweep& sweep, const OuterSource<float>& source, int pairs, RowRange rows, float* g,
                Start start, Context& context) {
  with_algorithms(sweep, context.winograd(), [&](auto h, auto w) {
    Outer<decltype(h), decltype(w)>(z, sweep, source, pairs, rows, context).run(g, start);
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
