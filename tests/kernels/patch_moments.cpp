// Moments of patches against sums in long double, and what they are for: the variance of a filter's output that is far
// smaller than its terms.
#include "kernels/patch_moments.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

struct MomentCase {
  const char* name;
  std::int64_t tasks, images, height, width, channels;
  std::int64_t filter_h, filter_w, stride, pad, dilation;
};

const MomentCase kMomentCases[] = {
    {"one channel", 2, 3, 12, 17, 1, 3, 3, 1, 1, 1},
    {"colour", 1, 2, 9, 40, 3, 3, 3, 1, 1, 1},
    {"two channels, strided", 2, 2, 15, 14, 2, 3, 3, 2, 1, 1},
    {"wide filter, no padding", 1, 2, 11, 9, 1, 5, 5, 1, 0, 1},
    {"dilated, strided", 1, 2, 17, 16, 2, 3, 2, 3, 2, 2},
    {"one pixel", 1, 4, 5, 6, 3, 1, 1, 2, 0, 1},
    {"flat filter", 1, 2, 6, 20, 1, 1, 7, 1, 3, 1},
    {"padding wider than the image", 1, 1, 2, 1, 1, 3, 3, 1, 4, 1},
    {"many rows", 1, 40, 31, 33, 1, 3, 3, 1, 1, 1},
};

struct Moments {
  MomentCase c;
  ConvGeometry geometry;
  Shape w, y;
  Array x, moments;

  Moments(const MomentCase& moment_case, DType dtype) : c(moment_case) {
    geometry.stride_h = geometry.stride_w = c.stride;
    geometry.pad_top = geometry.pad_left = c.pad;
    geometry.dilation_h = geometry.dilation_w = c.dilation;
    const auto out = [&](std::int64_t in, std::int64_t filter) {
      return (in + 2 * c.pad - (filter - 1) * c.dilation - 1) / c.stride + 1;
    };
    w = {1, c.filter_h, c.filter_w, c.channels, 4};
    y = {c.tasks, c.images, out(c.height, c.filter_h), out(c.width, c.filter_w), 4};
    x = random_array({c.tasks, c.images, c.height, c.width, c.channels}, dtype, 1, 0.5);
    moments = Array(moments_shape(x.shape(), w), DType::kF64);
  }
  PatchMoments kernel() { return {geometry, w, y, x.view(), moments.mutable_view()}; }

  /// The input that tap `t` of pixel (p, q) of an image meets.
  long double input(std::int64_t task, std::int64_t n, std::int64_t p, std::int64_t q, std::int64_t t) const {
    const std::int64_t h = p * c.stride - c.pad + t / (c.filter_w * c.channels) * c.dilation;
    const std::int64_t v = q * c.stride - c.pad + t / c.channels % c.filter_w * c.dilation;
    if (h < 0 || h >= c.height || v < 0 || v >= c.width) return 0;
    return x[static_cast<std::size_t>((((task * c.images + n) * c.height + h) * c.width + v) * c.channels +
                                      t % c.channels)];
  }
};

