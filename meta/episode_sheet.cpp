#include "meta/episode_sheet.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

constexpr std::int64_t kGap = 4;      ///< between images
constexpr std::int64_t kMargin = 12;  ///< around the sheet and on both sides of a line
constexpr std::uint8_t kPaper = 245, kLine = 150, kFaintLine = 205;

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

/// Where things stand in one task's tile, margins and the line to its right and below not counted.
struct Tile {
  Shape cell;
  std::int64_t ways, shots, queries;  ///< rows, and images in each on both sides

  std::int64_t row() const { return cell[0] + kGap; }
  std::int64_t column() const { return cell[1] + kGap; }
  std::int64_t height() const { return ways * row() - kGap; }
  std::int64_t separator() const { return shots * column() - kGap + kMargin; }
  std::int64_t query_left() const { return separator() + 1 + kMargin; }
  std::int64_t width() const { return query_left() + queries * column() - kGap; }
  /// From one tile to the next: margins on both sides and a line.
  std::int64_t step_down() const { return height() + 2 * kMargin + 1; }
  std::int64_t step_right() const { return width() + 2 * kMargin + 1; }
};

std::int64_t choose_columns(const Tile& tile, std::int64_t tasks) {
  std::int64_t best = 1;
  double least = 1e300;
  for (std::int64_t columns = 1; columns <= tasks; ++columns) {
    const std::int64_t rows = (tasks + columns - 1) / columns;
    const double shape =
        static_cast<double>(columns * tile.step_right()) / static_cast<double>(rows * tile.step_down());
    const double distance = std::abs(std::log(shape / 1.5));
    if (distance >= least) continue;
    least = distance;
    best = columns;
  }
  return best;
}

/// Draws the images [N, H, W, C] of one side of a tile: `shown` of each class from (top, left) on.
void draw_side(io::Image& sheet, const Tile& tile, const Tensor& images, std::int64_t shown, std::int64_t top,
               std::int64_t left) {
  const std::int64_t each = images.shape()[0] / tile.ways;
  for (std::int64_t c = 0; c < tile.ways; ++c)
    for (std::int64_t i = 0; i < shown; ++i)
      paste(sheet, cell_image(images, c * each + i, tile.cell[0], tile.cell[1]), top + c * tile.row(),
            left + i * tile.column());
}

/// Images [N, H, W, C] of task t.
Tensor task_images(const Tensor& images, std::int64_t t) {
  const Shape& s = images.shape();
  return images.slice(t, 1).to_host().reshape({s[1], s[2], s[3], s[4]});
}

}  // namespace

io::Image episode_sheet(const TaskBatch& tasks, const SheetOptions& options) {
  const Shape &sx = tasks.support_x.shape(), &qx = tasks.query_x.shape();
  IL_CHECK(sx.rank() == 5 && qx.rank() == 5 && sx[0] >= 1 && sx[0] == qx[0], "episode sheet: support {} and query {}",
           sx.to_string(), qx.to_string());
  IL_CHECK(options.ways >= 1 && sx[1] % options.ways == 0 && qx[1] % options.ways == 0,
           "episode sheet: {} support and {} query images a task for {} ways", sx[1], qx[1], options.ways);
  const Tile tile{cell_size(sx[2], sx[3], options), options.ways, std::min(sx[1] / options.ways, options.max_images),
                  std::min(qx[1] / options.ways, options.max_images)};
  const std::int64_t columns = options.columns > 0 ? std::min(options.columns, sx[0]) : choose_columns(tile, sx[0]);
  const std::int64_t rows = (sx[0] + columns - 1) / columns;
  io::Image sheet{rows * tile.step_down() - 1, columns * tile.step_right() - 1, sx[4], {}};
  sheet.pixels.assign(static_cast<std::size_t>(sheet.height * sheet.width * sheet.channels), kPaper);
  for (std::int64_t r = 1; r < rows; ++r)
    fill(sheet, {r * tile.step_down() - 1, kMargin, 1, sheet.width - 2 * kMargin}, kLine);
  for (std::int64_t c = 1; c < columns; ++c)
    fill(sheet, {kMargin, c * tile.step_right() - 1, sheet.height - 2 * kMargin, 1}, kLine);
  for (std::int64_t t = 0; t < sx[0]; ++t) {
    const std::int64_t top = t / columns * tile.step_down() + kMargin, left = t % columns * tile.step_right() + kMargin;
    fill(sheet, {top, left + tile.separator(), tile.height(), 1}, kFaintLine);
    draw_side(sheet, tile, task_images(tasks.support_x, t), tile.shots, top, left);
    draw_side(sheet, tile, task_images(tasks.query_x, t), tile.queries, top, left + tile.query_left());
  }
  return sheet;
}

}  // namespace innerloop::meta
