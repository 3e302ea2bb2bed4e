// Packed data sets: an ImageSet as one safetensors file that opens at once.
//
// Tensors: pixels u8 [M, H, W, C], labels i32 [M], groups i64 [M]. Metadata: format = "innerloop-data", version = "1",
// classes, files, group_names, skipped, cautions (JSON arrays), name, invert, ungrouped, layout; source: a fingerprint of
// the files and options that it was made from, by which a cache tells whether it still fits ("" for a set that is no
// cache); and checksum: "crc32 " and the CRC-32, in hex, of the tensors and of all other metadata.
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

/// Throws Error naming the file: not a packed data set, cut short, lying (a label without class, a wrong count), or other
/// bytes than those that its checksum is of. A set without a checksum, as older programs wrote, is read.
PackedSet read_packed(const std::string& path);

/// Throws Error where `path` is there and no packed data set: an image of the set itself, say, which packing is not to replace.
void check_replaceable_pack(const std::string& path);

}  // namespace innerloop::io
