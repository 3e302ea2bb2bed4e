// Tiles of a sweep: neighbouring outputs that are made together, and the window of the source that they read.
#pragma once

#include "kernels/cpu/winograd/axis.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {

/// A tile: its first output, a multiple of the tile's size within its image wherever the rows are cut, so that no bit
/// depends on the cut. Of its rows, [first, last) are wanted.
struct Place {
  std::int64_t image, row, column;
  int first, last;
};

/// body(place) for the tiles that cover the output rows `rows`, image by image.
template <class H, class W, class Body>
IL_INLINE void for_each_tile(const ConvSweep& sweep, RowRange rows, const Body& body) {
  for (std::int64_t row = rows.first; row < rows.last;) {
    const std::int64_t image = row / sweep.h.out, top = row % sweep.h.out;
    const std::int64_t bottom = smaller(sweep.h.out, top + rows.last - row);
    for (std::int64_t at = top / H::kOutputs * H::kOutputs; at < bottom; at += H::kOutputs) {
      const int first = static_cast<int>(larger(0, top - at)), last = static_cast<int>(smaller(H::kOutputs, bottom - at));
      for (std::int64_t column = 0; column < sweep.w.out; column += W::kOutputs) body(Place{image, at, column, first, last});
    }
    row += bottom - top;
  }
}

/// The tiles of some rows, and batches of them.
template <class H, class W>
class Places {
 public:
  Places(const ConvSweep& sweep, RowRange rows, Context& context) {
    for_each_tile<H, W>(sweep, rows, [&](const Place&) { ++count_; });
    places_ = Scratch<Place>(context, count_);
    Place* to = places_.data();
    for_each_tile<H, W>(sweep, rows, [&](const Place& place) { *to++ = place; });
  }

  struct Batch {
    const Place* places;
    int count;
    int next;  ///< tiles of the batch behind it, whose places follow
  };
  /// body(batch) for `most` tiles at a time.
  template <class Body>
  IL_INLINE void for_each_batch(int most, const Body& body) const {
    for (std::int64_t at = 0; at < count_; at += most) {
      const std::int64_t count = smaller(most, count_ - at), next = smaller(most, count_ - at - count);
      body(Batch{places_.data() + at, static_cast<int>(count), static_cast<int>(next)});
    }
  }

 private:
  std::int64_t count_ = 0;
  Scratch<Place> places_;
};

/// Elements from one of several matrices of `size` elements to the next: one line more, or the stores of what becomes of one
/// vector would all fall into one set of the first-level cache.
inline std::int64_t apart(std::int64_t size) { return size + 16; }

/// body(point, its weight); points that share a weight follow each other, so that it stays in the cache.
template <class H, class W, class Body>
IL_INLINE void for_each_point(const Body& body) {
  for (int weight = 0; weight < H::kWeights * W::kWeights; ++weight)
    for (int a = 0; a < H::kPoints; ++a)
      for (int b = 0; b < W::kPoints; ++b)
        if (H::weight_of(a) * W::kWeights + W::weight_of(b) == weight) body(a * W::kPoints + b, weight);
}

/// Offsets 0, step, 2*step, ... as the register tiles read them.
inline void count_up(std::int64_t step, std::int64_t count, std::int64_t* table) {
  for (std::int64_t i = 0; i < count + kTableTail; ++i) table[i] = smaller(i, count - 1) * step;
}

/// Windows of one task's source, transformed.
template <class H, class W>
class Windows {
 public:
  /// The source holds the batch's rows [held.first, held.last); what is outside of them or of the image is zero. `zeros` is a pixel
  /// of nothing else.
  Windows(const ConvSweep& sweep, const float* source, RowRange held, const float* zeros)
      : sweep_(sweep), source_(source), held_(held), zeros_(zeros) {}

