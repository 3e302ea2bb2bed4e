#include "kernels/pool.h"

#include "tests/kernels/harness.h"

namespace innerloop::kernels {
namespace {

using namespace harness;

class PoolTest : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, PoolTest, ::testing::Values(DType::kF32, DType::kF64),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

struct PoolCase {
  Shape x;
  PoolGeometry g;
  Shape y() const {
    return {x[0], x[1], (x[2] - g.window_h) / g.stride_h + 1, (x[3] - g.window_w) / g.stride_w + 1, x[4]};
  }
  std::size_t area() const { return static_cast<std::size_t>(g.window_h * g.window_w); }
};

const PoolCase kPoolCases[] = {
    {{1, 2, 4, 4, 3}, {}},           {{3, 2, 5, 7, 17}, {}}, {{1, 1, 3, 3, 64}, {3, 3, 1, 1}},
    {{2, 1, 7, 6, 5}, {3, 2, 2, 1}},  // overlapping
    {{1, 2, 9, 8, 4}, {2, 3, 3, 4}},  // with gaps
    {{1, 2, 1, 1, 1}, {1, 1, 1, 1}}, {{1, 0, 4, 4, 3}, {}},  {{2, 3, 40, 41, 16}, {}},
    {{1, 2, 6, 6, 6}, {4, 4, 1, 1}},  // a pixel is in up to 16 windows
    {{3, 5, 7, 9, 64}, {2, 2, 3, 3}},  // pixels in none
};

/// f(y index, x indices of its window in order).
template <class F>
void for_each_window(const PoolCase& c, const F& f) {
  const Shape y = c.y();
  std::size_t to = 0;
  for (std::int64_t image = 0; image < y[0] * y[1]; ++image)
    for (std::int64_t p = 0; p < y[2]; ++p)
      for (std::int64_t q = 0; q < y[3]; ++q)
        for (std::int64_t ch = 0; ch < y[4]; ++ch) {
          std::vector<std::size_t> window;
          for (std::int64_t r = 0; r < c.g.window_h; ++r)
            for (std::int64_t s = 0; s < c.g.window_w; ++s)
              window.push_back(static_cast<std::size_t>(
                  ((image * c.x[2] + p * c.g.stride_h + r) * c.x[3] + q * c.g.stride_w + s) * c.x[4] + ch));
          f(to++, window);
        }
}

/// Whole numbers from a small range, so that ties abound, with a NaN in some windows.
Array tied(const Shape& shape, DType dtype) {
  std::vector<double> v = random_array(shape, DType::kF64, 5, 0, 1.5).values();
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = i % 97 == 13 ? std::nan("") : std::round(v[i]);
  return {shape, dtype, v};
}

Array random_choice(const PoolCase& c) {
  std::vector<double> v(static_cast<std::size_t>(c.y().numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i * 7 % c.area());
  return {c.y(), DType::kI32, v};
}

TEST_P(PoolTest, MaxTakesTheFirstOfTies) {
  for (const PoolCase& c : kPoolCases) {
    SCOPED_TRACE(c.x.to_string());
    const Array x = tied(c.x, GetParam());
    Array y(c.y(), GetParam()), choice(c.y(), DType::kI32);
    run_everywhere(
        {&y, &choice},
        [&](Context& ctx) {
          run(MaxPool{c.g, x.view(), y.mutable_view(), choice.mutable_view()}, ctx);
        },
        [&] {
          for_each_window(c, [&](std::size_t i, const std::vector<std::size_t>& window) {
            std::size_t best = 0;
            for (std::size_t s = 1; s < window.size(); ++s) {
              if (std::isnan(x[window[best]])) break;
              if (std::isnan(x[window[s]]) || x[window[s]] > x[window[best]]) best = s;
            }
            ASSERT_EQ(choice[i], static_cast<double>(best)) << i;
            ASSERT_TRUE(y[i] == x[window[best]] || (std::isnan(y[i]) && std::isnan(x[window[best]]))) << i;
          });
        });
  }
}

TEST_P(PoolTest, GatherAndScatterFollowTheChoice) {
  for (const PoolCase& c : kPoolCases) {
    SCOPED_TRACE(c.x.to_string());
    const Array x = random_array(c.x, GetParam(), 1), gy = random_array(c.y(), GetParam(), 2),
                choice = random_choice(c);
    Array y(c.y(), GetParam()), gx(c.x, GetParam());
    std::vector<Num> want(x.size());
    for_each_window(c, [&](std::size_t i, const std::vector<std::size_t>& window) {
      want[window[static_cast<std::size_t>(choice[i])]] += Num(gy[i]);
    });
    run_everywhere(
        {&y, &gx},
        [&](Context& ctx) {
          run(PoolGather{c.g, x.view(), choice.view(), y.mutable_view()}, ctx);
          run(PoolScatter{c.g, gy.view(), choice.view(), gx.mutable_view()}, ctx);
        },
        [&] {
          for_each_window(c, [&](std::size_t i, const std::vector<std::size_t>& window) {
            ASSERT_EQ(y[i], x[window[static_cast<std::size_t>(choice[i])]]);
          });
          expect_near(gx, want, 4, "gx");  // sums of at most nine
        });
  }
}

TEST_P(PoolTest, AverageAndItsAdjoint) {
  for (const PoolCase& c : kPoolCases) {
    SCOPED_TRACE(c.x.to_string());
    const Array x = random_array(c.x, GetParam(), 1), gy = random_array(c.y(), GetParam(), 2);
    Array y(c.y(), GetParam()), gx(c.x, GetParam());
    std::vector<Num> want_y(y.size()), want_gx(x.size());
    const Num weight(1.0 / static_cast<double>(c.area()));
    for_each_window(c, [&](std::size_t i, const std::vector<std::size_t>& window) {
      for (const std::size_t j : window) want_y[i] += weight * Num(x[j]), want_gx[j] += weight * Num(gy[i]);
    });
    run_everywhere(
        {&y, &gx},
        [&](Context& ctx) {
          run(AveragePool{c.g, x.view(), y.mutable_view()}, ctx);
          run(AveragePoolGrad{c.g, gy.view(), gx.mutable_view()}, ctx);
        },
        [&] {
          expect_near(y, want_y, 4, "y");
          expect_near(gx, want_gx, 4, "gx");
        });
  }
}

}  // namespace
}  // namespace innerloop::kernels
