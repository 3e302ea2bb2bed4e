#include <limits>

#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/im2col.h"
#include "kernels/cuda/pack.cuh"

namespace innerloop::kernels::cuda {
namespace {

/// All in one task; channels and columns count packs.
struct Patching {
  int images, h, w, p, q, s, channels, columns, rows, pixels;
  int stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
};

// A block is 32 columns wide, so that a warp reads and writes neighbours, and 8 rows or pixels high. Tasks lie on
// grid.z, with a stride like the other axes.
constexpr unsigned kColumns = 32, kRows = 8;

template <class T, int kWidth>
__global__ void __launch_bounds__(kColumns* kRows)
    im2col_kernel(Patching g, std::int64_t tasks, const T* x, T* patches) {
  grid_dependency_sync();
  const std::int64_t x_size = static_cast<std::int64_t>(g.pixels) * g.channels * kWidth;
  const std::int64_t patches_size = static_cast<std::int64_t>(g.rows) * g.columns * kWidth;
  for (std::int64_t t = blockIdx.z; t < tasks; t += gridDim.z) {
    const T* const image = x + t * x_size;
    T* const out = patches + t * patches_size;
    for (std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.y; row < g.rows;
         row += static_cast<std::int64_t>(gridDim.x) * kRows) {
      const int at = static_cast<int>(row);
      const int n = at / (g.p * g.q), pixel = at - n * g.p * g.q, p = pixel / g.q, q = pixel - p * g.q;
      const int top = p * g.stride_h - g.pad_top, left = q * g.stride_w - g.pad_left;
      for (int column = static_cast<int>(blockIdx.y * kColumns + threadIdx.x); column < g.columns;
           column += static_cast<int>(gridDim.y * kColumns)) {
        const int tap = column / g.channels, c = column - tap * g.channels, r = tap / g.s, s = tap - r * g.s;
        const int h = top + r * g.dilation_h, w = left + s * g.dilation_w;
        Pack<T, kWidth> value{};
        if (h >= 0 && h < g.h && w >= 0 && w < g.w) {
          const std::int64_t from = (static_cast<std::int64_t>(n) * g.h + h) * g.w + w;
          value = load_pack<kWidth>(image + (from * g.channels + c) * kWidth);
        }
        store_pack(out + (row * g.columns + column) * kWidth, value);
      }
    }
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kColumns* kRows)
    col2im_kernel(Patching g, std::int64_t tasks, const T* patches, T* x) {
  grid_dependency_sync();
  const std::int64_t x_size = static_cast<std::int64_t>(g.pixels) * g.channels * kWidth;
  const std::int64_t patches_size = static_cast<std::int64_t>(g.rows) * g.columns * kWidth;
  const int taps_h = g.columns / g.channels / g.s;
  for (std::int64_t t = blockIdx.z; t < tasks; t += gridDim.z) {
    const T* const in = patches + t * patches_size;
    T* const image = x + t * x_size;
    for (std::int64_t pixel = static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.y; pixel < g.pixels;
         pixel += static_cast<std::int64_t>(gridDim.x) * kRows) {
      const int at = static_cast<int>(pixel);
      const int n = at / (g.h * g.w), place = at - n * g.h * g.w, h = place / g.w, w = place - h * g.w;
      for (int c = static_cast<int>(blockIdx.y * kColumns + threadIdx.x); c < g.channels;
           c += static_cast<int>(gridDim.y * kColumns)) {
        Pack<T, kWidth> sum{};
        for (int r = 0; r < taps_h; ++r) {
          const int down = h + g.pad_top - r * g.dilation_h, p = down / g.stride_h;
          if (down < 0 || p >= g.p || p * g.stride_h != down) continue;
          for (int s = 0; s < g.s; ++s) {
            const int right = w + g.pad_left - s * g.dilation_w, q = right / g.stride_w;
            if (right < 0 || q >= g.q || q * g.stride_w != right) continue;
            const std::int64_t row = (static_cast<std::int64_t>(n) * g.p + p) * g.q + q;
            const std::int64_t column = (r * g.s + s) * g.channels + c;
            const Pack<T, kWidth> term = load_pack<kWidth>(in + (row * g.columns + column) * kWidth);
            for (int i = 0; i < kWidth; ++i) sum.lane[i] += term.lane[i];
          }
        }
        store_pack(image + (pixel * g.channels + c) * kWidth, sum);
      }
    }
  }
}

Patching patching(const ConvGeometry& g, std::int64_t filter_width, std::int64_t height, std::int64_t width,
                  const Shape& x, const Shape& patches, int pack) {
  IL_CHECK(unpatchable(x, patches).empty(), "patches {} of an image {}: {}", patches.to_string(), x.to_string(),
           unpatchable(x, patches));
  const auto narrow = [](std::int64_t n) { return static_cast<int>(n); };
  return {.images = narrow(x[1]),
          .h = narrow(x[2]),
          .w = narrow(x[3]),
          .p = narrow(height),
          .q = narrow(width),
          .s = narrow(filter_width),
          .channels = narrow(x[4] / pack),
          .columns = narrow(patches[2] / pack),
          .rows = narrow(patches[1]),
          .pixels = narrow(x[1] * x[2] * x[3]),
          .stride_h = narrow(g.stride_h),
          .stride_w = narrow(g.stride_w),
          .pad_top = narrow(g.pad_top),
          .pad_left = narrow(g.pad_left),
          .dilation_h = narrow(g.dilation_h),
          .dilation_w = narrow(g.dilation_w)};
}

dim3 grid_for(std::int64_t rows, std::int64_t columns, std::int64_t tasks) {
  constexpr std::int64_t kMostY = 65535, kMostZ = 65535;
  return {static_cast<unsigned>(std::min<std::int64_t>((rows + kRows - 1) / kRows, kMaxBlocks)),
          static_cast<unsigned>(std::min<std::int64_t>((columns + kColumns - 1) / kColumns, kMostY)),
          static_cast<unsigned>(std::min<std::int64_t>(tasks, kMostZ))};
}

/// Calls f(T{}, constant width) with the dtype's type and the widest pack that addresses and channels allow.
template <class F>
void with_pack(DType dtype, std::string_view op, std::initializer_list<const void*> addresses, std::int64_t channels,
               const F& f) {
  with_float(dtype, op, [&]<class T>(T) {
    if (packs_fit(addresses, kPack<T>, {channels}) == Packs::kFit)
      f.template operator()<T, kPack<T>>();
    else
      f.template operator()<T, 1>();
  });
}

}  // namespace

std::string_view unpatchable(const Shape& x, const Shape& patches) {
  constexpr std::int64_t kLimit = std::numeric_limits<int>::max();
  return x[1] * x[2] * x[3] > kLimit || patches[1] > kLimit || patches[2] > kLimit
             ? "more than 2^31 pixels or columns a task"
             : "";
}

void im2col(cudaStream_t stream, const ConvGeometry& geometry, std::int64_t filter_width, std::int64_t height,
            std::int64_t width, ConstView x, View patches) {
  if (patches.shape.numel() == 0) return;
  with_pack(x.dtype, "im2col", {x.data, patches.data}, x.shape[4], [&]<class T, int kWidth>() {
    const Patching g = patching(geometry, filter_width, height, width, x.shape, patches.shape, kWidth);
    launch(im2col_kernel<T, kWidth>, grid_for(g.rows, g.columns, x.shape[0]), dim3(kColumns, kRows), 0, stream, g,
           x.shape[0], x.as<T>(), patches.as<T>());
  });
}

void col2im(cudaStream_t stream, const ConvGeometry& geometry, std::int64_t filter_width, std::int64_t height,
            std::int64_t width, ConstView patches, View x) {
  if (x.shape.numel() == 0) return;
  with_pack(x.dtype, "col2im", {x.data, patches.data}, x.shape[4], [&]<class T, int kWidth>() {
    const Patching g = patching(geometry, filter_width, height, width, x.shape, patches.shape, kWidth);
    launch(col2im_kernel<T, kWidth>, grid_for(g.pixels, g.channels, x.shape[0]), dim3(kColumns, kRows), 0, stream, g,
           x.shape[0], patches.as<T>(), x.as<T>());
  });
}

}  // namespace innerloop::kernels::cuda
