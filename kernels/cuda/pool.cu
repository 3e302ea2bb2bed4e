// Pooling over any window. A thread has a pack of neighbouring channels of one output pixel. The scatters are written
// as gathers: a pixel of gx looks at the windows that hold it, in window order, so that no two threads add to one
// element.
#include "kernels/pool.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/pack.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct PoolGrid {
  PoolGeometry g;
  std::int64_t height, width, channels, rows, columns;  ///< of x; rows x columns windows

  PoolGrid(const PoolGeometry& geometry, const Shape& x, const Shape& y, const char* op) : g(geometry) {
    IL_CHECK(x.rank() == 5 && y.rank() == 5, "{}: {} and {} are not [T, N, H, W, C]", op, x.to_string(), y.to_string());
    height = x[2], width = x[3], channels = x[4], rows = y[2], columns = y[3];
  }
  /// Offset in x of the first element of the window whose output is element `i` of y, at its channel.
  __device__ std::int64_t window(std::int64_t i) const {
    const std::int64_t pixel = i / channels, channel = i - pixel * channels;
    const std::int64_t line = pixel / columns, q = pixel - line * columns;
    const std::int64_t image = line / rows, p = line - image * rows;
    return ((image * height + p * g.stride_h) * width + q * g.stride_w) * channels + channel;
  }
  /// Offset of a window's pixel (r, s) from its first one.
  __device__ std::int64_t pixel(std::int64_t r, std::int64_t s) const { return (r * width + s) * channels; }
  __device__ double weight() const { return 1.0 / static_cast<double>(g.window_h * g.window_w); }

  /// body(offset in y, position in the window) for every window that holds element `i` of x, in window order.
  template <class Body>
  __device__ void for_each_holder(std::int64_t i, const Body& body) const {
    const std::int64_t pixel = i / channels, channel = i - pixel * channels;
    const std::int64_t line = pixel / width, w = pixel - line * width;
    const std::int64_t image = line / height, h = line - image * height;
    const auto first = [](std::int64_t at, std::int64_t window, std::int64_t stride) {
      return at < window ? 0 : (at - window) / stride + 1;
    };
    const std::int64_t p_end = min(rows, h / g.stride_h + 1), q_end = min(columns, w / g.stride_w + 1);
    const std::int64_t q_begin = first(w, g.window_w, g.stride_w);
    for (std::int64_t p = first(h, g.window_h, g.stride_h); p < p_end; ++p)
      for (std::int64_t q = q_begin; q < q_end; ++q)
        body(((image * rows + p) * columns + q) * channels + channel,
             static_cast<std::int32_t>((h - p * g.stride_h) * g.window_w + w - q * g.stride_w));
  }
};

template <class T>
struct MaxBody {
  PoolGrid grid;
  const T* x;
  T* y;
  std::int32_t* choice;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const T* const from = x + grid.window(i);
    auto best = load_pack<kWidth>(from);
    Pack<std::int32_t, kWidth> where{};
    std::int32_t position = 0;
    for (std::int64_t r = 0; r < grid.g.window_h; ++r)
      for (std::int64_t s = 0; s < grid.g.window_w; ++s, ++position) {
        const auto value = load_pack<kWidth>(from + grid.pixel(r, s));
        for (int j = 0; j < kWidth; ++j) {
          // The first NaN wins over every number and stays. Position 0 never wins over itself.
          const T v = value.lane[j], b = best.lane[j];
          if (v > b || (v != v && b == b)) best.lane[j] = v, where.lane[j] = position;
        }
      }
    store_pack(y + i, best);
    store_pack(choice + i, where);
  }
};

template <class T>
struct GatherBody {
  PoolGrid grid;
  const T* x;
  const std::int32_t* choice;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const T* const from = x + grid.window(i);
    const auto where = load_pack<kWidth>(choice + i);
    Pack<T, kWidth> chosen;
    for (int j = 0; j < kWidth; ++j) {
      const auto columns = static_cast<std::int32_t>(grid.g.window_w);
      chosen.lane[j] = from[grid.pixel(where.lane[j] / columns, where.lane[j] % columns) + j];
    }
    store_pack(y + i, chosen);
  }
};

