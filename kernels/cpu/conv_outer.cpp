// The outer tiles' walk over pixels (conv_outer.h), compiled here once for all that need a weight gradient.
#include "kernels/cpu/conv_outer.h"

#include "kernels/cpu/conv_amx.h"
#include "kernels/cpu/conv_depthwise.h"
#include "kernels/cpu/conv_winograd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr std::int64_t kBlockPixels = 256;  // x and gy of a block stay in the second-level cache

/// gy of a block, padded to whole vectors a group when its channels are none.
template <class T>
const T* padded_groups(const T* gy, std::int64_t pixels, const ConvSizes& z, std::int64_t pitch, T* copy) {
  const std::int64_t group_k = z.group_k();
  T* to = copy;
  for (std::int64_t i = 0; i < pixels * z.groups; ++i, gy += group_k, to += pitch) {
    for (std::int64_t k = 0; k < pitch; ++k) to[k] = k < group_k ? gy[k] : T{0};
  }
  return copy;
}

}  // namespace

OuterConv::OuterConv(const ConvGeometry& g, const ConvSizes& sizes) : z_(sizes) {
  sweep_.h = forward_axis(z_.h, z_.p, z_.r, g.stride_h, g.pad_top, g.dilation_h);
  sweep_.w = forward_axis(z_.w, z_.q, z_.s, g.stride_w, g.pad_left, g.dilation_w);
  sweep_.images = z_.images;
  sweep_.channels = z_.c;
  sweep_.out_w = z_.q;
  sweep_.out_image = z_.p * z_.q;
  sweep_.out_channels = z_.k;
  sweep_.cut(kBlockPixels);
}

template <class T>
bool OuterConv::takes_all_rows([[maybe_unused]] const Context& context) const {
#if defined(IL_AMX)
  if (context.target() == Target::kAmx && amx::serves_outer(z_)) return false;
#endif
  if constexpr (sizeof(T) == sizeof(float)) return winograd::serves_outer(z_, sweep_, context.winograd());
  return false;
}

template <class T>
void OuterConv::run(const OuterSource<T>& source, int pairs, RowRange rows, GradRows part, T* g, Start start,
                    Context& context) const {
#if defined(IL_AMX)
  if constexpr (sizeof(T) == sizeof(float))
    if (context.target() == Target::kAmx && amx::serves_outer(z_))
      return amx::outer_rows(z_, sweep_, source, pairs, rows, part, g, start, context);
#endif
  if constexpr (sizeof(T) == sizeof(float))
    if (takes_all_rows<T>(context)) return winograd::outer_rows(z_, sweep_, source, pairs, rows, g, start, context);
  const std::int64_t group_c = z_.group_c(), group_k = z_.group_k();
  const std::int64_t padded = round_up(group_k, Vec<T>::kLanes);
  const bool depthwise = z_.groups > 1 && group_c == 1 && group_k == 1;
  const bool pack = padded != group_k && !depthwise;
  const Scratch<std::int64_t> offsets(context, part.count + kAccumulators);
  for (std::int64_t i = 0; i < part.count + kAccumulators; ++i) {
    const std::int64_t row = smaller(part.first + i, part.first + part.count - 1);
    const std::int64_t tap = row / group_c;
    offsets.data()[i] = sweep_.tap_offset(tap / z_.s, tap % z_.s) + row % group_c;
  }
  for (std::int64_t row = rows.first; row < rows.last; row += sweep_.rows_per_block) {
    const RowRange block{row, smaller(rows.last, row + sweep_.rows_per_block)};
    const PixelBlock<T> pixels(sweep_, block, 0, 0, context);
    const std::int64_t gy_copy = pack ? pixels.pixels() * z_.groups * padded : 0;
    const Scratch<T> copies(context, pairs * (pixels.copy_size() + gy_copy));
    T* copy = copies.data();
    OuterPair<T> here[2] = {};
    for (int n = 0; n < pairs; ++n) {
      here[n].x = pixels.fill(source.x[n], copy);
      copy += pixels.copy_size();
      here[n].gy = source.gy[n] + (row - rows.first) * z_.q * z_.k;
      if (pack) here[n].gy = padded_groups(here[n].gy, pixels.pixels(), z_, padded, copy);
      copy += gy_copy;
    }
    OuterWork<T> work{here, pairs, pixels.from(), pixels.pixels(), pack ? z_.groups * padded : z_.k, offsets.data(),
                      part.count, g + part.first * z_.k, z_.k, 0, row == rows.first ? start : Start::kAccumulate};
    if (depthwise) {
      depthwise_outer(work, z_.c);
      continue;
    }
    for (std::int64_t group = 0; group < z_.groups; ++group) {
      for_channel_blocks<T>(group_k, [&](std::int64_t channel, int vectors, int last_lanes) {
        OuterPair<T> shifted[2] = {};
        for (int n = 0; n < pairs; ++n) {
          shifted[n] = {here[n].x + group * group_c, here[n].gy + group * (pack ? padded : group_k) + channel};
        }
        work.pairs = shifted;
        work.g = g + part.first * z_.k + group * group_k + channel;
        work.last_lanes = last_lanes;
        outer_blocks(work, vectors);
      });
    }
  }
}

template bool OuterConv::takes_all_rows<float>(const Context&) const;
template bool OuterConv::takes_all_rows<double>(const Context&) const;
template void OuterConv::run<float>(const OuterSource<float>&, int, RowRange, GradRows, float*, Start, Context&) const;
template void OuterConv::run<double>(const OuterSource<double>&, int, RowRange, GradRows, double*, Start, Context&) const;

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
