// Forward convolution and input gradient on AMX tiles: rows of a left operand are pixels, its columns 32 channels of a tap; the
// right operand is the weights, the sums 16 pixels by 16 output channels.
// A tile whose pixels lie evenly spaced is loaded where it lies, any other is first copied together. (A tile of fewer rows takes as
// long as a full one.)
#include "kernels/cpu/amx/planes.h"
#include "kernels/cpu/conv_amx.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx {
namespace {

/// The taps as the tiles see them: steps of kDepth products.
struct Steps {
  Scratch<std::int64_t> from;  ///< offset of each step in the planes
  std::int64_t count = 0;
};

/// Pixels of a left operand.
struct Left {
  const Bf16* planes;
  std::int64_t pitch;        ///< from one plane to the next
  const std::int64_t* from;  ///< of each pixel
  std::int64_t stride;       ///< bytes from one pixel to the next, or 0: copy
};

/// Where a tile load finds one step of a left operand.
struct LeftStep {
  const Bf16* at;
  std::int64_t stride, pitch;
};

IL_INLINE LeftStep step_of(const Left& left, std::int64_t offset, const Bf16* copy) {
  if (left.stride != 0) return {left.planes + left.from[0] + offset, left.stride, left.pitch};
  return {copy, kRowBytes, kTile};
}

/// Rows [first, last) of a step's copy, where it is needed.
IL_INLINE void copy_left(const Left& left, std::int64_t offset, int first, int last, Bf16* copy) {
  if (left.stride != 0) return;
  const Bf16* const base = left.planes + offset;
  for (int r = first; r < last; ++r) {
    const Bf16* const from = base + left.from[r];
#pragma GCC unroll 3
    for (int p = 0; p < kParts; ++p)
      _mm512_store_si512(copy + p * kTile + r * kDepth, _mm512_loadu_si512(from + p * left.pitch));
  }
}

/// The stride of kSide offsets in bytes of `size` each, or 0 when they are not evenly spaced.
IL_INLINE std::int64_t even_stride(const std::int64_t* at, std::int64_t size) {
  const std::int64_t step = at[1] - at[0];
  bool even = true;
  for (int i = 2; i < kSide; ++i) even &= at[i] - at[i - 1] == step;
  return even ? step * size : 0;
}

/// Copies of one step of all left operands. There are two: the next step is copied during the products of this one, since a tile
/// load waits until what it reads has left the store buffer.
struct Copies {
  alignas(64) Bf16 tile[2][4][kParts * kTile];
  int now = 0;  ///< which holds the step that comes next
  Bf16 awake[kTile];  ///< IL_STAY_AWAKE
};

/// Left operands that are multiplied together: four, or two where there are two right ones.
struct Lefts {
  Left left[4];
};

/// Sums 0 to 3 = two tiles of pixels times two of output channels; `right` holds [step][channel tile][part]. The first step of
/// `here` has been copied; that of `next` will have been.
void multiply_2x2(const Lefts& here, const Lefts& next, const Steps& steps, const Bf16* right, Copies& copies) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const std::int64_t* const from = steps.from.data();
  for (std::int64_t s = 0; s < steps.count; ++s, right += 2 * kParts * kTile) {
    Bf16(&copy)[4][kParts * kTile] = copies.tile[copies.now];
    Bf16(&to)[4][kParts * kTile] = copies.tile[1 - copies.now];
    const LeftStep a = step_of(here.left[0], from[s], copy[0]), b = step_of(here.left[1], from[s], copy[1]);
    const bool last = s + 1 == steps.count;
    const Lefts& coming = last ? next : here;
    const std::int64_t offset = from[last ? 0 : s + 1];
    memory_barrier();
    // From each pair of parts to the next, one operand stays.
#define IL_LEFT(part)                              \
  _tile_loadd(4, a.at + (part)*a.pitch, a.stride); \
  _tile_loadd(5, b.at + (part)*b.pitch, b.stride)
#define IL_RIGHT(part)                             \
  _tile_loadd(6, right + (part)*kTile, kRowBytes); \
  _tile_loadd(7, right + (kParts + (part)) * kTile, kRowBytes)
    IL_LEFT(0);
    IL_RIGHT(2);
    IL_MULTIPLY_2X2;
    copy_left(coming.left[0], offset, 0, 8, to[0]);
    IL_RIGHT(1);
    IL_MULTIPLY_2X2;
    copy_left(coming.left[0], offset, 8, 16, to[0]);
    IL_LEFT(1);
    IL_MULTIPLY_2X2;
    copy_left(coming.left[1], offset, 0, 8, to[1]);
    IL_RIGHT(0);
    IL_MULTIPLY_2X2;
    copy_left(coming.left[1], offset, 8, 16, to[1]);
    IL_LEFT(2);
    IL_MULTIPLY_2X2;
    IL_LEFT(0);
    IL_MULTIPLY_2X2;
    IL_STAY_AWAKE(6, copies.awake);
#undef IL_LEFT
#undef IL_RIGHT
    copies.now = 1 - copies.now;
  }
}

