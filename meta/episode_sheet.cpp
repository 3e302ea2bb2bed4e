#include "meta/episode_sheet.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

constexpr std::int64_t kGap = 4;      ///< between images
constexpr std::int64_t kMargin = 12;  ///< around the sheet and on both sides of a separator
constexpr std::uint8_t kPaper = 245, kLine = 160;

/// One image of [N, H, W, C] values as bytes, in a cell of height x width.
io::Image cell_image(const Tensor& images, std::int64_t n, std::int64_t height, std::int64_t width) {
  const Shape& s = images.shape();
  io::Image image{s[1], s[2], s[3], {}};
  const auto values = images.data<float>().subspan(static_cast<std::size_t>(n * s[1] * s[2] * s[3]),
                                                   static_cast<std::size_t>(s[1] * s[2] * s[3]));
  for (const float v : values)
    image.pixels.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(v, 0.0f, 1.0f) * 255)));
  if (height < s[1]) return io::resize_image(image, height, width);
  // Small drawings are enlarged pixel by pixel: a blur would hide what the network sees.
  const std::int64_t factor = height / s[1];
  io::Image out{height, width, s[3], std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * s[3]))};
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < s[3]; ++c)
        out.pixels[static_cast<std::size_t>((y * width + x) * s[3] + c)] =
            image.pixels[static_cast<std::size_t>(((y / factor) * s[2] + x / factor) * s[3] + c)];
  return out;
}

void paste(io::Image& sheet, const io::Image& image, std::int64_t top, std::int64_t left) {
  const std::int64_t c = sheet.channels;
  for (std::int64_t y = 0; y < image.height; ++y)
    std::copy_n(image.pixels.begin() + y * image.width * c, image.width * c,
                sheet.pixels.begin() + ((top + y) * sheet.width + left) * c);
}

struct Rectangle {
  std::int64_t top, left, height, width;
};

void fill(io::Image& sheet, const Rectangle& r, std::uint8_t value) {
  for (std::int64_t y = r.top; y < r.top + r.height; ++y)
    std::fill_n(sheet.pixels.begin() + (y * sheet.width + r.left) * sheet.channels, r.width * sheet.channels, value);
}

/// Side lengths of a cell: shrunk to max_cell, or enlarged by a whole factor up to min_cell.
Shape cell_size(std::int64_t h, std::int64_t w, const SheetOptions& o) {
  const std::int64_t longest = std::max(h, w);
  if (longest > o.max_cell)
    return {std::max<std::int64_t>(1, h * o.max_cell / longest), std::max<std::int64_t>(1, w * o.max_cell / longest)};
  const std::int64_t factor =
      std::max<std::int64_t>(1, std::min((o.min_cell + longest - 1) / longest, o.max_cell / longest));
  return {h * factor, w * factor};
}

}  // namespace

io::Image episode_sheet(const TaskBatch& tasks, const SheetOptions& options) {
  const Shape &sx = tasks.support_x.shape(), &qx = tasks.query_x.shape();
  IL_CHECK(sx.rank() == 5 && qx.rank() == 5 && sx[0] >= 1 && sx[0] == qx[0], "episode sheet: support {} and query {}",
           sx.to_string(), qx.to_string());
  IL_CHECK(options.ways >= 1 && sx[1] % options.ways == 0 && qx[1] % options.ways == 0,
           "episode sheet: {} support and {} query images a task for {} ways", sx[1], qx[1], options.ways);
  const std::int64_t per_support = sx[1] / options.ways, per_query = qx[1] / options.ways;
  const std::int64_t shots = std::min(per_support, options.max_images),
                     queries = std::min(per_query, options.max_images);
  const Shape cell = cell_size(sx[2], sx[3], options);
  const std::int64_t row = cell[0] + kGap, column = cell[1] + kGap;
  const std::int64_t band = options.ways * row - kGap, step = band + 2 * kMargin + 1;
  const std::int64_t separator = kMargin + shots * column - kGap + kMargin, query_left = separator + 1 + kMargin;
  io::Image sheet{sx[0] * step - 1, query_left + queries * column - kGap + kMargin, sx[4], {}};
  sheet.pixels.assign(static_cast<std::size_t>(sheet.height * sheet.width * sheet.channels), kPaper);
  for (std::int64_t t = 0; t < sx[0]; ++t) {
    const std::int64_t top = t * step + kMargin;
    if (t > 0) fill(sheet, {t * step - 1, kMargin, 1, sheet.width - 2 * kMargin}, kLine);
    fill(sheet, {top, separator, band, 1}, kLine);
    for (std::int64_t c = 0; c < options.ways; ++c) {
      for (std::int64_t i = 0; i < shots; ++i)
        paste(sheet,
              cell_image(tasks.support_x.slice(t, 1).reshape({sx[1], sx[2], sx[3], sx[4]}), c * per_support + i,
                         cell[0], cell[1]),
              top + c * row, kMargin + i * column);
      for (std::int64_t i = 0; i < queries; ++i)
        paste(sheet,
              cell_image(tasks.query_x.slice(t, 1).reshape({qx[1], qx[2], qx[3], qx[4]}), c * per_query + i, cell[0],
                         cell[1]),
              top + c * row, query_left + i * column);
    }
  }
  return sheet;
}

}  // namespace innerloop::meta
