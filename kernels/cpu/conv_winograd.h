// Convolutions of float32 with fewer products (kernels/cpu/winograd; its axis.h has the mathematics): what is done where
// Context::winograd() says so and a convolution's shape saves enough by it. Which way makes a convolution depends on its shape alone.
//
// Accuracy: an output's error is relative to the largest products of its tile (2x2 or 3x3 outputs), not to its own alone; at values of
// one size it is that of multiply-adds (tests/kernels/conv_winograd.cpp).
#pragma once

#include "kernels/cpu/conv_gather.h"
#include "kernels/cpu/conv_outer.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd {

bool serves(const GatherConv<float>& conv);
void gather_rows(const GatherConv<float>& conv, std::int64_t out_task, RowRange rows, Context& context);

bool serves_outer(const ConvSizes& sizes, const ConvSweep& sweep);
/// As OuterConv::run, for all rows of the gradient.
void outer_rows(const ConvSizes& sizes, const ConvSweep& sweep, const OuterSource<float>& source, int pairs, RowRange rows,
                float* g, Start start, Context& context);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::winograd
