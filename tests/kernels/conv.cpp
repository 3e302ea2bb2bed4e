// Convolutions against the float64 oracle: shapes, geometries, pairs, task extents, dtypes and targets.
#include "kernels/conv.h"

#include "tests/kernels/conv_harness.h"

namespace innerloop::kernels {
namespace {

struct Spec {
  std::int64_t n, h, w, c, k, r, s;
  std::int64_t stride = 1, pad_low = 0, pad_high = 0, dilation = 1, groups = 1;
};

ConvCase make_case(const Spec& t) {
  ConvCase z;
  z.n = t.n, z.h = t.h, z.w = t.w, z.c = t.c, z.k = t.k, z.r = t.r, z.s = t.s;
  z.geometry = {t.stride, t.stride, t.pad_low, t.pad_low, t.dilation, t.dilation, t.groups};
  z.p = conv_extent(t.h, t.r, t.stride, t.pad_low, t.pad_high, t.dilation);
  z.q = conv_extent(t.w, t.s, t.stride, t.pad_low, t.pad_high, t.dilation);
  return z;
}

/// All three kernels, one pair and two.
void check_all(const ConvCase& z, unsigned seed) {
  for (const ConvKind kind : kConvKinds) {
    for (const int pairs : {1, 2}) {
      ConvCall call;
      call.z = z, call.kind = kind, call.pairs = pairs;
      check_conv(call, seed++);
    }
  }
}

TEST(Conv, TheModelsLayers) {
  unsigned seed = 1;
  for (const Spec& t : {Spec{2, 14, 14, 1, 64, 3, 3, 1, 1, 1}, Spec{1, 7, 7, 64, 64, 3, 3, 1, 1, 1},
                        Spec{3, 3, 3, 64, 64, 3, 3, 1, 1, 1}, Spec{2, 9, 9, 3, 32, 3, 3, 1, 1, 1},
                        Spec{1, 10, 10, 16, 32, 3, 3, 1, 1, 1}, Spec{1, 8, 8, 32, 16, 3, 3, 2, 0, 1},
                        Spec{1, 15, 15, 1, 128, 3, 3, 2, 1, 1}, Spec{1, 13, 14, 64, 32, 3, 3, 2, 0, 1},
                        // Weights of more than one cached panel.
                        Spec{1, 3, 5, 64, 64, 5, 5, 1, 2, 2}}) {
    check_all(make_case(t), seed += 10);
  }
}

TEST(Conv, ChannelCounts) {
  unsigned seed = 100;
  for (const std::int64_t c : {1, 3, 16, 17, 32, 70}) {
    for (const std::int64_t k : {1, 3, 16, 17, 64, 70}) {
      check_all(make_case({1, 4, 5, c, k, 3, 3, 1, 1, 1}), seed += 10);
    }
  }
}

/// Channels that fill a CPU's tiles, over rows of every length, so that tiles of pixels end anywhere in a row and cross images. (A
/// device's tiles are others, and the executor is slow: it gets a few of them.)
TEST(Conv, ChannelsThatFillTiles) {
  unsigned seed = 30000;
  const bool few = has_device_engine();
  for (const std::int64_t c : {16, 32, 48, 64, 96}) {
    for (const std::int64_t k : {16, 32, 48, 96})
      if (!few || (c != k && c + k < 128)) check_all(make_case({2, 5, 7, c, k, 3, 3, 1, 1, 1}), seed += 10);
  }
  for (std::int64_t width = 1; width <= 35; width += few ? 8 : 2) {
    check_all(make_case({3, 4, width, 16, 32, 3, 3, 1, 1, 1}), seed += 10);
    check_all(make_case({2, 7, width, 32, 32, 3, 3, 2, 1, 1}), seed += 10);
  }
  // No padding, one tap, long taps, dilation, strides above the filter, and more pixels than a block has.
  for (const Spec& t : {Spec{2, 9, 9, 32, 32, 3, 3}, Spec{2, 6, 6, 64, 32, 1, 1}, Spec{1, 9, 9, 32, 48, 5, 5, 1, 2, 2},
                        Spec{2, 9, 9, 32, 64, 3, 3, 1, 2, 2, 2}, Spec{2, 9, 9, 16, 32, 3, 3, 1, 2, 2, 2},
                        Spec{1, 22, 22, 16, 32, 2, 2, 3, 1, 1}, Spec{1, 40, 41, 16, 32, 3, 3, 1, 1, 1},
                        Spec{1, 3, 1040, 16, 32, 3, 3, 1, 1, 1}, Spec{1, 50, 50, 32, 16, 3, 3, 2, 1, 1}}) {
    if (harness::is_executed() && t.w > 41) continue;  // a long sum of pixels is the one before
    check_all(make_case(t), seed += 10);
  }
}

TEST(Conv, FiltersStridesAndPadding) {
  unsigned seed = 1000;
  for (std::int64_t filter = 1; filter <= 5; ++filter) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t pad : {std::int64_t{0}, filter / 2, filter}) {
        check_all(make_case({2, 7, 6, 3, 5, filter, filter, stride, pad, filter - 1 - filter / 2}), seed += 10);
      }
    }
  }
  check_all(make_case({1, 27, 31, 3, 20, 11, 11, 4, 2, 2}), seed += 10);
  check_all(make_case({1, 9, 9, 4, 6, 3, 5, 1, 1, 2, 2}), seed += 10);
  check_all(make_case({1, 9, 8, 4, 6, 3, 2, 2, 2, 2, 2}), seed += 10);
  check_all(make_case({1, 10, 11, 4, 6, 3, 3, 2, 3, 1, 3}), seed += 10);
  check_all(make_case({1, 12, 12, 2, 3, 2, 3, 4, 1, 1, 2}), seed += 10);
}

