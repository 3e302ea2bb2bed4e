// The moments of patches: for each row of y the lines of inputs that its taps meet, and the products of all pairs of lines, in
// float64 throughout. Products of two float32 are exact there, and inputs are taken from a middle of their channel's values, so
// that the covariance does not cancel either.
#include "kernels/patch_moments.h"

#include "kernels/conv_check.h"
#include "kernels/cpu/patches/shape.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// Of one task.
template <class T>
class TaskMoments {
 public:
  TaskMoments(const PatchShape& shape, const T* x, Context& context)
      : shape_(shape), x_(x), padded_taps_(ceil_div(shape.taps(), kSide) * kSide), middle_(context, shape.z.c) {
    const std::int64_t pixels = shape.z.images * shape.z.h * shape.z.w, samples = smaller(pixels, kSamples);
    for (std::int64_t c = 0; c < shape.z.c; ++c) {
      double total = 0;
      for (std::int64_t i = 0; i < samples; ++i) total += static_cast<double>(x[(2 * i + 1) * pixels / (2 * samples) * shape.z.c + c]);
      middle_.data()[c] = samples == 0 ? 0 : total / static_cast<double>(samples);
    }
  }

  void write(double* moments, Context& context) const {
    const std::int64_t rows = shape_.z.images * shape_.z.p, d = shape_.taps();
    const std::int64_t chunk = larger(1, kChunkPixels / larger(1, shape_.z.q)), chunks = ceil_div(rows, chunk), size = (1 + padded_taps_) * padded_taps_;
    const Scratch<double> partials(context, larger(1, chunks) * size);
    for (std::int64_t i = 0; i < size; ++i) partials.data()[i] = 0;
    context.threads().parallel_for(chunks, [&](std::int64_t i) {
      sum(i * chunk, smaller(rows, (i + 1) * chunk), partials.data() + i * size, context);
    });
    for (std::int64_t i = 1; i < chunks; ++i) add_in_place(partials.data(), partials.data() + i * size, size);
    const std::int64_t pixels = rows * shape_.z.q;
    const double per_pixel = pixels == 0 ? 0 : 1 / static_cast<double>(pixels);
    const double *sums = partials.data(), *products = sums + padded_taps_;
    double* covariance = moments + d;
    for (std::int64_t i = 0; i < d; ++i) {
      moments[i] = sums[i] * per_pixel + (pixels == 0 ? 0 : middle_.data()[i % shape_.z.c]);
      for (std::int64_t j = i; j < d; ++j)
        covariance[i * d + j] = covariance[j * d + i] = (products[i * padded_taps_ + j] - sums[i] * sums[j] * per_pixel) * per_pixel;
    }
  }

 private:
  using V = Vec<double>;
  static constexpr int kSide = 3;                      ///< products of kSide taps by kSide taps are summed at once
  static constexpr std::int64_t kSamples = 64;         ///< pixels that the middle is the mean of
  static constexpr std::int64_t kChunkPixels = 16384;  ///< of y, in which sums are taken

  /// For each source row and each column tap and channel, what the taps of a row of y meet there, less the middle.
  class Lines {
   public:
    Lines(const TaskMoments& of, Context& context)
        : of_(of),
          shape_(of.shape_),
          slots_(shape_.rows(1, 1)),
          each_(shape_.z.s * shape_.z.c),
          length_(ceil_div(shape_.z.q, V::kLanes) * V::kLanes),
          memory_(context, (slots_ * each_ + 1) * length_) {
      for (std::int64_t i = 0; i < (slots_ * each_ + 1) * length_; ++i) memory_.data()[i] = 0;  // what lies behind q stays so
    }

    std::int64_t length() const { return length_; }

    /// Makes the source rows of row p of an image's y be there. The rows of an image come in order.
    void show(const T* image, std::int64_t p) {
      const std::int64_t first = p * shape_.geometry.stride_h, last = first + slots_;
      if (image != image_) next_ = first;
      image_ = image;
      for (next_ = larger(next_, first); next_ < last; ++next_) fill(next_);
    }
    /// Of a tap at row p; a tap behind the last: zeros.
    const double* line(std::int64_t p, std::int64_t tap) const {
      if (tap >= shape_.taps()) return memory_.data() + slots_ * each_ * length_;
      const std::int64_t row = p * shape_.geometry.stride_h + tap / each_ * shape_.geometry.dilation_h;
      return memory_.data() + (row % slots_ * each_ + tap % each_) * length_;
    }