TEST(PatchMoments, AreThoseOfTheInputsThatTheTapsMeet) {
  for (const MomentCase& c : kMomentCases) {
    SCOPED_TRACE(c.name);
    for (const DType dtype : {DType::kF32, DType::kF64}) {
      Moments m(c, dtype);
      const std::int64_t d = m.moments.shape()[2];
      std::vector<long double> expected;
      for (std::int64_t task = 0; task < c.tasks; ++task) {
        std::vector<long double> mean(static_cast<std::size_t>(d)), product(static_cast<std::size_t>(d * d));
        const auto pixels = static_cast<long double>(m.y[1] * m.y[2] * m.y[3]);
        for (const bool second : {false, true})
          for (std::int64_t n = 0; n < c.images; ++n)
            for (std::int64_t p = 0; p < m.y[2]; ++p)
              for (std::int64_t q = 0; q < m.y[3]; ++q)
                for (std::int64_t i = 0; i < d; ++i) {
                  const auto at = static_cast<std::size_t>(i);
                  if (!second) mean[at] += m.input(task, n, p, q, i) / pixels;
                  for (std::int64_t j = 0; second && j < d; ++j)
                    product[static_cast<std::size_t>(i * d + j)] +=
                        (m.input(task, n, p, q, i) - mean[at]) *
                        (m.input(task, n, p, q, j) - mean[static_cast<std::size_t>(j)]) / pixels;
                }
        expected.insert(expected.end(), mean.begin(), mean.end());
        expected.insert(expected.end(), product.begin(), product.end());
      }
      run_everywhere(
          {&m.moments}, [&](Context& context) { run(m.kernel(), context); },
          [&] {
            for (std::size_t i = 0; i < expected.size(); ++i)
              ASSERT_NEAR(m.moments[i], static_cast<double>(expected[i]), 64 * epsilon_of(DType::kF64))
                  << "moment " << i;
          });
    }
  }
}

TEST(PatchMoments, OfTwoSetsAreThoseOfEachAlone) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    // Of other images, and more of them, in parts of which there are more.
    Moments first(kMomentCases[0], dtype), second({"", 2, 50, 12, 17, 1, 3, 3, 1, 1, 1}, dtype);
    Array alone[2] = {first.moments, second.moments};
    run_everywhere(
        {&first.moments, &second.moments, &alone[0], &alone[1]},
        [&](Context& context) {
          run(PatchMomentsPair{first.kernel(), second.kernel()}, context);
          PatchMoments one = first.kernel(), other = second.kernel();
          one.moments = alone[0].mutable_view(), other.moments = alone[1].mutable_view();
          run(one, context);
          run(other, context);
        },
        [&] {
          EXPECT_EQ(first.moments.values(), alone[0].values());
          EXPECT_EQ(second.moments.values(), alone[1].values());
        });
  }
}

TEST(PatchMoments, OfBrightImagesDoNotCancel) {
  // A faint pattern on a bright ground: in float32 the squares of the values would leave nothing of it.
  Moments m({"", 1, 2, 40, 40, 1, 3, 3, 1, 0, 1}, DType::kF32);
  std::vector<double> pattern(m.x.size());
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = 1000 + 1e-3 * static_cast<double>(i % 7);
  m.x = Array(m.x.shape(), DType::kF32, pattern);
  Context context(2, one_target());
  run(m.kernel(), context);
  wait_for_device();
  const std::int64_t d = 9;
  for (std::int64_t i = 0; i < d; ++i) {
    long double mean = 0, variance = 0;
    const auto each = [&](const auto& f) {
      for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t p = 0; p < m.y[2]; ++p)
          for (std::int64_t q = 0; q < m.y[3]; ++q) f(m.input(0, n, p, q, i));
    };
    const auto pixels = static_cast<long double>(m.y[1] * m.y[2] * m.y[3]);
    each([&](long double u) { mean += u / pixels; });
    each([&](long double u) { variance += (u - mean) * (u - mean) / pixels; });
    EXPECT_NEAR(m.moments[static_cast<std::size_t>(d + i * d + i)] / static_cast<double>(variance), 1, 1e-9);
  }
}

TEST(PatchMoments, NameWhatDoesNotFit) {
  Moments m(kMomentCases[0], DType::kF32);
  Context context(1, one_target());
  PatchMoments kernel = m.kernel();
  kernel.moments.shape = {2, 3, 9};
  EXPECT_THROW(run(kernel, context), Error);
  kernel = m.kernel();
  kernel.w = {1, 3, 3, 2, 4};
  EXPECT_THROW(run(kernel, context), Error);
  EXPECT_FALSE(moments_suffice(m.geometry, {1, 11, 11, 3, 4}));
  EXPECT_TRUE(moments_suffice(m.geometry, {1, 3, 3, 3, 4}));
}

}  // namespace
}  // namespace innerloop::kernels
