#include "io/window.h"

#include <gtest/gtest.h>

#include <numeric>

#include "data_fixtures.h"
#include "raw_png.h"

namespace innerloop::io {
namespace {

using Samples = std::vector<std::uint16_t>;

/// 0, 1, .. n - 1, times `step`, plus `base`.
Samples ramp_of(std::size_t n, int base, int step) {
  Samples out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint16_t>(base + step * static_cast<int>(i));
  return out;
}

TEST(Window, PercentilesUseTheWholeRangeOfBytes) {
  const Samples samples = ramp_of(1000, 3000, 1);  // 10 bits in use, none of them in the high byte
  const auto bytes = windowed(samples, {});
  EXPECT_EQ(bytes.front(), 0);
  EXPECT_EQ(bytes[4], 0);  // ceil(0.005 * 1000) = 5 samples do not exceed 3004
  EXPECT_EQ(bytes[994], 255);
  EXPECT_EQ(bytes.back(), 255);
  EXPECT_EQ(bytes[499], (495 * 255 + 495) / 990);  // (3499 - 3004) of 990, rounded
  EXPECT_TRUE(std::is_sorted(bytes.begin(), bytes.end()));
}

TEST(Window, AMarkerOfLeadDoesNotDecide) {
  Samples samples = ramp_of(1000, 1000, 2);
  const auto before = windowed(samples, {});
  samples.back() = 65535;
  const auto after = windowed(samples, {});
  for (std::size_t i = 0; i + 1 < samples.size(); ++i) EXPECT_EQ(before[i], after[i]) << i;
}

TEST(Window, AConstantImageKeepsItsHighByte) {
  EXPECT_EQ(windowed(Samples(9, 0x4321), {}), std::vector<std::uint8_t>(9, 0x43));
}

TEST(Window, DicomsLinearFunction) {
  const Samples samples = ramp_of(256, 1000, 1);
  const auto bytes =
      windowed(samples, DicomWindow{1128, 256});  // exactly 1000 .. 1255, as PS3.3 C.11.2.1.2.1 defines it
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(bytes[i], i) << i;
  const auto narrow = windowed(samples, DicomWindow{1128, 200});
  EXPECT_EQ(narrow[27], 0);
  EXPECT_EQ(narrow[228], 255);
  EXPECT_NE(narrow, windowed(samples, {}));
}

TEST(Window, OneThatSpeaksOfOtherValuesIsNotUsed) {
  const Samples samples = ramp_of(1000, 3000, 1);
  EXPECT_EQ(windowed(samples, DicomWindow{40, 400}), windowed(samples, {}));
  EXPECT_EQ(windowed(samples, DicomWindow{3500, 0}), windowed(samples, {}));
}

TEST(Window, DecodingFollowsTheHints) {
  const Samples samples = ramp_of(64, 2000, 10);
  const TempFolder folder;
  const std::string path = folder.write("a.png", deep_png(8, 8, samples));
  DisplayHints hints;
  hints.window = DicomWindow{2320, 400};
  EXPECT_EQ(decode_image(path, 1).pixels, windowed(samples, {}));
  EXPECT_EQ(decode_image(path, 1, hints).pixels, windowed(samples, hints.window));
  hints.photometric = Photometric::kMonochrome1;
  Image bright = decode_image(path, 1, hints);
  invert_image(bright);
  EXPECT_EQ(bright.pixels, windowed(samples, hints.window));
  EXPECT_EQ(decode_image(path, 3).pixels.size(), 192u);
  EXPECT_EQ(decode_image(path, 3).stored_bits, 16);
  const std::string whole = read_file(path);
  folder.write("cut.png", whole.substr(0, whole.size() / 2));
  EXPECT_SAYS(decode_image(folder.path("cut.png"), 1), "truncated");
}

}  // namespace
}  // namespace innerloop::io
