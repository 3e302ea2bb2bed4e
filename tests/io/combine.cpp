#include "io/combine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "io/csv.h"
#include "io/dataset.h"
#include "io/inspect.h"
#include "layout_fixtures.h"

namespace innerloop::io {
namespace {

/// Two sources of plain folders: a has 6 normal and 4 viral images (two of them alike), b 5 normal.
class Combine : public ::testing::Test {
 protected:
  Combine() {
    for (int i = 0; i < 6; ++i) folder_.write_png(fmt::format("a/normal/{}.png", i), 9, 8, i);
    for (int i = 0; i < 4; ++i)
      folder_.write_png(fmt::format("a/viral/person{}_virus_{}.png", i / 2, i), 9, 8, 50 + i / 3);
    for (int i = 0; i < 5; ++i) folder_.write_png(fmt::format("b/Healthy/{}.png", i), 7, 8, 100 + i);
    folder_.write("a/data.toml", "[class]\nfolder = 1\n[patient]\nrule = \"published\"\n");
  }
  std::string recipe(const std::string& takes_a, const std::string& takes_b, const std::string& head = "seed = 3\n") {
    return folder_.write(
        "r.toml", head + "[[source]]\nname = \"a\"\npath = \"a\"\ntake = " + takes_a +
                      "\n[[source]]\nname = \"b\"\npath = \"b\"\nrename = {Healthy = \"normal\"}\ntake = " + takes_b +
                      "\n");
  }
  static std::set<std::string> originals(const CombinedSet& set, const std::string& source) {
    std::set<std::string> out;
    for (const CombinedImage& i : set.images)
      if (i.source == source) out.insert(i.original);
    return out;
  }