/// The same for four tiles of pixels times one of output channels.
void multiply_4x1(const Lefts& here, const Lefts& next, const Steps& steps, const Bf16* right, Copies& copies) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const std::int64_t* const from = steps.from.data();
  for (std::int64_t s = 0; s < steps.count; ++s, right += kParts * kTile) {
    Bf16(&copy)[4][kParts * kTile] = copies.tile[copies.now];
    Bf16(&to)[4][kParts * kTile] = copies.tile[1 - copies.now];
    const bool last = s + 1 == steps.count;
    const Lefts& coming = last ? next : here;
    const std::int64_t offset = from[last ? 0 : s + 1];
    LeftStep a[4];
    for (int i = 0; i < 4; ++i) a[i] = step_of(here.left[i], from[s], copy[i]);
    memory_barrier();
#define IL_ROW(sum, tile, part)                                      \
  _tile_loadd(tile, a[sum].at + (part)*a[sum].pitch, a[sum].stride); \
  _tile_dpbf16ps(sum, tile, 6)
#define IL_MULTIPLY(part) \
  IL_ROW(0, 4, part);     \
  IL_ROW(1, 5, part);     \
  IL_ROW(2, 4, part);     \
  IL_ROW(3, 5, part)
    _tile_loadd(6, right + 2 * kTile, kRowBytes);
    IL_MULTIPLY(0);
    copy_left(coming.left[0], offset, 0, 16, to[0]);
    _tile_loadd(6, right + kTile, kRowBytes);
    IL_MULTIPLY(0);
    copy_left(coming.left[1], offset, 0, 16, to[1]);
    IL_MULTIPLY(1);
    copy_left(coming.left[2], offset, 0, 16, to[2]);
    _tile_loadd(6, right, kRowBytes);
    IL_MULTIPLY(1);
    copy_left(coming.left[3], offset, 0, 16, to[3]);
    IL_MULTIPLY(2);
    IL_MULTIPLY(0);
    IL_STAY_AWAKE(6, copies.awake);
#undef IL_ROW
#undef IL_MULTIPLY
    copies.now = 1 - copies.now;
  }
}

/// The outputs of a tile of pixels.
struct Outputs {
  float* y;                ///< of the tile's first channel
  const std::int64_t* to;  ///< offset of each pixel
  int rows;                ///< pixels that count
  Start start;
  Stores stores;

  /// Asks for the outputs' lines, so that they arrive during the products and the stores do not wait.
  IL_INLINE void prefetch() const {
    if (stores == Stores::kPast) return;
    for (int r = 0; r < rows; ++r) _mm_prefetch(reinterpret_cast<const char*>(y + to[r]), _MM_HINT_T0);
  }
};

/// The sums of four tiles. They leave through here and not straight to the outputs: a tile load waits for every tile store before
/// it, and these are in the first-level cache at once.
struct Sums {
  alignas(64) float tile[4][kSide * kSide];

  IL_INLINE void take() {
    _tile_stored(0, tile[0], kRowBytes);
    _tile_stored(1, tile[1], kRowBytes);
    _tile_stored(2, tile[2], kRowBytes);
    _tile_stored(3, tile[3], kRowBytes);
    memory_barrier();
  }

  IL_INLINE void give(int i, const Outputs& outputs) const {
    const float* from = tile[i];
    if (outputs.stores == Stores::kPast) {
      for (int r = 0; r < outputs.rows; ++r, from += kSide) _mm512_stream_ps(outputs.y + outputs.to[r], _mm512_load_ps(from));
      return;
    }
    for (int r = 0; r < outputs.rows; ++r, from += kSide) {
      float* const to = outputs.y + outputs.to[r];
      __m512 value = _mm512_load_ps(from);
      if (outputs.start == Start::kAccumulate) value = _mm512_add_ps(_mm512_loadu_ps(to), value);
      _mm512_storeu_ps(to, value);
    }
  }
};

