// How a fused conv block cuts a task: by shape alone, so that the bits do not depend on the number of threads.
#pragma once

#include "kernels/conv_block.h"
#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Elements of y that are worked on together: 128 KiB of f32, which stay in the second-level cache beside their operands.
inline constexpr std::int64_t kBlockElements = 32768;

template <class T>
bool worth_fusing(const NormGrid<T>& grid, const ConvGeometry& geometry) {
  return geometry.groups == 1 && grid.task_elements() >= kJoinElements;
}

/// Blocks of bands, for the sweeps from x to y: whole images, or bands of one image.
class BandBlocks {
 public:
  std::int64_t count;

  /// The rows of a block are a multiple of `row_unit`, where bands and images allow it.
  template <class T>
  BandBlocks(const NormGrid<T>& grid, std::int64_t row_unit) : image_(grid.bands_per_image), bands_(grid.bands) {
    const std::int64_t fit = larger(1, kBlockElements / larger(1, grid.side * grid.width * grid.channels));
    if (fit >= image_) {
      each_ = larger(1, fit / larger(1, image_) * image_);
      count = ceil_div(bands_, each_);
      return;
    }
    const std::int64_t unit = grid.side % row_unit == 0 ? 1 : row_unit;
    each_ = ceil_div(ceil_div(image_, ceil_div(image_, fit)), unit) * unit;
    per_image_ = ceil_div(image_, each_);
    count = grid.images * per_image_;
  }

  std::int64_t first(std::int64_t i) const {
    return per_image_ == 0 ? i * each_ : i / per_image_ * image_ + i % per_image_ * each_;
  }
  std::int64_t last(std::int64_t i) const {
    return smaller(first(i) + each_, per_image_ == 0 ? bands_ : (i / per_image_ + 1) * image_);
  }

 private:
  std::int64_t image_, bands_, each_;
  std::int64_t per_image_ = 0;  ///< blocks of an image; 0: blocks of whole images
};

/// body(lanes, k, begin, end) for runs of pooled pixels and each vector of channels, spread over threads.
template <class T, class Body>
IL_INLINE void for_each_pooled(const NormGrid<T>& grid, Context& context, const Body& body) {
  constexpr std::int64_t kRun = 64;
  const std::int64_t pixels = grid.images * grid.window_rows * grid.window_columns;
  const std::int64_t chunk = ceil_div(larger(1, kChunkElements / grid.channels), kRun) * kRun;
  parallel_chunks(context, pixels, chunk, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; p += kRun)
      for_each_vector<T>(grid.channels,
                         [&](auto lanes, std::int64_t k) { body(lanes, k, p, smaller(last, p + kRun)); });
  });
}

/// Blocks of the sweep from gy back to gx and gw: whole images, or rows of one image. A coarse row is one row of y and the
/// `stride` rows of x that its filter row 0 begins with.
struct ImageBlocks {
  std::int64_t coarse;            ///< coarse rows of an image
  std::int64_t rows = 0;          ///< of a block, where an image has several
  std::int64_t per_image = 1;     ///< blocks of an image
  std::int64_t images = 1;        ///< of a block, where per_image is 1
  std::int64_t count, chunk, chunks;  ///< a chunk of blocks shares a partial gradient

  template <class T>
  ImageBlocks(const NormGrid<T>& grid, std::int64_t coarse_rows, std::int64_t row_unit) : coarse(coarse_rows) {
    constexpr std::int64_t kMinRows = 4;  // fewer, and the rows around them, made twice at a chunk's ends, would weigh
    constexpr std::int64_t kMaxChunks = 16;
    const std::int64_t row = larger(1, grid.width * grid.channels);
    const std::int64_t fit = larger(kMinRows, kBlockElements / row);
    if (fit >= coarse) {
      images = larger(1, smaller(grid.images, fit / larger(1, coarse)));
    } else {
      per_image = ceil_div(coarse, fit);
      rows = ceil_div(ceil_div(coarse, per_image), row_unit) * row_unit;
      per_image = ceil_div(coarse, rows);
    }
    count = per_image == 1 ? ceil_div(grid.images, images) : grid.images * per_image;
    chunk = larger(1, ceil_div(count, kMaxChunks));
    chunks = ceil_div(count, chunk);
  }

  struct Block {
    std::int64_t first_image, last_image;  ///< [first, last)
    std::int64_t first, last;              ///< coarse rows [first, last) of each of them
  };
  Block block(std::int64_t i, std::int64_t all_images) const {
    if (per_image == 1) return {i * images, smaller(all_images, (i + 1) * images), 0, coarse};
    const std::int64_t image = i / per_image, first = i % per_image * rows;
    return {image, image + 1, first, smaller(coarse, first + rows)};
  }
};

/// Rows of the batch that a block covers in a grid of `height` rows an image.
IL_INLINE std::int64_t first_row(const ImageBlocks::Block& b, std::int64_t height) {
  return b.first_image * height + smaller(b.first, height);
}
IL_INLINE std::int64_t last_row(const ImageBlocks::Block& b, std::int64_t height) {
  return (b.last_image - 1) * height + smaller(b.last, height);
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