template <class T>
struct ScatterBody {
  PoolGrid grid;
  const T* gy;
  const std::int32_t* choice;
  T* gx;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    Pack<T, kWidth> sum{};
    grid.for_each_holder(i, [&](std::int64_t from, std::int32_t position) {
      const auto value = load_pack<kWidth>(gy + from);
      const auto where = load_pack<kWidth>(choice + from);
      for (int j = 0; j < kWidth; ++j) sum.lane[j] += where.lane[j] == position ? value.lane[j] : T{0};
    });
    store_pack(gx + i, sum);
  }
};

template <class T>
struct AverageBody {
  PoolGrid grid;
  const T* x;
  T* y;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const T* const from = x + grid.window(i);
    const T scale = static_cast<T>(grid.weight());
    Pack<T, kWidth> sum{};
    for (std::int64_t r = 0; r < grid.g.window_h; ++r)
      for (std::int64_t s = 0; s < grid.g.window_w; ++s) {
        const auto value = load_pack<kWidth>(from + grid.pixel(r, s));
        for (int j = 0; j < kWidth; ++j) sum.lane[j] += value.lane[j];
      }
    for (T& e : sum.lane) e *= scale;
    store_pack(y + i, sum);
  }
};

template <class T>
struct AverageGradBody {
  PoolGrid grid;
  const T* gy;
  T* gx;
  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const T scale = static_cast<T>(grid.weight());
    Pack<T, kWidth> sum{};
    grid.for_each_holder(i, [&](std::int64_t from, std::int32_t) {
      const auto value = load_pack<kWidth>(gy + from);
      for (int j = 0; j < kWidth; ++j) sum.lane[j] += scale * value.lane[j];
    });
    store_pack(gx + i, sum);
  }
};

/// A pack is neighbouring channels of one pixel.
template <class T, class Body>
void for_each_pixel(const Body& body, std::initializer_list<const void*> addresses, std::int64_t n, Context& context) {
  for_each_pack<T>(stream_of(context), n, packs_fit(addresses, kPack<T>, {body.grid.channels}), body);
}

void run_here(const MaxPool& k, Context& context) {
  with_float(k.x.dtype, "max_pool", [&]<class T>(T) {
    const MaxBody<T> body{{k.geometry, k.x.shape, k.y.shape, "max_pool"},
                          k.x.as<T>(),
                          k.y.as<T>(),
                          k.choice.as<std::int32_t>()};
    for_each_pixel<T>(body, {k.x.data, k.y.data, k.choice.data}, k.y.shape.numel(), context);
  });
}

void run_here(const PoolGather& k, Context& context) {
  with_float(k.x.dtype, "pool_gather", [&]<class T>(T) {
    const GatherBody<T> body{{k.geometry, k.x.shape, k.y.shape, "pool_gather"},
                             k.x.as<T>(),
                             k.choice.as<std::int32_t>(),
                             k.y.as<T>()};
    for_each_pixel<T>(body, {k.choice.data, k.y.data}, k.y.shape.numel(), context);
  });
}

void run_here(const PoolScatter& k, Context& context) {
  with_float(k.gy.dtype, "pool_scatter", [&]<class T>(T) {
    const ScatterBody<T> body{{k.geometry, k.gx.shape, k.gy.shape, "pool_scatter"},
                              k.gy.as<T>(),
                              k.choice.as<std::int32_t>(),
                              k.gx.as<T>()};
    for_each_pixel<T>(body, {k.gy.data, k.choice.data, k.gx.data}, k.gx.shape.numel(), context);
  });
}

void run_here(const AveragePool& k, Context& context) {
  with_float(k.x.dtype, "average_pool", [&]<class T>(T) {
    const AverageBody<T> body{{k.geometry, k.x.shape, k.y.shape, "average_pool"}, k.x.as<T>(), k.y.as<T>()};
    for_each_pixel<T>(body, {k.x.data, k.y.data}, k.y.shape.numel(), context);
  });
}

void run_here(const AveragePoolGrad& k, Context& context) {
  with_float(k.gy.dtype, "average_pool_grad", [&]<class T>(T) {
    const AverageGradBody<T> body{
        {k.geometry, k.gx.shape, k.gy.shape, "average_pool_grad"}, k.gy.as<T>(), k.gx.as<T>()};
    for_each_pixel<T>(body, {k.gy.data, k.gx.data}, k.gx.shape.numel(), context);
  });
}

IL_REGISTER_KERNEL(MaxPool);
IL_REGISTER_KERNEL(PoolGather);
IL_REGISTER_KERNEL(PoolScatter);
IL_REGISTER_KERNEL(AveragePool);
IL_REGISTER_KERNEL(AveragePoolGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
