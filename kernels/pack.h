// Small results of many kernels, brought together on the device that made them.
//
// Dtypes: parts f32 or f64, each its own. Determinism: copies only. Aliasing: none. Traffic: read once, written once; a launch
// takes kMaxParts parts, more are taken in turns.
#pragma once

#include <span>

#include "kernels/kernel.h"

namespace innerloop::kernels {

inline constexpr std::size_t kMaxParts = 48;

/// out[t, k] = columns[k][t].
/// Shapes: each column [T], out [T, K]; one dtype.
struct Interleave {
  static constexpr std::string_view kName = "interleave";
  std::span<const ConstView> columns;
  View out;
};
inline KernelCost cost_of(const Interleave& k) {
  return {0, bytes_of(k.columns, k.out)};
}

/// row[clock % rows, :] = the elements of all parts, one after another, as f64.
/// Shapes: ring f64 [rows, sum of the parts' elements]; clock i64 [1], or absent for row 0.
struct PackRow {
  static constexpr std::string_view kName = "pack_row";
  std::span<const ConstView> parts;
  ConstView clock;
  View ring;
};
inline KernelCost cost_of(const PackRow& k) {
  // Of the ring, one row.
  return {0, bytes_of(k.parts, k.clock) + 8 * elements_of(k.parts)};
}

}  // namespace innerloop::kernels
