#include "autograd/ops/adaptive_pool.h"

#include <vector>

#include "autograd/ops/matmul.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

/// [1, out, in]: row p has 1/size over its window.
Tensor window_means(std::int64_t in, std::int64_t out, DType dtype) {
  std::vector<double> m(static_cast<std::size_t>(out * in), 0);
  for (std::int64_t p = 0; p < out; ++p) {
    const std::int64_t begin = p * in / out, end = ((p + 1) * in + out - 1) / out;
    for (std::int64_t i = begin; i < end; ++i)
      m[static_cast<std::size_t>(p * in + i)] = 1 / static_cast<double>(end - begin);
  }
  return Tensor::from({1, out, in}, m).to(dtype);
}

}  // namespace

Var adaptive_average_pool(const Var& x, std::int64_t rows, std::int64_t columns) {
  const Shape& s = x.shape();
  IL_CHECK(s.rank() == 5 && rows >= 1 && columns >= 1 && rows <= s[2] && columns <= s[3],
           "adaptive_average_pool: a map of {}x{} from the shape {}; [T, N, H, W, C] with H and W at least as large is "
           "needed",
           rows, columns, s.to_string());
  if (s[2] == rows && s[3] == columns) return x;
  const std::int64_t images = s[0] * s[1];
  // Equal windows need no matrix.
  if (s[2] % rows == 0 && s[3] % columns == 0)
    return average_pool(x, {s[2] / rows, s[3] / columns, s[2] / rows, s[3] / columns});
  // Rows first: [rows, H] times [H, W C] of each image; then columns: [columns, W] times [W, C] of each row of each
  // image.
  const Var down = matmul(window_means(s[2], rows, x.dtype()), reshape(x, {images, s[2], s[3] * s[4]}));
  const Var across = matmul(window_means(s[3], columns, x.dtype()), reshape(down, {images * rows, s[3], s[4]}));
  return reshape(across, {s[0], s[1], rows, columns, s[4]});
}

}  // namespace innerloop::autograd