class Gather {
 public:
  Gather(const GatherConv<float>& conv, RowRange rows, Context& context)
      : conv_(conv),
        context_(context),
        sweep_(copied(conv.sweep)),
        rows_(rows),
        block_(smaller(rows.count(), rows_that_stay(sweep_))),
        plane_(largest_plane()),
        merged_(sweep_.w.tap_step == 1 && conv.w_tap_w == sweep_.channels * conv.w_pitch),
        taps_w_(merged_ ? 1 : sweep_.w.taps),
        length_(merged_ ? sweep_.w.taps * sweep_.channels : sweep_.channels),
        planes_(context, conv.pair_count * kParts * plane_) {
    steps_.count = conv.pair_count * sweep_.h.taps * taps_w_ * ceil_div(length_, kDepth);
    steps_.from = Scratch<std::int64_t>(context, steps_.count);
    right_ = Scratch<Bf16>(context, steps_.count * (sweep_.out_channels / kSide) * kParts * kTile);
    std::int64_t at = 0;
    for (int n = 0; n < conv.pair_count; ++n)
      for_each_step([&](std::int64_t a, std::int64_t b, std::int64_t first) {
        steps_.from.data()[at++] = n * kParts * plane_ + sweep_.tap_offset(a, b) + first;
      });
  }

  void run(std::int64_t out_task, std::int64_t task, Start start) const {
    pack_weights(task);
    float* const y = conv_.y + out_task * conv_.y_task;
    const std::int64_t tiles = sweep_.out_channels / kSide, even = tiles / 2 * 2, panel = steps_.count * kParts * kTile;
    for (std::int64_t row = rows_.first; row < rows_.last; row += block_) {
      const PixelBlock<float> pixels(sweep_, block_from(row), conv_.skipped, conv_.y_skipped, context_);
      for (int n = 0; n < conv_.pair_count; ++n) {
        const GatherOperand<float>& pair = conv_.pairs[n];
        fill_planes(pixels, plane_, pair.x + task * pair.x_task, planes_.data() + n * kParts * plane_);
      }
      memory_barrier();
      const TileScope scope;
      if (even > 0) columns<2>(pixels, even, right_.data(), y, start);
      if (even < tiles) columns<1>(pixels, 1, right_.data() + even * panel, y + even * kSide, start);
    }
    finish_stores(conv_.stores);
  }

 private:
  RowRange block_from(std::int64_t row) const { return {row, smaller(rows_.last, row + block_)}; }

  /// The planes of all blocks have one pitch, so that the steps' offsets hold for all.
  std::int64_t largest_plane() const {
    std::int64_t largest = 0;
    for (std::int64_t row = rows_.first; row < rows_.last; row += block_)
      largest = larger(largest, sweep_.copy_size(block_from(row)));
    return plane_size(largest);
  }

  /// body(tap row, tap column, first product of the tap)
  template <class Body>
  IL_INLINE void for_each_step(const Body& body) const {
    for (std::int64_t a = 0; a < sweep_.h.taps; ++a)
      for (std::int64_t b = 0; b < taps_w_; ++b)
        for (std::int64_t first = 0; first < length_; first += kDepth) body(a, b, first);
  }

  /// Panels [two tiles of columns][step][tile of the two][part], a last odd tile alone.
  void pack_weights(std::int64_t task) const {
    const std::int64_t tiles = sweep_.out_channels / kSide;
    std::int64_t step = 0;
    for (int n = 0; n < conv_.pair_count; ++n) {
      const float* const w = conv_.pairs[n].w + task * conv_.pairs[n].w_task;
      for_each_step([&](std::int64_t a, std::int64_t b, std::int64_t first) {
        const float* const rows = w + a * conv_.w_tap_h + b * conv_.w_tap_w + first * conv_.w_pitch;
        const std::int64_t valid = smaller(kDepth, length_ - first);
        for (std::int64_t j = 0; j < tiles; ++j) {
          const std::int64_t width = j + 1 == tiles && tiles % 2 != 0 ? 1 : 2;
          Bf16* const to = right_.data() + (j / 2 * 2 * steps_.count + step * width + j % 2) * kParts * kTile;
          for (std::int64_t r = 0; r < valid; r += 2) {
            const float* const row = rows + r * conv_.w_pitch + j * kSide;
            store_pair(_mm512_loadu_ps(row), _mm512_loadu_ps(row + conv_.w_pitch), to + r * kSide, kTile);
          }
          for (int p = 0; p < kParts && valid < kDepth; ++p)
            __builtin_memset(to + p * kTile + valid * kSide, 0, static_cast<std::size_t>((kDepth - valid) * kSide) * sizeof(Bf16));
        }
        ++step;
      });
    }
  }

