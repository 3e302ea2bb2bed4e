// Pooling over any window. Channels are the innermost loop, so neighbouring channels are decided together.
#include "kernels/pool.h"

#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct PoolGrid {
  PoolGeometry g;
  std::int64_t images, height, width, channels, rows, columns;  ///< images of all tasks; rows x columns windows

  PoolGrid(const PoolGeometry& geometry, const Shape& x, const Shape& y, const char* op) : g(geometry) {
    IL_CHECK(x.rank() == 5 && y.rank() == 5, "{}: {} and {} are not [T, N, H, W, C]", op, x.to_string(), y.to_string());
    images = x[0] * x[1], height = x[2], width = x[3], channels = x[4], rows = y[2], columns = y[3];
  }
  /// Offset of the first element of window (p, q) of image i.
  IL_INLINE std::int64_t window(std::int64_t i, std::int64_t p, std::int64_t q) const {
    return ((i * height + p * g.stride_h) * width + q * g.stride_w) * channels;
  }
  IL_INLINE std::int64_t pixel(std::int64_t position) const {
    return (position / g.window_w * width + position % g.window_w) * channels;
  }
  IL_INLINE std::int64_t positions() const { return g.window_h * g.window_w; }

  /// body(x offset, y offset) for each window of rows of windows, spread over threads; windows write apart from each
  /// other.
  template <class Body>
  void for_each_window(Context& context, const Body& body) const {
    const std::int64_t chunk = larger(1, kChunkElements / larger(1, columns * channels * positions()));
    parallel_chunks(context, images * rows, chunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t q = 0; q < columns; ++q) body(window(r / rows, r % rows, q), (r * columns + q) * channels);
    });
  }

  /// Sets gx to zero and calls body as above, image by image, windows in order: windows may overlap in gx.
  template <class T, class Body>
  void scatter(Context& context, T* gx, const Body& body) const {
    const std::int64_t size = height * width * channels;
    parallel_chunks(context, images, larger(1, kChunkElements / larger(1, size)),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        for (std::int64_t j = 0; j < size; ++j) gx[i * size + j] = 0;
                        for (std::int64_t p = 0; p < rows; ++p)
                          for (std::int64_t q = 0; q < columns; ++q)
                            body(window(i, p, q), ((i * rows + p) * columns + q) * channels);
                      }
                    });
  }
};

template <class T>
void max_pool(const MaxPool& k, Context& context) {
  const PoolGrid grid(k.geometry, k.x.shape, k.y.shape, "max_pool");
  const T* x = k.x.as<T>();
  T* y = k.y.as<T>();
  std::int32_t* choice = k.choice.as<std::int32_t>();
  grid.for_each_window(context, [&](std::int64_t from, std::int64_t to) {
    T* best = y + to;
    std::int32_t* position = choice + to;
    for (std::int64_t c = 0; c < grid.channels; ++c) best[c] = x[from + c], position[c] = 0;
    for (std::int64_t s = 1; s < grid.positions(); ++s) {
      const T* pixel = x + from + grid.pixel(s);
#pragma GCC ivdep
      for (std::int64_t c = 0; c < grid.channels; ++c) {
        // The first NaN wins over every number and stays.
        const bool wins = (pixel[c] > best[c]) | ((pixel[c] != pixel[c]) & (best[c] == best[c]));
        best[c] = wins ? pixel[c] : best[c];
        position[c] = wins ? static_cast<std::int32_t>(s) : position[c];
      }
    }
  });
}

template <class T>
void gather(const PoolGather& k, Context& context) {
  const PoolGrid grid(k.geometry, k.x.shape, k.y.shape, "pool_gather");
  const T* x = k.x.as<T>();
  const std::int32_t* choice = k.choice.as<std::int32_t>();
  T* y = k.y.as<T>();
  grid.for_each_window(context, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t c = 0; c < grid.channels; ++c) y[to + c] = x[from + grid.pixel(choice[to + c]) + c];
  });
}

template <class T>
void scatter(const PoolScatter& k, Context& context) {
  const PoolGrid grid(k.geometry, k.gx.shape, k.gy.shape, "pool_scatter");
  const T* gy = k.gy.as<T>();
  const std::int32_t* choice = k.choice.as<std::int32_t>();
  T* gx = k.gx.as<T>();
  grid.scatter(context, gx, [&](std::int64_t to, std::int64_t from) {
    for (std::int64_t c = 0; c < grid.channels; ++c) gx[to + grid.pixel(choice[from + c]) + c] += gy[from + c];
  });
}

template <class T>
void average(const AveragePool& k, Context& context) {
  const PoolGrid grid(k.geometry, k.x.shape, k.y.shape, "average_pool");
  const T* x = k.x.as<T>();
  T* y = k.y.as<T>();
  const T scale = static_cast<T>(1.0 / static_cast<double>(grid.positions()));
  grid.for_each_window(context, [&](std::int64_t from, std::int64_t to) {
    T* sum = y + to;
    for (std::int64_t c = 0; c < grid.channels; ++c) sum[c] = x[from + c];
    for (std::int64_t s = 1; s < grid.positions(); ++s) {
      const T* pixel = x + from + grid.pixel(s);
#pragma GCC ivdep
      for (std::int64_t c = 0; c < grid.channels; ++c) sum[c] += pixel[c];
    }
    for (std::int64_t c = 0; c < grid.channels; ++c) sum[c] *= scale;
  });
}

template <class T>
void average_grad(const AveragePoolGrad& k, Context& context) {
  const PoolGrid grid(k.geometry, k.gx.shape, k.gy.shape, "average_pool_grad");
  const T* gy = k.gy.as<T>();
  T* gx = k.gx.as<T>();
  const T scale = static_cast<T>(1.0 / static_cast<double>(grid.positions()));
  grid.scatter(context, gx, [&](std::int64_t to, std::int64_t from) {
    for (std::int64_t s = 0; s < grid.positions(); ++s) {
      T* pixel = gx + to + grid.pixel(s);
#pragma GCC ivdep
      for (std::int64_t c = 0; c < grid.channels; ++c) pixel[c] += scale * gy[from + c];
    }
  });
}

void run_here(const MaxPool& k, Context& context) {
  with_float(k.x.dtype, "max_pool", [&](auto tag) { max_pool<decltype(tag)>(k, context); });
}
void run_here(const PoolGather& k, Context& context) {
  with_float(k.x.dtype, "pool_gather", [&](auto tag) { gather<decltype(tag)>(k, context); });
}
void run_here(const PoolScatter& k, Context& context) {
  with_float(k.gy.dtype, "pool_scatter", [&](auto tag) { scatter<decltype(tag)>(k, context); });
}
void run_here(const AveragePool& k, Context& context) {
  with_float(k.x.dtype, "average_pool", [&](auto tag) { average<decltype(tag)>(k, context); });
}
void run_here(const AveragePoolGrad& k, Context& context) {
  with_float(k.gy.dtype, "average_pool_grad", [&](auto tag) { average_grad<decltype(tag)>(k, context); });
}

IL_REGISTER_KERNEL(MaxPool);
IL_REGISTER_KERNEL(PoolGather);
IL_REGISTER_KERNEL(PoolScatter);
IL_REGISTER_KERNEL(AveragePool);
IL_REGISTER_KERNEL(AveragePoolGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
