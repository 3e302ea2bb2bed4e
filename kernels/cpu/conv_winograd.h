// Convolutions of float32 with fewer products (kernels/cpu/winograd; its axis.h has the mathematics): what is done where
// Context::winograd() says so and a convolution's shape saves enough by it. Which way makes a convolution depends on its shape alone.
//
// Accuracy: an output's error is relative to the largest products of its tile, not to its own alone. At values of one size it is below
// that of multiply-adds with tiles of 2x2 and 3x3 outputs, and two to five times that with 4x4, which Winograd::kSmallTiles goes without
// (tests/kernels/conv_winograd.cpp).
#pragma once

#include "kernels/cpu/conv_gather.h"
#include "kernels/cpu/conv_outer.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {

bool serves(const GatherConv<float>& conv, Winograd tiles);
void gather_rows(const GatherConv<float>& conv, std::int64_t out_task, RowRange rows, Context& context);

bool serves_outer(const ConvSizes& sizes, const ConvSweep& sweep, Winograd tiles);
/// As OuterConv::run, for all rows of the gradient.
void outer_rows(const ConvSizes& sizes, const ConvSweep& sweep, const OuterSource<float>& source, int pairs, RowRange rows,
                float* g, Start start, Context& context);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
