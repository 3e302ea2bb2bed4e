// Maps of a conv block as its convolutions make them, band by band.
#pragma once

#include "kernels/cpu/conv_gather.h"
#include "kernels/cpu/norm_grid.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// One of a block's maps: where it lies as a whole (null: nowhere), and the convolution that makes it (null: it is there).
template <class T>
struct BlockMap {
  T* stored = nullptr;
  const GatherConv<T>* conv = nullptr;
};

/// A source of bands (norm_grid.h): convolves them into the stored maps or, where those have no address, into memory that lives
/// as long as what it returns. Both maps are stored, or neither.
template <class T>
class MadeMaps {
 public:
  class Held {
   public:
    Maps<T> maps() const { return maps_; }

   private:
    friend MadeMaps;
    Scratch<T> memory_;
    Maps<T> maps_{};
  };

  MadeMaps(const NormGrid<T>& grid, std::int64_t t, BlockMap<T> y, BlockMap<T> ty, Context& context)
      : grid_(grid), t_(t), y_(y), ty_(ty), context_(context) {}

  Held operator()(std::int64_t first, std::int64_t last) const {
    const RowRange rows{grid_.row_of(first), grid_.row_of(last)};
    const std::int64_t row = grid_.width * grid_.channels, size = rows.count() * row;
    const bool apart = y_.stored == nullptr;
    Held held;
    if (apart) held.memory_ = Scratch<T>(context_, 2 * size);
    held.maps_.skipped = apart ? rows.first * row : 0;
    held.maps_.y = make(y_, rows, apart ? held.memory_.data() : nullptr, held.maps_.skipped);
    held.maps_.ty = make(ty_, rows, apart ? held.memory_.data() + size : nullptr, held.maps_.skipped);
    return held;
  }

 private:
  const T* make(const BlockMap<T>& map, RowRange rows, T* memory, std::int64_t skipped) const {
    T* const whole = map.stored == nullptr ? nullptr : map.stored + t_ * grid_.task_elements();
    if (map.conv == nullptr) return whole;
    if (memory == nullptr) {
      gather_rows(*map.conv, t_, rows, context_);
      return whole;
    }
    GatherConv<T> conv = *map.conv;
    conv.y = memory;
    conv.y_task = 0;
    conv.y_skipped = skipped;
    gather_rows(conv, t_, rows, context_);
    return memory;
  }

  const NormGrid<T>& grid_;
  std::int64_t t_;
  BlockMap<T> y_, ty_;
  Context& context_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
