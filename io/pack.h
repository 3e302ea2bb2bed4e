// Packed data sets: an ImageSet as one safetensors file that opens at once.
//
// Tensors: pixels u8 [M, H, W, C], labels i32 [M], groups i64 [M]. Metadata: format = "innerloop-data", version = "1",
// classes, files, group_names, skipped, cautions (JSON arrays), name, invert, ungrouped, layout, and source: a fingerprint of the files
// and options that it was made from, by which a cache tells whether it still fits.
#pragma once

#include <string>

#include "io/dataset.h"

namespace innerloop::io {

struct PackedSet {
  ImageSet set;
  std::string source;
};

/// Atomic, deterministic bytes.
void write_packed(const std::string& path, const ImageSet& set, const std::string& source = "");

/// Throws Error naming the file: not a packed data set, cut short, or lying (a label without class, a wrong count).
PackedSet read_packed(const std::string& path);

}  // namespace innerloop::io
