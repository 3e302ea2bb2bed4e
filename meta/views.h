// Views of lists of tensors, as the kernels over whole parameter lists take them.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace innerloop::meta {

inline std::vector<ConstView> views(const std::vector<Tensor>& tensors) {
  std::vector<ConstView> out;
  out.reserve(tensors.size());
  for (const Tensor& t : tensors) out.push_back(t.view());
  return out;
}

inline std::vector<View> mutable_views(std::vector<Tensor>& tensors) {
  std::vector<View> out;
  out.reserve(tensors.size());
  for (Tensor& t : tensors) out.push_back(t.mutable_view());
  return out;
}

}  // namespace innerloop::meta