  /// `count` left operands from pixel `at` on.
  Lefts lefts(const PixelBlock<float>& pixels, std::int64_t at, int count) const {
    Lefts made;
    for (int i = 0; i < count; ++i, at += kSide) {
      const std::int64_t* const from = pixels.from() + at;
      // Where nothing is left: a tile whose sums nobody takes.
      made.left[i] = at < pixels.pixels() ? Left{planes_.data(), plane_, from, even_stride(from, sizeof(Bf16))} : made.left[0];
    }
    return made;
  }

  Outputs outputs(const PixelBlock<float>& pixels, float* y, std::int64_t at, Start start) const {
    const int rows = static_cast<int>(larger(0, smaller(kSide, pixels.pixels() - at)));
    return {y, pixels.to() + at, rows, start, start == Start::kZero ? conv_.stores : Stores::kCached};
  }

  /// All pixels, for `tiles` tiles of output channels, kTiles at once. An output pixel is finished before the next, so that what is
  /// written lies together.
  template <int kTiles>
  void columns(const PixelBlock<float>& pixels, std::int64_t tiles, const Bf16* right, float* y, Start start) const {
    constexpr int kLefts = 4 / kTiles;
    constexpr std::int64_t kPixels = kLefts * kSide;
    Copies copies;
    Sums sums;
    const std::int64_t count = pixels.pixels(), panel = steps_.count * kParts * kTile;
    Lefts here = lefts(pixels, 0, kLefts);
    for (int i = 0; i < kLefts; ++i) copy_left(here.left[i], steps_.from.data()[0], 0, kSide, copies.tile[0][i]);
    for (std::int64_t at = 0; at < count; at += kPixels) {
      const Lefts after = at + kPixels < count ? lefts(pixels, at + kPixels, kLefts) : here;
      for (std::int64_t j = 0; j < tiles; j += kTiles) {
        const Lefts& next = j + kTiles < tiles ? here : after;
        Outputs to[4];
        for (int i = 0; i < 4; ++i) {
          to[i] = outputs(pixels, y + (j + i % kTiles) * kSide, at + i / kTiles * kSide, start);
          to[i].prefetch();
        }
        if constexpr (kTiles == 2) {
          multiply_2x2(here, next, steps_, right + j * panel, copies);
        } else {
          multiply_4x1(here, next, steps_, right + j * panel, copies);
        }
        sums.take();
        for (int i = 0; i < 4; ++i) sums.give(i, to[i]);
      }
      here = after;
    }
  }

  const GatherConv<float>& conv_;
  Context& context_;
  const ConvSweep sweep_;
  const RowRange rows_;
  const std::int64_t block_;  ///< rows worked on together
  const std::int64_t plane_;
  const bool merged_;  ///< filter columns are neighbours in the source and in the weights: one long tap
  const std::int64_t taps_w_, length_;
  Scratch<Bf16> planes_, right_;
  Steps steps_;
};

}  // namespace

bool serves(const GatherConv<float>& conv) {
  const ConvSweep& sweep = conv.sweep;
  return conv.groups == 1 && sweep.channels % kSide == 0 && sweep.out_channels % kSide == 0 && sweep.h.taps > 0 &&
         sweep.w.taps > 0 && sweep.channels > 0 && sweep.rows() * sweep.w.out >= kMinPixels;
}

void gather_rows(const GatherConv<float>& conv, std::int64_t out_task, RowRange rows, Context& context) {
  const Gather gather(conv, rows, context);
  for (std::int64_t i = 0; i < conv.tasks / conv.out_tasks; ++i)
    gather.run(out_task, out_task + i, i == 0 ? Start::kZero : Start::kAccumulate);
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx
