// safetensors: named tensors in one file. The format of checkpoints, packed data sets and meta-gradient problems.
//
//   u64 little-endian header length | JSON header | data
//   header: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__": {"key":
//   "text"}}
// Tensors are row-major, little-endian and fill the data without gaps. Known dtypes: F32 F64 I32 I64 U8; rank <= 6.
//
// Determinism: the bytes written are a function of the TensorFile alone (metadata sorted by key, tensors in the order
// given, the header padded with spaces to a multiple of 8). Reading trusts nothing: every claim of the header is held
// against the file's size before memory is asked for.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::io {

struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
  std::string path;  ///< where it was read from; names the file in errors of at()

  /// A tensor on a device is copied to the host.
  void add(std::string name, const Tensor& tensor) { tensors.emplace_back(std::move(name), tensor.to_host()); }
  /// nullptr when there is none of that name.
  const Tensor* find(std::string_view name) const;
  /// Throws Error, naming the file and the tensors that it has, when there is none of that name.
  const Tensor& at(std::string_view name) const;
};

/// Throws Error naming the file and the claim that does not hold.
TensorFile read_safetensors(const std::string& path);

/// Atomic. Throws Error when a name is used twice or reserved, or a tensor is undefined.
void write_safetensors(const std::string& path, const TensorFile& file);

}  // namespace innerloop::io
