// Systems that see another side than the rest: what may be asked for, who sees what, and that the report says so.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "meta/reproduce/manifest.h"
#include "meta/reproduce/page.h"
#include "meta/reproduce/sized_images.h"
#include "meta/reproduce/summary.h"
#include "meta/reproduce/tables.h"
#include "meta/reproduce/wording.h"
#include "meta/reproduce_fixtures.h"

namespace innerloop::meta::reproduce {
namespace {

TEST(Sizes, AreReadAndWritten) {
  const Sizes sizes = parse_sizes({"vgg19=48", "covxnet=32"});
  EXPECT_EQ(sizes, (Sizes{{"covxnet", 32}, {"vgg19", 48}}));
  EXPECT_EQ(words_of(sizes), "covxnet=32,vgg19=48");
  EXPECT_EQ(words_of(Sizes{}), "none");
  EXPECT_EQ(title_of(contestant("vgg19"), sizes), "VGG19 (48x48)");
  EXPECT_EQ(title_of(contestant("lenet5"), sizes), "LeNet-5");
}

TEST(Sizes, RefuseWhatCannotBeMeant) {
  const std::int64_t least = smallest_side(contestant("vgg19"));
  ASSERT_GT(least, 1);
  const auto refused = [](const std::vector<std::string>& asked, const std::vector<std::string>& parts) {
    try {
      parse_sizes(asked);
      ADD_FAILURE() << asked.front();
    } catch (const UsageError& e) {
      const std::string text = e.what();
      EXPECT_TRUE(text.starts_with("--size-of: ")) << text;
      for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
  };
  refused({"vgg=32"}, {"'vgg'", "lenet5", "did you mean 'vgg19'"});
  refused({"umlf=32"}, {"umlf", "--size"});
  refused({"shortcut_border=32"}, {"unknown system"});
  refused({"vgg19"}, {"SYSTEM=N"});
  refused({"vgg19=32", "vgg19=48"}, {"twice"});
  for (const char* side : {"0", "-32", "", "32.5", "32x32", "99999", "99999999999999999999"})
    refused({std::string("vgg19=") + side}, {"vgg19", "whole number"});
  refused({fmt::format("vgg19={}", least - 1)}, {"VGG19", fmt::format("{} is the least", least)});
  EXPECT_EQ(parse_sizes({fmt::format("vgg19={}", least)}).at("vgg19"), least);
}

TEST(Sizes, ChangeSideAndShiftsAlone) {
  io::Config config = default_config();
  config.data.size = 64;
  config.augment = {io::SaltPepper{}, io::Shift{.pixels = 6}};
  EXPECT_EQ(at_side(config, 64), config);
  io::Config half = at_side(config, 32);
  EXPECT_EQ(half.data.size, 32);
  EXPECT_EQ(std::get<io::Shift>(half.augment[1]).pixels, 3);
  half.data.size = 64;
  half.augment = config.augment;
  EXPECT_EQ(half, config);
}

/// `set` at twice the side; what the pixels show does not matter.
io::ImageSet doubled(const io::ImageSet& set) {
  io::ImageSet out = set;
  out.height = 2 * set.height;
  out.width = 2 * set.width;
  out.pixels = Tensor::zeros(Shape{set.count(), out.height, out.width, set.channels}, DType::kU8);
  return out;
}

TEST(SizedImages, GiveEachSystemItsSide) {
  const io::ImageSet set = test::named_set({3, 3, 3});
  SizedImages images(set, {{"vgg19", 2 * set.height}, {"alexnet", set.height}});
  EXPECT_EQ(&images.of(contestant("lenet5")), &set);
  EXPECT_EQ(&images.of(contestant("alexnet")), &set);
  EXPECT_FALSE(images.has(2 * set.height));
  EXPECT_THROW(images.of(contestant("vgg19")), Error) << "not read yet";
  io::ImageSet other = doubled(set);
  std::swap(other.files[0], other.files[1]);
  EXPECT_THROW(images.add(other), Error) << "another order: indices would mean other images";
  images.add(doubled(set));
  EXPECT_TRUE(images.has(2 * set.height));
  EXPECT_EQ(images.of(contestant("vgg19")).height, 2 * set.height);
  EXPECT_EQ(images.of(contestant("vgg19")).files, set.files);
  EXPECT_EQ(&images.of(contestant("shortcut_whole")), &set);
}

Manifest manifest_with(const Sizes& sizes) {
  Manifest m;
  m.data = facts_of(test::named_set({12, 12, 12}), "somewhere");
  m.config = default_config();
  m.plan = {.classes = {"covid19", "normal", "viral"}, .ways = {3}, .shots = {10}, .folds = 2, .seed = 1};
  m.systems = {"umlf", "vgg19", "lenet5"};
  m.sizes = sizes;
  return m;
}

TEST(SizedManifest, IsAnotherPlanWhereSidesAreGivenAlone) {
  const Manifest plain = manifest_with({}), sized = manifest_with({{"vgg19", 32}});
  EXPECT_NE(plain.hash(), sized.hash());
  EXPECT_NE(sized.hash(), manifest_with({{"vgg19", 48}}).hash());
  const io::TempFolder folder;
  write_manifest(folder.path(), plain);
  EXPECT_FALSE(nlohmann::json::parse(io::read_file(manifest_path(folder.path()))).contains("sizes"));
  write_manifest(folder.path(), sized);
  const Manifest back = read_manifest(folder.path());
  EXPECT_EQ(back.sizes, sized.sizes);
  EXPECT_EQ(back.hash(), sized.hash());
  EXPECT_NO_THROW(check_same_comparison(sized, back, "RUN"));
  try {
    check_same_comparison(sized, plain, "RUN");
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find("--size-of: the comparison in RUN has vgg19=32 and not none"),
              std::string::npos)
        << e.what();
  }
}

TEST(SizedReport, NamesTheSideBesideTheSystem) {
  const Manifest m = manifest_with({{"vgg19", 32}});
  std::vector<UnitResult> units;
  for (std::int64_t f = 0; f < 2; ++f)
    for (const char* system : {"lenet5", "umlf", "vgg19"})
      units.push_back(test::made_up_unit({3, f, system, 10}, 2, 3, m.hash()));
  std::ranges::sort(units, {}, &UnitResult::key);
  const Summary s = summarise(units, m.sizes);
  std::vector<io::TextTable> tables = paper_tables(s);
  for (io::TextTable& t :
       std::vector{shots_table(s, 3), result_table(s, 3, 10), test_table(s, 3), cost_table(s, 3, 10)})
    tables.push_back(t);
  for (const io::TextTable& t : tables) {
    const std::string text = io::render_markdown(t);
    if (text.find("VGG19") != std::string::npos) {
      EXPECT_NE(text.find("| VGG19 (32x32) |"), std::string::npos) << text;
    }
    EXPECT_EQ(text.find("LeNet-5 ("), std::string::npos) << text;
  }
  std::string protocol;
  for (const std::string& words : protocol_words(m)) protocol += words;
  EXPECT_NE(protocol.find("VGG19 (32x32) sees the same images at another side"), std::string::npos) << protocol;
  protocol.clear();
  for (const std::string& words : protocol_words(manifest_with({}))) protocol += words;
  EXPECT_EQ(protocol.find("another side"), std::string::npos);
}

}  // namespace
}  // namespace innerloop::meta::reproduce
