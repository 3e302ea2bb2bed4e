// The engine of the weight gradient: outer tiles over rows (tap, c), one product a pixel.
#pragma once

#include "kernels/conv_check.h"
#include "kernels/cpu/conv_block.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Operands of one task; absent pairs are null.
template <class T>
struct OuterSource {
  const T* x[2] = {};   ///< the batch
  const T* gy[2] = {};  ///< from the first of the output rows that are asked for
};

/// Rows of the gradient, of which there are R*S*C/groups.
struct GradRows {
  std::int64_t first = 0, count = 0;
};

class OuterConv {
 public:
  OuterConv(const ConvGeometry& geometry, const ConvSizes& sizes);

  const ConvSweep& sweep() const { return sweep_; }
  std::int64_t grad_rows() const { return z_.r * z_.s * z_.group_c(); }

  /// Whether run() has to be asked for all rows of the gradient at once.
  template <class T>
  bool takes_all_rows(const Context& context) const;

  /// What the output rows `rows` contribute to `part` of the gradient g [R, S, C/groups, K]: added to it, or in its place.
  template <class T>
  void run(const OuterSource<T>& source, int pairs, RowRange rows, GradRows part, T* g, Start start, Context& context) const;

 private:
  ConvSizes z_;
  ConvSweep sweep_;
};

extern template bool OuterConv::takes_all_rows<float>(const Context&) const;
extern template bool OuterConv::takes_all_rows<double>(const Context&) const;
extern template void OuterConv::run<float>(const OuterSource<float>&, int, RowRange, GradRows, float*, Start, Context&) const;
extern template void OuterConv::run<double>(const OuterSource<double>&, int, RowRange, GradRows, double*, Start,
                                            Context&) const;

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
