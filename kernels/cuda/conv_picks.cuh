// Picks of a block's tile (conv_moments.h), from where its moments have laid it down.
#pragma once

#include "kernels/conv_check.h"
#include "kernels/cuda/conv_moments.cuh"

namespace innerloop::kernels::cuda {

/// `values` null: nothing.
struct WritePicks {
  static constexpr int kVector = 4;
  using Values = Together<float, kVector>;
  using Positions = Together<std::uint8_t, kVector>;

  float* values = nullptr;
  std::uint8_t* choice = nullptr;        ///< null: the values are those of a tangent
  const float* gamma = nullptr;          ///< null: 1
  const std::uint8_t* positions = nullptr;
  float* of = nullptr;                   ///< of a tangent: for y's, whose tile lies behind its own; null: kept elsewhere
  int gamma_task = 0;                    ///< elements from one task to the next
  int window_rows = 0, window_columns = 0;  ///< of an image

  WritePicks() = default;
  explicit WritePicks(const ConvPicks& picks)
      : values(picks.values.as<float>()),
        choice(picks.choice.as<std::uint8_t>()),
        gamma(picks.gamma.as<float>()),
        positions(picks.positions.as<std::uint8_t>()),
        of(picks.of.as<float>()) {
    if (values == nullptr) return;
    if (gamma != nullptr) gamma_task = static_cast<int>(task_stride(picks.gamma));
    window_rows = static_cast<int>(picks.values.shape[2]), window_columns = static_cast<int>(picks.values.shape[3]);
  }

  /// Of a tile of rows in `order`, which `values` being wanted has windows.
  template <class Tile>
  __device__ __forceinline__ void take_rows(const TilePlace& at, int columns, const WindowOrder& order, const float* shared) const {
    constexpr int kPitch = WriteMoments<float>::kPitch<Tile>, kAcross = Tile::kBlockN / kVector;
    static_assert(Tile::kBlockM % 4 == 0 && Tile::kThreads % kAcross == 0, "whole windows, and a thread keeps its channels");
    const int column = static_cast<int>(threadIdx.x) % kAcross * kVector, channel = at.first_column + column;
    if (channel >= columns) return;
    const Values scale = scale_of(at.out_task, channel);
    const std::int64_t of_task = static_cast<std::int64_t>(at.out_task) * (order.in_windows / 4);
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x) / kAcross; i < Tile::kBlockM / 4; i += Tile::kThreads / kAcross) {
      if (at.first_row + 4 * i >= order.in_windows) return;
      const std::int64_t to = (of_task + at.first_row / 4 + i) * columns + channel;
      Values pixels[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) pixels[j] = load_as<Values>(shared + (4 * i + j) * kPitch + column);
      if (choice != nullptr) {
        decide(pixels, scale, to);
      } else {
        store_as(values + to, pick(pixels, load_as<Positions>(positions + to)));
      }
    }
  }

  /// Where a tile of an image is.
  struct Place {
    int task, image, row, column;  ///< image: counted over all tasks
    int first_column, columns;     ///< channels: the first, and all
  };

  template <class Tile>
  __device__ __forceinline__ void take_tile(const Place& at, const float* shared) const {
    constexpr int kPitch = WriteMoments<float>::kPitch<Tile>, kAcross = Tile::kBlockN / kVector;
    constexpr int kWindowRows = kSpatialRows / 2, kWindowColumns = kSpatialColumns / 2;
    static_assert(Tile::kThreads % kAcross == 0, "a thread keeps its channels");
    const int column = static_cast<int>(threadIdx.x) % kAcross * kVector, channel = at.first_column + column;
    if (channel >= at.columns) return;
    const Values scale = scale_of(at.task, channel);
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < kWindowRows * kWindowColumns * kAcross; i += Tile::kThreads) {
      const int window = i / kAcross;
      const int row = at.row / 2 + window / kWindowColumns, across = at.column / 2 + window % kWindowColumns;
      if (row >= window_rows || across >= window_columns) continue;
      const float* const first = shared + (window / kWindowColumns * 2 * kSpatialColumns + window % kWindowColumns * 2) * kPitch + column;
      const std::int64_t to =
          ((static_cast<std::int64_t>(at.image) * window_rows + row) * window_columns + across) * at.columns + channel;
      const auto window_at = [](const float* corner, Values(&pixels)[4]) {
#pragma unroll
        for (int j = 0; j < 4; ++j) pixels[j] = load_as<Values>(corner + (j / 2 * kSpatialColumns + j % 2) * kPitch);
      };
      Values pixels[4];
      window_at(first, pixels);
      if (choice != nullptr) {
        decide(pixels, scale, to);
        continue;
      }
      const auto position = load_as<Positions>(positions + to);
      store_as(values + to, pick(pixels, position));
      if (of == nullptr) continue;
      window_at(first + WriteMoments<float>::shared_floats<Tile>(), pixels);
      store_as(of + to, pick(pixels, position));
    }
  }

 private:
  __device__ __forceinline__ Values scale_of(int task, int channel) const {
    if (choice == nullptr || gamma == nullptr) return {1, 1, 1, 1};
    const float* const from = gamma + task * gamma_task + channel;
    const bool aligned = reinterpret_cast<std::uintptr_t>(from) % sizeof(Values) == 0;
    return aligned ? load_as<Values>(from) : Values{from[0], from[1], from[2], from[3]};
  }
  __device__ __forceinline__ void decide(const Values (&window)[4], const Values& scale, std::int64_t to) const {
    Values best;
    Positions position;
#pragma unroll
    for (int l = 0; l < kVector; ++l) {
      const float g = scale.v[l];
      int which = 0;
      best.v[l] = window[0].v[l];
#pragma unroll
      for (int j = 1; j < 4; ++j) {
        const float v = window[j].v[l];
        if (g > 0 ? v > best.v[l] : g < 0 && v < best.v[l]) best.v[l] = v, which = j;
      }
      position.v[l] = static_cast<std::uint8_t>(which);
    }
    store_as(values + to, best);
    store_as(choice + to, position);
  }

  /// By the bits of a position, as the norm's own pick (norm_grid.cuh).
  static __device__ __forceinline__ Values pick(const Values (&window)[4], const Positions& positions) {
    static_assert(kDead == 4, "the two low bits of a choice are its column and its row");
    Values out;
#pragma unroll
    for (int l = 0; l < kVector; ++l) {
      const bool right = (positions.v[l] & 1) != 0;
      const float upper = right ? window[1].v[l] : window[0].v[l], lower = right ? window[3].v[l] : window[2].v[l];
      out.v[l] = (positions.v[l] & 2) != 0 ? lower : upper;
    }
    return out;
  }
};

}  // namespace innerloop::kernels::cuda