TEST(Conv, Groups) {
  unsigned seed = 2000;
  check_all(make_case({2, 6, 5, 8, 12, 3, 3, 1, 1, 1, 1, 2}), seed += 10);
  check_all(make_case({1, 6, 5, 32, 64, 3, 3, 2, 1, 1, 1, 2}), seed += 10);
  check_all(make_case({1, 6, 6, 6, 12, 3, 3, 1, 1, 1, 1, 6}), seed += 10);
  for (const std::int64_t c : {1, 7, 16, 37, 64}) {
    check_all(make_case({2, 7, 6, c, c, 3, 3, 1, 1, 1, 1, c}), seed += 10);
    check_all(make_case({1, 8, 9, c, c, 5, 3, 2, 2, 2, 1, c}), seed += 10);
    check_all(make_case({1, 9, 9, c, c, 3, 3, 1, 2, 2, 2, c}), seed += 10);
  }
}

TEST(Conv, EverySmallSize) {
  unsigned seed = 3000;
  for (std::int64_t size = 1; size <= 15; ++size) {
    check_all(make_case({size % 3 + 1, size, 16 - size, 5, 18, 3, 3, 1, 1, 1}), seed += 10);
    check_all(make_case({1, size, size, 3, 17, 3, 3, 2, 0, 1}), seed += 10);
  }
}

TEST(Conv, RandomGeometries) {
  std::mt19937 random(7);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  for (unsigned i = 0; i < 120; ++i) {
    ConvCase z;
    const std::int64_t groups = pick(1, 3);
    z.n = pick(1, 3), z.h = pick(1, 9), z.w = pick(1, 9), z.c = groups * pick(1, 6), z.k = groups * pick(1, 20);
    z.r = pick(1, 5), z.s = pick(1, 5);
    // P and Q are free: what lies outside the image is zero, however far.
    z.p = pick(1, 8), z.q = pick(1, 8);
    z.geometry = {pick(1, 4), pick(1, 4), pick(0, 5), pick(0, 5), pick(1, 3), pick(1, 3), groups};
    check_all(z, 4000 + 10 * i);
  }
}

TEST(Conv, TaskExtents) {
  unsigned seed = 9000;
  for (const Spec& t : {Spec{2, 5, 4, 3, 18, 3, 3, 1, 1, 1}, Spec{1, 6, 6, 4, 4, 3, 3, 2, 0, 1, 1, 4},
                        Spec{1, 5, 5, 4, 6, 3, 3, 2, 1, 1, 1, 2}, Spec{1, 6, 7, 16, 32, 3, 3, 1, 1, 1}}) {
    for (const ConvKind kind : kConvKinds) {
      for (int mask = 0; mask < 32; ++mask) {
        if ((mask & 16) == 0 && (mask & 12) != 0) continue;  // extents of a second pair that is not there
        ConvCall call;
        call.z = make_case(t), call.kind = kind, call.pairs = mask & 16 ? 2 : 1;
        call.tasks_a[0] = mask & 1 ? 3 : 1, call.tasks_b[0] = mask & 2 ? 3 : 1;
        if (call.pairs == 2) call.tasks_a[1] = mask & 4 ? 3 : 1, call.tasks_b[1] = mask & 8 ? 3 : 1;
        const std::int64_t tasks = call.tasks();
        call.tasks_out = tasks;
        check_conv(call, ++seed);
        if (kind == ConvKind::kForward || tasks == 1) continue;
        call.tasks_out = 1;
        check_conv(call, ++seed);
      }
    }
  }
}

/// Sizes one below, at and one above the tiles of the device, in rows, columns and depth of each of the three products.
TEST(Conv, AroundTileSizes) {
  unsigned seed = 20000;
  for (const std::int64_t pixels : {15, 16, 17, 63, 64, 65, 127, 129}) {
    check_all(make_case({1, pixels, 1, 4, 8, 1, 1}), seed += 10);
    check_all(make_case({1, 1, pixels, 5, 3, 1, 3, 1, 1, 1}), seed += 10);
  }
  for (const std::int64_t channels : {31, 32, 33, 60, 63, 64, 65, 68}) {
    check_all(make_case({1, 3, 3, channels, 36, 1, 1}), seed += 10);
    check_all(make_case({1, 3, 3, 36, channels, 1, 1}), seed += 10);
  }
}

TEST(Conv, ManyTasksAndGroups) {
  for (const ConvKind kind : kConvKinds) {
    ConvCall call;
    call.z = make_case({1, 4, 3, 24, 48, 3, 3, 2, 1, 1, 1, 12}), call.kind = kind;
    call.tasks_a[0] = call.tasks_out = 40;
    check_conv(call, 21000);
  }
}

}  // namespace
}  // namespace innerloop::kernels
