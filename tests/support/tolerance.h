// Every tolerance of the tests, each with its reason. A check that needs another number gets a line here.
#pragma once

namespace innerloop::test {

inline constexpr double kEpsilonF32 = 0x1p-23, kEpsilonF64 = 0x1p-52;

/// Forward against a float64 oracle, relative to the largest value: sums of up to a few hundred terms in another order,
/// and exp, log and tanh within a few units of the last place.
inline constexpr double kForwardF64 = 1e-12;
inline constexpr double kForwardF32 = 64 * kEpsilonF32;

/// float32 derivatives of order 1 and 2 against float64 ones at the same inputs, relative to the largest value. A batch
/// norm over a handful of elements divides by a small deviation, once more for each order.
inline constexpr double kDerivativeF32 = 4096 * kEpsilonF32;

/// Step of the five-point differences of float64 functions with inputs of order one. Truncation is h^4/30 times the
/// fifth derivative (below 1e-17 times it), rounding epsilon/h = 4e-12 times the function.
inline constexpr double kStep = 5e-5;
/// Derivatives against those differences: the rounding above with room for a hundred summed terms of changing sign and
/// for fifth derivatives up to 1e8 (a reciprocal to the power of seven at 0.3).
inline constexpr double kDifference = 1e-8;
/// How far a decision (ReLU, maximum) must be from its kink: no input moves by more than 2 kStep, and a pre-activation
/// moves by at most some twenty times as much.
inline constexpr double kKinkMargin = 80 * kStep;

/// <u, J v> against <J^T u, v>, <u, H v> against <v, H u>, hvp() against hvp_reverse(): the same sums in another order,
/// relative to the sum of the terms' magnitudes.
inline constexpr double kAdjoint = 1e-11;

/// A fused op against its plain composition in float64, orders 0 to 3, relative to the largest value. Each order costs
/// about a factor of the batch norm's 1/deviation in rounding.
inline constexpr double kFused = 1e-10;

/// Whole networks in float64: fused against reference ...
inline constexpr double kNetFused = 1e-10;
/// ... and derivatives against differences: four batch norms in a row have larger high derivatives than one op.
inline constexpr double kNetDifference = 1e-7;

/// Closed-form meta-gradients of quadratic tasks in float64: a few dozen products and sums.
inline constexpr double kClosedForm = 1e-12;

}  // namespace innerloop::test
