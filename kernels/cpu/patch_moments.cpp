// The moments of patches, in float64 throughout: products of two float32 are exact there, and inputs are taken from a
// middle of their channel's values, so that the covariance does not cancel either.
//
// A product of a tap in filter row a and one in row a + n, for row p of y, is made of the rows r = p stride + a dilation
// and r + n dilation of the padded image. Other filter rows, at other rows of y, share it: it is made once for each r
// and n, and counted to all filter rows a that meet r within the rows of y at hand. Most r count to the same ones.
#include "kernels/patch_moments.h"

#include "kernels/conv_check.h"
#include "kernels/cpu/patches/lines.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

using V = Vec<double>;

/// Sums of products of lines, kSide of them by kSide.
inline constexpr int kSide = 3;

void add_line(const double* line, std::int64_t length, double* to) {
  V sum = V::load(to);
  for (std::int64_t q = 0; q < length; q += V::kLanes) sum = sum + V::load(line + q);
  sum.store(to);
}

void add_products(const double* const* left, const double* const* right, std::int64_t length, double* to) {
  V sums[kSide * kSide];
  for (int e = 0; e < kSide * kSide; ++e) sums[e] = V::load(to + e * V::kLanes);
  for (std::int64_t q = 0; q < length; q += V::kLanes) {
    V r[kSide];
    for (int b = 0; b < kSide; ++b) r[b] = V::load(right[b] + q);
    for (int a = 0; a < kSide; ++a) {
      const V l = V::load(left[a] + q);
      for (int b = 0; b < kSide; ++b) sums[a * kSide + b] = fma(l, r[b], sums[a * kSide + b]);
    }
  }
  for (int e = 0; e < kSide * kSide; ++e) sums[e].store(to + e * V::kLanes);
}

double total(const double* lanes) {
  double sum = 0;
  for (int i = 0; i < V::kLanes; ++i) sum += lanes[i];
  return sum;
}

