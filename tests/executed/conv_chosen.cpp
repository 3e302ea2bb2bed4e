// A block that keeps y's and ty's values at the chosen pixels (kernels/norm.h) gives the bits of one that does not, in every pass.
#include "kernels/cuda/conv_made.h"
#include "tests/executed/conv_passes.h"

namespace innerloop::kernels {
namespace {

using namespace moments;

/// Where a window lives it is the value there, elsewhere that of one of its pixels.
void expect_chosen(const Block& b, const Array& y, const Array& kept) {
  const std::vector<double> found = at_chosen(b, y, b.choice);
  std::vector<double> pixel[4];
  for (int j = 0; j < 4; ++j) pixel[j] = at_chosen(b, y, Array(b.sp, DType::kU8, std::vector<double>(kept.size(), j)));
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (b.choice[i] != kDead) {
      ASSERT_EQ(kept[i], found[i]) << i;
      continue;
    }
    bool one_of_them = false;
    for (const std::vector<double>& at : pixel) one_of_them |= kept[i] == at[i];
    ASSERT_TRUE(one_of_them) << i;
  }
}

void expect_same_bits(const MomentCase& c, DType t, std::int64_t least_made) {
  SCOPED_TRACE(least_made);
  cuda::set_least_made_elements(least_made);
  Passes passes(c, t);
  const std::vector<Bytes> without = passes.run_on(device(), false), with = passes.run_on(device(), true);
  for (std::size_t i = 0; i < with.size(); ++i) EXPECT_EQ(with[i], without[i]) << "output " << i;
  expect_chosen(passes.b, passes.b.y, passes.chosen);
  expect_chosen(passes.b, passes.b.ty, passes.tchosen);
}

TEST(ConvChosen, KeptOrNotTheBitsAreTheSame) {
  const Pool pool = Pool::kMax2x2;
  const MomentCase made[] = {
      {"by tiles of an image, a norm in several blocks", 1, 2, 50, 48, 8, 8, 3, 1, 1, pool, 0, true},
      {"by tiles, with a row and a column left over", 2, 1, 15, 31, 8, 12, 3, 1, 1, pool, 0, true},
      {"by runs of pixels, odd channels", 2, 3, 9, 7, 5, 17},
      {"by the norm alone: fewer pixels than a unit", 2, 1, 7, 7, 8, 16},
  };
  const MathScope math(ConvMath::kTf32x3);
  const std::int64_t saved = cuda::least_made_elements();
  for (const MomentCase& c : made) {
    SCOPED_TRACE(c.name);
    const cuda::MomentUnits units = cuda::moment_units(Block(c, DType::kF32).convolution(), ConvMath::kTf32x3);
    EXPECT_EQ(units.unit == cuda::MomentUnit::kTile, c.tiles);
    EXPECT_EQ(units.count == 0, c.height * c.width < cuda::kMomentPixels && c.images == 1);
    expect_same_bits(c, DType::kF32, saved);
    if (c.tiles) expect_same_bits(c, DType::kF32, 1);  // gy made by the loaders of the convolutions
    if (!c.tiles) expect_same_bits(c, DType::kF64, saved);
    cuda::set_least_made_elements(saved);
    if (HasFailure()) return;
  }
}

TEST(ConvChosen, IsKeptOnADeviceAlone) {
  EXPECT_TRUE(keeps_chosen(Target::kCuda, Pool::kMax2x2));
  EXPECT_FALSE(keeps_chosen(Target::kCuda, Pool::kNone));
  Passes passes(cases()[1], DType::kF32);
  for (const Target target : {Target::kPortable, cpu_target()}) {
    EXPECT_FALSE(keeps_chosen(kernels_of(target), Pool::kMax2x2));
    Context cpu(1, target);
    EXPECT_THROW(passes.run_on(cpu, true), Error);
  }
}

}  // namespace
}  // namespace innerloop::kernels
