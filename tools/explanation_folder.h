// Where `predict --explain` puts its pictures.
#pragma once

#include <set>
#include <string>

#include "io/image.h"
#include "tensor/tensor.h"

namespace innerloop::tools {

/// A picture as the command shows it: pixels u8 [1, H, W, C] under map f32 [1, h, w]. `inverted` pixels are shown as
/// their file has them.
enum class Shown { kAsLoaded, kInverted };

class ExplanationFolder {
 public:
  /// Makes the folder where it is missing. Throws Error naming it when it cannot, and when there is something in it.
  ExplanationFolder(std::string path, Shown shown);

  /// Writes one picture named after the image's stem (a number is added where images of this run share one) and returns its
  /// path.
  std::string write(const std::string& image, const Tensor& pixels, const Tensor& map);

 private:
  std::string path_;
  Shown shown_;
  std::set<std::string> taken_;
};

}  // namespace innerloop::tools
