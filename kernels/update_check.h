// What the updates ask of the numbers that a replayed step reads from memory.
#pragma once

#include "kernels/update.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

inline void check(const Sgd& k) {
  IL_CHECK(!k.rate_from || (k.rate_from.dtype == DType::kF64 && k.rate_from.shape.numel() == 1),
           "sgd: rate_from is {} {}; it must be f64 [1]", name_of(k.rate_from.dtype), k.rate_from.shape.to_string());
}

inline void check(const Adam& k) {
  IL_CHECK(!k.schedule || (k.schedule.dtype == DType::kF64 && k.schedule.shape.numel() == 3),
           "adam: schedule is {} {}; it must be f64 [3]", name_of(k.schedule.dtype), k.schedule.shape.to_string());
}

inline void check(const AdvanceClock& k) {
  IL_CHECK(k.table.dtype == DType::kF64 && k.table.shape.rank() == 2 && k.table.shape[0] >= 1 && k.table.shape[1] == 3,
           "advance_clock: table is {} {}; it must be f64 [S, 3] with at least one line", name_of(k.table.dtype),
           k.table.shape.to_string());
  IL_CHECK(k.clock.dtype == DType::kI64 && k.clock.shape.numel() == 1, "advance_clock: clock is {} {}; it must be i64 [1]",
           name_of(k.clock.dtype), k.clock.shape.to_string());
  IL_CHECK(k.schedule.dtype == DType::kF64 && k.schedule.shape.numel() == 3,
           "advance_clock: schedule is {} {}; it must be f64 [3]", name_of(k.schedule.dtype),
           k.schedule.shape.to_string());
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
