#include "io/window.h"

#include <algorithm>
#include <cmath>

namespace innerloop::io {
namespace {

constexpr std::size_t kValues = 65536;
using Histogram = std::vector<std::uint64_t>;  // [kValues]
using Table = std::vector<std::uint8_t>;       // [kValues] the byte of each sample

/// The smallest value that at least ceil(n * per_mille / 1000) samples do not exceed.
std::int64_t percentile(const Histogram& histogram, std::uint64_t n, std::uint64_t per_mille) {
  const std::uint64_t wanted = std::max<std::uint64_t>(1, (n * per_mille + 999) / 1000);
  std::uint64_t seen = 0;
  for (std::size_t v = 0; v < kValues; ++v) {
    seen += histogram[v];
    if (seen >= wanted) return static_cast<std::int64_t>(v);
  }
  return kValues - 1;
}

Table by_percentiles(const Histogram& histogram, std::uint64_t n) {
  const std::int64_t low = percentile(histogram, n, 5), high = percentile(histogram, n, 995);
  Table table(kValues);
  for (std::size_t v = 0; v < kValues; ++v) {
    const std::int64_t value = std::clamp(static_cast<std::int64_t>(v), low, high);
    table[v] = high > low ? static_cast<std::uint8_t>(((value - low) * 255 + (high - low) / 2) / (high - low))
                          : static_cast<std::uint8_t>(v >> 8);
  }
  return table;
}

/// Empty when the window does not speak of these samples.
Table by_dicom(const Histogram& histogram, std::uint64_t n, const DicomWindow& window) {
  if (!(window.width >= 1) || !std::isfinite(window.center) || !std::isfinite(window.width)) return {};
  const double half = (window.width - 1) / 2, middle = window.center - 0.5;
  Table table(kValues);
  std::uint64_t inside = 0;
  for (std::size_t v = 0; v < kValues; ++v) {
    const double x = static_cast<double>(v);
    if (x <= middle - half) {
      table[v] = 0;
    } else if (x > middle + half) {
      table[v] = 255;
    } else {
      table[v] = static_cast<std::uint8_t>(std::lround(((x - middle) / (window.width - 1) + 0.5) * 255));
      inside += histogram[v];
    }
  }
  return 2 * inside >= n ? table : Table{};
}

}  // namespace

std::vector<std::uint8_t> windowed(std::span<const std::uint16_t> samples, const std::optional<DicomWindow>& window) {
  Histogram histogram(kValues);
  for (const std::uint16_t sample : samples) ++histogram[sample];
  Table table;
  if (window) table = by_dicom(histogram, samples.size(), *window);
  if (table.empty()) table = by_percentiles(histogram, samples.size());
  std::vector<std::uint8_t> bytes(samples.size());
  std::ranges::transform(samples, bytes.begin(), [&](std::uint16_t sample) { return table[sample]; });
  return bytes;
}

}  // namespace innerloop::io