  TempFolder folder_;
};

TEST_F(Combine, AFolderThatEveryCommandReads) {
  const CombinedSet set = draw_recipe(read_recipe(recipe("{normal = 3, viral = 2}", "{normal = 4}")));
  EXPECT_EQ(set.name, "r");
  write_combined_folder(set, folder_.path("out"));
  const ImageSet read = load_images(folder_.path("out"), {.size = 8});
  EXPECT_EQ(read.layout, Layout::kMapped);
  EXPECT_EQ(read.classes, (std::vector<std::string>{"normal", "viral"}));
  EXPECT_EQ(read.by_class()[0].size(), 7u);
  EXPECT_EQ(read.by_class()[1].size(), 2u);
  EXPECT_TRUE(read.skipped.empty());
  EXPECT_EQ(read.files[0], "normal/a_0001.png");
  const CsvTable manifest = read_csv(folder_.path("out/manifest.csv"));
  ASSERT_EQ(manifest.rows.size(), 9u);
  EXPECT_EQ(manifest.header, (std::vector<std::string>{"file", "class", "patient", "source", "original", "hash"}));
  for (std::size_t i = 0; i < manifest.rows.size(); ++i) {
    const std::vector<std::string>& row = manifest.rows[i].fields;
    const std::string original = folder_.path(row[3] + "/" + row[4]);
    EXPECT_EQ(row[5], pixel_hash(decode_image(original, 3)));
    EXPECT_EQ(row[5], pixel_hash(decode_image(folder_.path("out/" + row[0]), 3)));
    const std::string& patient = read.group_names[static_cast<std::size_t>(read.groups[i])];
    EXPECT_EQ(patient.starts_with("a/person"), row[1] == "viral") << patient;
  }
  EXPECT_EQ(read.ungrouped, 4);  // b tells no patients
  EXPECT_SAYS(write_combined_folder(set, folder_.path("out")), "has something in it");
}

TEST_F(Combine, AFolderThatIsHalfWrittenIsNoSet) {
  const CombinedSet set = draw_recipe(read_recipe(recipe("{normal = 3, viral = 2}", "{normal = 4}")));
  std::filesystem::remove(set.images.back().path);
  EXPECT_SAYS(write_combined_folder(set, folder_.path("out")), set.images.back().path);
  EXPECT_SAYS(load_images(folder_.path("out"), {.size = 8}), "manifest.csv");
}

TEST_F(Combine, ThePackedFileHoldsTheSame) {
  const CombinedSet set = draw_recipe(read_recipe(recipe("{normal = 3, viral = 2}", "{normal = 4}", "size = 6\n")));
  write_combined_folder(set, folder_.path("out"));
  write_combined_pack(set, folder_.path("out.pack"));
  const ImageSet pack = load_images(folder_.path("out.pack"));
  EXPECT_EQ(pack.hash(), load_images(folder_.path("out")).hash());
  EXPECT_EQ(read_file(folder_.path("out.pack.csv")), read_file(folder_.path("out/manifest.csv")));
  const CombinedSet sizeless = draw_recipe(read_recipe(recipe("{normal = 1}", "{normal = 1}")));
  EXPECT_SAYS(write_combined_pack(sizeless, folder_.path("x.pack")), "give the recipe a size");
}

TEST_F(Combine, ReplacesAnEarlierSetAndNothingElse) {
  const CombinedSet set = draw_recipe(read_recipe(recipe("{normal = 3}", "{normal = 1}", "size = 6\n")));
  write_combined_pack(set, folder_.path("out.pack"));
  const std::string pack = read_file(folder_.path("out.pack"));
  write_combined_pack(set, folder_.path("out.pack"));
  EXPECT_EQ(read_file(folder_.path("out.pack")), pack);

  const std::string patients = "file,patient\n1.png,A\n";
  folder_.write("out.pack.csv", patients);
  EXPECT_SAYS(write_combined_pack(set, folder_.path("out.pack")), "out.pack.csv: is there and no manifest");
  EXPECT_EQ(read_file(folder_.path("out.pack.csv")), patients);
  folder_.write("new.pack.csv", patients);
  EXPECT_SAYS(write_combined_pack(set, folder_.path("new.pack")), "new.pack.csv: is there and no manifest");
  EXPECT_FALSE(std::filesystem::exists(folder_.path("new.pack")));
  folder_.write("other.pack", "somebody's");
  EXPECT_SAYS(write_combined_pack(set, folder_.path("other.pack")), "it is not overwritten");
  EXPECT_EQ(read_file(folder_.path("other.pack")), "somebody's");
  EXPECT_FALSE(std::filesystem::exists(folder_.path("other.pack.csv")));
}

TEST_F(Combine, AnEmptyPathIsNoPlace) {
  const CombinedSet set = draw_recipe(read_recipe(recipe("{normal = 3}", "{normal = 1}", "size = 6\n")));
  const InFolder here(folder_.path("here"));  // which an empty path would write to
  EXPECT_SAYS(write_combined_folder(set, ""), "the path of the set is empty");
  EXPECT_SAYS(write_combined_pack(set, ""), "the path of the set is empty");
  EXPECT_TRUE(std::filesystem::is_empty("."));
}

TEST_F(Combine, WhatTheCallerGivesWinsOverTheRecipe) {
  const std::string file = recipe("{normal = 3}", "{normal = 2}", "seed = 3\nsize = 6\n");
  const Recipe given = read_recipe(file, {.seed = 77, .size = 16, .channels = 3});
  EXPECT_EQ(given.seed, 77u);
  EXPECT_EQ(given.size, 16);
  EXPECT_EQ(given.channels, 3);
  const Recipe own = read_recipe(file);
  EXPECT_EQ(own.seed, 3u);
  EXPECT_EQ(own.size, 6);
  EXPECT_EQ(own.channels, 1);
  EXPECT_NE(originals(draw_recipe(given), "a"), originals(draw_recipe(own), "a"));
}

TEST_F(Combine, TheSeedAloneDecides) {
  const auto draw = [&](const std::string& a, const std::string& b, const std::string& head) {
    return draw_recipe(read_recipe(recipe(a, b, head)));
  };
  const CombinedSet first = draw("{normal = 3}", "{normal = 2}", "seed = 3\n");
  EXPECT_EQ(manifest_of(first), manifest_of(draw("{normal = 3}", "{normal = 2}", "seed = 3\n")));
  EXPECT_NE(originals(first, "a"), originals(draw("{normal = 3}", "{normal = 2}", "seed = 4\n"), "a"));
  // More of one class moves no other draw, and keeps what was drawn.
  const CombinedSet more = draw("{normal = 4, viral = 1}", "{normal = 2}", "seed = 3\n");
  EXPECT_EQ(originals(more, "b"), originals(first, "b"));
  for (const std::string& file : originals(first, "a")) EXPECT_TRUE(originals(more, "a").contains(file)) << file;
}

TEST_F(Combine, PassesOverDuplicatesWithinASourceAndRefusesThemAcross) {
  // viral has 2 different pictures in 4 files.
  const CombinedSet set = draw_recipe(read_recipe(recipe("{viral = 2}", "{normal = 1}")));
  for (const SkippedFile& f : set.passed_over) EXPECT_NE(f.reason.find("has the pixels of viral/"), std::string::npos);
  EXPECT_SAYS(draw_recipe(read_recipe(recipe("{viral = 3}", "{normal = 1}"))),
              "source 'a' has 2 usable images of 'viral' (4 listed), 3 are asked for");
  folder_.write_png("b/Healthy/copy.png", 9, 8, 2);  // a/normal/2.png
  EXPECT_SAYS(draw_recipe(read_recipe(recipe("{normal = 6}", "{normal = 6}"))),
              "a: normal/2.png = b: Healthy/copy.png; exclude them");
}

TEST_F(Combine, PassesOverWhatCannotBeRead) {
  folder_.write("b/Healthy/bad.png", "no picture");
  const CombinedSet set = draw_recipe(read_recipe(recipe("{normal = 1}", "{normal = 5}")));
  ASSERT_EQ(set.passed_over.size(), 1u);
  EXPECT_EQ(set.passed_over[0].file, "b: Healthy/bad.png");
}

TEST_F(Combine, SaysWhatCannotBeMeant) {
  EXPECT_SAYS(draw_recipe(read_recipe(recipe("{vral = 1}", "{normal = 1}"))),
              "has no class 'vral'; it has normal (6), viral (4)");
  EXPECT_SAYS(read_recipe(recipe("{normal = 0}", "{normal = 1}")), "source.take must be a table of integers in [1,");
  EXPECT_SAYS(read_recipe(recipe("{normal = 1}", "{normal = 1}"), {.paths = {{"c", "x"}}}),
              "has no source of that name (it has a, b)");
  EXPECT_SAYS(read_recipe(recipe("{normal = 1}", "{normal = 1}", "sizes = 3\n")),
              "unknown key sizes; did you mean 'size'?");
  EXPECT_SAYS(read_recipe(folder_.write("r.toml", "[[source]]\nname = \"x\"\ntake = {a = 1}\n")),
              "by --source x=FOLDER");
  EXPECT_SAYS(read_recipe(folder_.write("r.toml", "seed = 1\n")), "no [[source]]");
  EXPECT_SAYS(read_recipe(folder_.write("r.toml", "[[source]]\nname = \"a/b\"\npath = \"x\"\ntake = {a = 1}\n")),
              "needs a name");
  EXPECT_EQ(read_recipe(recipe("{normal = 1}", "{normal = 1}"), {.paths = {{"b", "/elsewhere"}}}).sources[1].path, "/elsewhere");
}

}  // namespace
}  // namespace innerloop::io
