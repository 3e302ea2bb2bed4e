// resize_image: separable, in fixed point.
#include <algorithm>

#include "io/image.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

constexpr std::int64_t kOne = 1 << 16;

/// Output `i` is the sum of weight[offset[i] + j] * source[first[i] + j], j < offset[i + 1] - offset[i].
struct Taps {
  std::vector<std::int64_t> first, offset;
  std::vector<std::uint32_t> weight;  ///< of one output they sum to kOne exactly
};

/// Shrinking: output pixel i covers [i, i + 1) * from / to of the source; weights are the covered shares.
void area_taps(std::int64_t from, std::int64_t to, Taps& taps) {
  for (std::int64_t i = 0; i < to; ++i) {
    // In units of 1/to of a source pixel everything is an integer: pixel s spans [s*to, (s+1)*to), output [i*from, ..).
    const std::int64_t begin = i * from, end = begin + from, first = begin / to, last = (end - 1) / to;
    taps.first.push_back(first);
    std::int64_t covered = 0, given = 0;
    for (std::int64_t s = first; s <= last; ++s) {
      // Weights are differences of the rounded running share, so they sum to one without a correction.
      covered += std::min(end, (s + 1) * to) - std::max(begin, s * to);
      const std::int64_t upto = (covered * kOne + from / 2) / from;
      taps.weight.push_back(static_cast<std::uint32_t>(upto - given));
      given = upto;
    }
    taps.offset.push_back(static_cast<std::int64_t>(taps.weight.size()));
  }
}

/// Growing (or equal): output centre i + 1/2 maps to (i + 1/2) * from / to - 1/2 of the source's pixel centres.
void linear_taps(std::int64_t from, std::int64_t to, Taps& taps) {
  for (std::int64_t i = 0; i < to; ++i) {
    // The centre in units of 1/(2 to), clamped to the first and last pixel.
    const std::int64_t centre = std::clamp<std::int64_t>((2 * i + 1) * from - to, 0, 2 * to * (from - 1));
    const std::int64_t first = std::min(centre / (2 * to), std::max<std::int64_t>(from - 2, 0));
    taps.first.push_back(first);
    if (from == 1) {
      taps.weight.push_back(kOne);
    } else {
      const std::int64_t second = ((centre - first * 2 * to) * kOne + to) / (2 * to);
      taps.weight.push_back(static_cast<std::uint32_t>(kOne - second));
      taps.weight.push_back(static_cast<std::uint32_t>(second));
    }
    taps.offset.push_back(static_cast<std::int64_t>(taps.weight.size()));
  }
}

Taps make_taps(std::int64_t from, std::int64_t to) {
  Taps taps;
  taps.offset.push_back(0);
  to < from ? area_taps(from, to, taps) : linear_taps(from, to, taps);
  return taps;
}

}  // namespace

Image resize_image(const Image& image, std::int64_t height, std::int64_t width) {
  IL_CHECK(image.height > 0 && image.width > 0, "resize: the image of {}x{} pixels is empty", image.width,
           image.height);
  IL_CHECK(height > 0 && width > 0 && height <= kMaxImageSide && width <= kMaxImageSide,
           "resize: to {}x{} pixels is asked, each side must be 1 to {}", width, height, kMaxImageSide);
  if (height == image.height && width == image.width) return image;
  const std::int64_t c_count = image.channels;
  const Taps across = make_taps(image.width, width), down = make_taps(image.height, height);

  // Rows first, to 8.8 fixed point: 255 * 2^16 >> 8 fits 16 bits, and its product with a 16-bit weight fits 32.
  std::vector<std::uint16_t> rows(static_cast<std::size_t>(image.height * width * c_count));
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* source = image.pixels.data() + y * image.width * c_count;
    std::uint16_t* out = rows.data() + y * width * c_count;
    for (std::int64_t x = 0; x < width; ++x) {
      const std::size_t i = static_cast<std::size_t>(x);
      const std::int64_t begin = across.offset[i], end = across.offset[i + 1];
      for (std::int64_t c = 0; c < c_count; ++c) {
        std::uint32_t sum = 1u << 7;
        for (std::int64_t j = begin; j < end; ++j)
          sum += across.weight[static_cast<std::size_t>(j)] * source[(across.first[i] + j - begin) * c_count + c];
        *out++ = static_cast<std::uint16_t>(sum >> 8);
      }
    }
  }
  Image result{height, width, c_count, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * c_count))};
  const std::int64_t row_length = width * c_count;
  std::vector<std::uint32_t> sums(static_cast<std::size_t>(row_length));
  for (std::int64_t y = 0; y < height; ++y) {
    const std::size_t i = static_cast<std::size_t>(y);
    std::fill(sums.begin(), sums.end(), 1u << 23);
    for (std::int64_t j = down.offset[i]; j < down.offset[i + 1]; ++j) {
      const std::uint32_t weight = down.weight[static_cast<std::size_t>(j)];
      const std::uint16_t* source = rows.data() + (down.first[i] + j - down.offset[i]) * row_length;
      for (std::int64_t k = 0; k < row_length; ++k) sums[static_cast<std::size_t>(k)] += weight * source[k];
    }
    std::uint8_t* out = result.pixels.data() + y * row_length;
    for (std::int64_t k = 0; k < row_length; ++k)
      out[k] = static_cast<std::uint8_t>(sums[static_cast<std::size_t>(k)] >> 24);
  }
  return result;
}

}  // namespace innerloop::io