  /// Channels [first, first + channels) of a tile's window to to[point * pitch].
  IL_INLINE void transform(const Place& place, std::int64_t first, std::int64_t channels, float* to, std::int64_t pitch) const {
    const std::int64_t line = place.row * H::kStep + sweep_.h.tap_first, pixel = place.column * W::kStep + sweep_.w.tap_first;
    const std::int64_t in_batch = place.image * sweep_.h.in, row = sweep_.w.in * sweep_.channels;
    const std::int64_t begin = larger(0, held_.first - in_batch), end = smaller(sweep_.h.in, held_.last - in_batch);
    const float* const at = corner(place) + first;
    if (line >= begin && line + H::kWindow <= end && pixel >= 0 && pixel + W::kWindow <= sweep_.w.in) {
      transform_pixels(channels, to, pitch, [&](int i, int j) IL_LAMBDA_INLINE { return at + i * row + j * sweep_.channels; });
      return;
    }
    const float* pixels[H::kWindow][W::kWindow];
    for (int i = 0; i < H::kWindow; ++i) {
      for (int j = 0; j < W::kWindow; ++j) {
        const bool inside = line + i >= begin && line + i < end && pixel + j >= 0 && pixel + j < sweep_.w.in;
        pixels[i][j] = inside ? at + i * row + j * sweep_.channels : zeros_;
      }
    }
    transform_pixels(channels, to, pitch, [&](int i, int j) IL_LAMBDA_INLINE { return pixels[i][j]; });
  }

  /// Asks for the same channels of one row of it.
  IL_INLINE void ask(const Place& place, int row, std::int64_t first, std::int64_t channels) const {
    constexpr std::int64_t kLine = 64 / sizeof(float);
    const std::int64_t line = place.row * H::kStep + sweep_.h.tap_first + row, pixel = place.column * W::kStep + sweep_.w.tap_first;
    const std::int64_t in_batch = place.image * sweep_.h.in + line;
    if (line < 0 || line >= sweep_.h.in || in_batch < held_.first || in_batch >= held_.last) return;
    const float* const at = source_ + (in_batch - held_.first) * sweep_.w.in * sweep_.channels + first;
    for (std::int64_t j = larger(0, pixel); j < smaller(sweep_.w.in, pixel + W::kWindow); ++j)
      for (std::int64_t c = 0; c < channels; c += kLine) __builtin_prefetch(at + j * sweep_.channels + c, 0, 2);
  }

 private:
  /// Where a tile's window begins, if it lies in the source.
  IL_INLINE const float* corner(const Place& place) const {
    const std::int64_t line = place.row * H::kStep + sweep_.h.tap_first, pixel = place.column * W::kStep + sweep_.w.tap_first;
    return source_ + ((place.image * sweep_.h.in + line - held_.first) * sweep_.w.in + pixel) * sweep_.channels;
  }

  template <class Pixel>
  IL_INLINE static void transform_pixels(std::int64_t channels, float* to, std::int64_t pitch, const Pixel& pixel) {
    using V = Vec<float>;
    for (std::int64_t c = 0; c < channels; c += V::kLanes)
      on_both_axes<Source, H, W>(
          [&](int i, int j) IL_LAMBDA_INLINE { return V::load(pixel(i, j) + c); },
          [&](int a, int b, V value) IL_LAMBDA_INLINE { value.store(to + (a * W::kPoints + b) * pitch + c); });
  }

  const ConvSweep& sweep_;
  const float* source_;
  RowRange held_;
  const float* zeros_;
};

/// Asks for the windows of the batch of tiles behind this one, some rows at a time between the products of this one: a source that
/// comes from memory then is in the second-level cache when it is transformed.
template <class H, class W>
class Ahead {
 public:
  /// Channels [first, first + channels) of `pairs` sources.
  Ahead(const Windows<H, W>* windows, int pairs, const typename Places<H, W>::Batch& batch, std::int64_t first,
        std::int64_t channels)
      : windows_(windows),
        places_(batch.places + batch.count),
        tiles_(batch.next),
        rows_(pairs * batch.next * H::kWindow),
        first_(first),
        channels_(channels) {}

  /// After a point's products.
  IL_INLINE void go_on() {
    for (++points_; at_ < rows_ * points_ / (H::kPoints * W::kPoints); ++at_) {
      const int tile = at_ / H::kWindow;
      windows_[tile / tiles_].ask(places_[tile % tiles_], at_ % H::kWindow, first_, channels_);
    }
  }

 private:
  const Windows<H, W>* windows_;
  const Place* places_;
  int tiles_, rows_;  ///< rows of windows, of both pairs
  std::int64_t first_, channels_;
  int points_ = 0, at_ = 0;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