/// Of one task.
template <class T>
class TaskMoments {
 public:
  TaskMoments(const PatchShape& shape, const T* x, Context& context)
      : shape_(shape), x_(x), context_(context), middle_(context, shape.z.c) {
    const std::int64_t pixels = shape.z.images * shape.z.h * shape.z.w, samples = smaller(pixels, kSamples);
    for (std::int64_t c = 0; c < shape.z.c; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < samples; ++i)
        sum += static_cast<double>(x[(2 * i + 1) * pixels / (2 * samples) * shape.z.c + c]);
      middle_.data()[c] = samples == 0 ? 0 : sum / static_cast<double>(samples);
    }
  }

  void write(double* moments) const {
    const std::int64_t rows = shape_.z.images * shape_.z.p, taps = shape_.taps(), size = (1 + taps) * taps;
    const std::int64_t chunk = larger(1, kChunkPixels / larger(1, shape_.z.q)), chunks = ceil_div(rows, chunk);
    const Scratch<double> partials(context_, larger(1, chunks) * size);
    for (std::int64_t i = 0; i < larger(1, chunks) * size; ++i) partials.data()[i] = 0;
    context_.threads().parallel_for(
        chunks, [&](std::int64_t i) { sum(i * chunk, smaller(rows, (i + 1) * chunk), partials.data() + i * size); });
    for (std::int64_t i = 1; i < chunks; ++i) add_in_place(partials.data(), partials.data() + i * size, size);
    const std::int64_t pixels = rows * shape_.z.q;
    const double per_pixel = pixels == 0 ? 0 : 1 / static_cast<double>(pixels);
    const double *const sums = partials.data(), *const products = sums + taps;
    double* const covariance = moments + taps;
    for (std::int64_t i = 0; i < taps; ++i) {
      moments[i] = sums[i] * per_pixel + (pixels == 0 ? 0 : middle_.data()[i % shape_.z.c]);
      for (std::int64_t j = i; j < taps; ++j)
        covariance[i * taps + j] = covariance[j * taps + i] =
            (products[i * taps + j] - sums[i] * sums[j] * per_pixel) * per_pixel;
    }
  }

 private:
  static constexpr std::int64_t kSamples = 64;         ///< pixels that the middle is the mean of
  static constexpr std::int64_t kChunkPixels = 16384;  ///< of y, in which sums are taken

  /// The filter rows that the product of rows r and r + apart * dilation counts to: first, first + step, ..., last,
  /// with the step of filter_step(). None: first > last.
  struct FilterRows {
    std::int64_t apart, first, last;
  };

  /// A filter row and the next one that meet the same row of the padded image, at other rows of y.
  std::int64_t filter_step() const {
    std::int64_t step = 1;
    while (step * shape_.geometry.dilation_h % shape_.geometry.stride_h != 0) ++step;
    return step;
  }

  /// For the rows [begin, end) of an image's y.
  FilterRows filter_rows(std::int64_t row, std::int64_t apart, std::int64_t begin, std::int64_t end) const {
    const std::int64_t stride = shape_.geometry.stride_h;
    FilterRows f{apart, shape_.z.r, -1};
    for (std::int64_t a = 0; a + apart < shape_.z.r; ++a) {
      const std::int64_t from = row - a * shape_.geometry.dilation_h;
      if (from < begin * stride || from > (end - 1) * stride || from % stride != 0) continue;
      f.first = smaller(f.first, a);
      f.last = a;
    }
    return f;
  }

  /// begin_image(image, first row) and body(row, filter rows) for all rows of the padded images, and all distances,
  /// that the rows [first, last) of y, counted over all images, meet.
  template <class BeginImage, class Body>
  void for_each_pair(std::int64_t first, std::int64_t last, const BeginImage& begin_image, const Body& body) const {
    const std::int64_t stride = shape_.geometry.stride_h, span = shape_.rows(1, 1);
    for (std::int64_t row = first; row < last;) {
      const std::int64_t begin = row % shape_.z.p, end = smaller(shape_.z.p, begin + last - row);
      begin_image(row / shape_.z.p, begin * stride);
      for (std::int64_t r = begin * stride; r < (end - 1) * stride + span; ++r)
        for (std::int64_t apart = 0; apart < shape_.z.r; ++apart) {
          const FilterRows f = filter_rows(r, apart, begin, end);
          if (f.first <= f.last) body(r, f);
        }
      row += end - begin;
    }
  }

  /// Sums of patches [taps] and of products of their taps [taps, taps], the upper triangle, over the rows [first, last)
  /// of y.
  void sum(std::int64_t first, std::int64_t last, double* out) const {
    const std::int64_t r = shape_.z.r, dilation = shape_.geometry.dilation_h;
    PatchLines<T> lines(shape_, middle_.data(), context_);
    const std::int64_t blocks = ceil_div(lines.each(), kSide), wide = blocks * kSide,
                       size = (wide + wide * wide) * V::kLanes;
    // A place for each set of filter rows that occurs.
    const Scratch<std::int64_t> places(context_, r * r * r);
    for (std::int64_t i = 0; i < r * r * r; ++i) places.data()[i] = -1;
    const auto place = [&](const FilterRows& f) -> std::int64_t& {
      return places.data()[(f.apart * r + f.first) * r + f.last];
    };
    std::int64_t count = 0;
    for_each_pair(
        first, last, [](std::int64_t, std::int64_t) {},
        [&](std::int64_t, const FilterRows& f) { place(f) = place(f) < 0 ? count++ : place(f); });
    const Scratch<double> sums(context_, count * size);
    for (std::int64_t i = 0; i < count * size; ++i) sums.data()[i] = 0;

    const auto begin_image = [&](std::int64_t image, std::int64_t row) {
      lines.begin(x_ + image * shape_.image(), row);
    };
    for_each_pair(first, last, begin_image, [&](std::int64_t row, const FilterRows& f) {
      lines.show(row + f.apart * dilation);
      double* at = sums.data() + place(f) * size;
      for (std::int64_t i = 0; i < wide && f.apart == 0; ++i)
        add_line(lines.line(row, i), lines.length(), at + i * V::kLanes);
      at += wide * V::kLanes;
      for (std::int64_t i = 0; i < blocks; ++i)
        for (std::int64_t j = f.apart == 0 ? i : 0; j < blocks; ++j) {
          const double *left[kSide], *right[kSide];
          for (int e = 0; e < kSide; ++e) {
            left[e] = lines.line(row, i * kSide + e);
            right[e] = lines.line(row + f.apart * dilation, j * kSide + e);
          }
          add_products(left, right, lines.length(), at + (i * blocks + j) * kSide * kSide * V::kLanes);
        }
    });

    const std::int64_t taps = shape_.taps(), each = lines.each(), step = filter_step();
    for (FilterRows f{0, 0, 0}; f.apart < r; ++f.apart)
      for (f.first = 0; f.first < r; ++f.first)
        for (f.last = f.first; f.last < r; ++f.last) {
          if (place(f) < 0) continue;
          const double* const at = sums.data() + place(f) * size;
          for (std::int64_t a = f.first; a <= f.last; a += step)
            for (std::int64_t i = 0; i < each; ++i) {
              if (f.apart == 0) out[a * each + i] += total(at + i * V::kLanes);
              double* const row = out + (1 + a * each + i) * taps + (a + f.apart) * each;
              for (std::int64_t j = f.apart == 0 ? i : 0; j < each; ++j)
                row[j] += total(
                    at + (wide + (i / kSide * blocks + j / kSide) * kSide * kSide + i % kSide * kSide + j % kSide) *
                             V::kLanes);
            }
        }
  }

  const PatchShape& shape_;
  const T* x_;
  Context& context_;
  Scratch<double> middle_;
};

void run_here(const PatchMoments& k, Context& context) {
  const DType dtype = k.x.dtype;
  const PatchShape shape{
      k.geometry, conv_sizes(PatchMoments::kName, k.geometry, k.x, {nullptr, dtype, k.w}, {nullptr, dtype, k.y})};
  check_moments(PatchMoments::kName, k.geometry, k.moments, k.x.shape, k.w);
  with_float(dtype, PatchMoments::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    context.threads().parallel_for(k.x.shape[0], [&](std::int64_t t) {
      const TaskMoments<T> moments(shape, k.x.as<T>() + t * task_stride(k.x), context);
      moments.write(k.moments.as<double>() + t * task_stride(k.moments));
    });
  });
}

void run_here(const PatchMomentsPair& k, Context& context) { compose(k, context); }

IL_REGISTER_KERNEL(PatchMoments);
IL_REGISTER_KERNEL(PatchMomentsPair);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
