// Convolutions of float32 whose products are made on AMX tiles (kernels/cpu/amx): what Target::kAmx does otherwise than
// Target::kAvx512, which serves it in all else. Which of the two makes a convolution depends on its shape alone.
#pragma once

#include "kernels/cpu/conv_gather.h"
#include "kernels/cpu/conv_outer.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx {

/// Fewer pixels than this are left to the vector unit: packing the weights would weigh more.
inline constexpr std::int64_t kMinPixels = 32;

bool serves(const GatherConv<float>& conv);
void gather_rows(const GatherConv<float>& conv, std::int64_t out_task, RowRange rows, Context& context);

bool serves_outer(const ConvSizes& sizes);
/// As OuterConv::run. `part` begins and ends at a multiple of 16 rows.
void outer_rows(const ConvSizes& sizes, const ConvSweep& sweep, const OuterSource<float>& source, int pairs, RowRange rows,
                GradRows part, float* g, Start start, Context& context);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE::amx