   private:
    /// Row `row` of the padded image.
    void fill(std::int64_t row) const {
      const ConvSizes& z = shape_.z;
      const std::int64_t h = row - shape_.geometry.pad_top, step = shape_.geometry.stride_w;
      const T* const from = h >= 0 && h < z.h ? image_ + h * z.w * z.c : nullptr;
      double* to = memory_.data() + row % slots_ * each_ * length_;
      for (std::int64_t b = 0; b < z.s; ++b) {
        const std::int64_t left = b * shape_.geometry.dilation_w - shape_.geometry.pad_left;
        const std::int64_t begin = smaller(z.q, left >= 0 ? 0 : ceil_div(-left, step));
        const std::int64_t end = larger(begin, smaller(z.q, left >= z.w ? 0 : ceil_div(z.w - left, step)));
        for (std::int64_t c = 0; c < z.c; ++c, to += length_) {
          const double middle = of_.middle_.data()[c];
          for (std::int64_t q = 0; q < z.q; ++q) to[q] = -middle;
          if (from == nullptr) continue;
          const T* const first = from + left * z.c + c;
          for (std::int64_t q = begin; q < end; ++q) to[q] = static_cast<double>(first[q * step * z.c]) - middle;
        }
      }
    }

    const TaskMoments& of_;
    const PatchShape& shape_;
    std::int64_t slots_, each_, length_;
    Scratch<double> memory_;
    const T* image_ = nullptr;
    std::int64_t next_ = 0;
  };

  /// Sums of patches [taps] and of products of their taps [taps, taps], the upper triangle, over the rows [first, last) of y.
  void sum(std::int64_t first, std::int64_t last, double* out, Context& context) const {
    const std::int64_t blocks = padded_taps_ / kSide, pairs = blocks * (blocks + 1) / 2;
    const Scratch<double> memory(context, (padded_taps_ + pairs * kSide * kSide) * V::kLanes);
    for (std::int64_t i = 0; i < (padded_taps_ + pairs * kSide * kSide) * V::kLanes; ++i) memory.data()[i] = 0;
    double* const products = memory.data() + padded_taps_ * V::kLanes;
    Lines lines(*this, context);
    for (std::int64_t row = first; row < last; ++row) {
      const std::int64_t p = row % shape_.z.p;
      lines.show(x_ + row / shape_.z.p * shape_.image(), p);
      double* at = products;
      for (std::int64_t i = 0; i < blocks; ++i) {
        const double* left[kSide];
        for (int a = 0; a < kSide; ++a) {
          left[a] = lines.line(p, i * kSide + a);
          add_line(left[a], lines.length(), memory.data() + (i * kSide + a) * V::kLanes);
        }
        for (std::int64_t j = i; j < blocks; ++j, at += kSide * kSide * V::kLanes) {
          const double* right[kSide];
          for (int b = 0; b < kSide; ++b) right[b] = lines.line(p, j * kSide + b);
          add_products(left, right, lines.length(), at);
        }
      }
    }
    const double* at = memory.data();
    for (std::int64_t i = 0; i < padded_taps_; ++i, at += V::kLanes) out[i] = total(at);
    for (std::int64_t i = 0; i < blocks; ++i)
      for (std::int64_t j = i; j < blocks; ++j)
        for (int e = 0; e < kSide * kSide; ++e, at += V::kLanes)
          out[(1 + i * kSide + e / kSide) * padded_taps_ + j * kSide + e % kSide] = total(at);
  }

  static void add_line(const double* line, std::int64_t length, double* to) {
    V sum = V::load(to);
    for (std::int64_t q = 0; q < length; q += V::kLanes) sum = sum + V::load(line + q);
    sum.store(to);
  }

  static void add_products(const double* const* left, const double* const* right, std::int64_t length, double* to) {
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

  static double total(const double* lanes) {
    double sum = 0;
    for (int i = 0; i < V::kLanes; ++i) sum += lanes[i];
    return sum;
  }

  const PatchShape& shape_;
  const T* x_;
  std::int64_t padded_taps_;
  Scratch<double> middle_;
};

void run_here(const PatchMoments& k, Context& context) {
  const DType dtype = k.x.dtype;
  const PatchShape shape{k.geometry, conv_sizes(PatchMoments::kName, k.geometry, k.x, {nullptr, dtype, k.w}, {nullptr, dtype, k.y})};
  IL_CHECK(moments_suffice(k.geometry, k.w) && k.moments.data != nullptr && k.moments.dtype == DType::kF64 &&
               k.moments.shape == moments_shape(k.x.shape, k.w),
           "{}: {} ({}) for the moments of {} and weights {}; {} (f64) is needed, at most {} taps and one group", PatchMoments::kName,
           k.moments.shape.to_string(), name_of(k.moments.dtype), k.x.shape.to_string(), k.w.to_string(),
           moments_shape(k.x.shape, k.w).to_string(), kMomentTaps);
  with_float(dtype, PatchMoments::kName.data(), [&](auto tag) {
    using T = decltype(tag);
    context.threads().parallel_for(k.x.shape[0], [&](std::int64_t t) {
      const TaskMoments<T> moments(shape, k.x.as<T>() + t * task_stride(k.x), context);
      moments.write(k.moments.as<double>() + t * task_stride(k.moments), context);
    });
  });
}

IL_REGISTER_KERNEL(PatchMoments);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
