// data inspect, pack and synth; episodes.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>

#include "io/atomic_file.h"
#include "io/image.h"
#include "io/layout_fixtures.h"
#include "io/pack.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

TEST(Data, InspectFindsDuplicatesAndUnreadableFiles) {
  TempFolder folder;
  folder.write_png("d/a/1.png", 16, 20, 1);
  folder.write_png("d/a/2.png", 16, 20, 2);
  folder.write_png("d/b/3.png", 16, 20, 1);
  folder.write_png("d/b/4.png", 10, 10, 4);
  folder.write("d/b/text.png", "no picture");
  std::string cut = io::read_file(folder.path("d/b/4.png"));
  folder.write("d/b/cut.png", cut.substr(0, cut.size() - 20));
  const Outcome outcome = innerloop_in(folder.path(), split("data inspect d --json"));
  EXPECT_EQ(outcome.code, 0);
  const Json json = outcome.json();
  EXPECT_EQ(json["images"], 4);
  EXPECT_EQ(json["classes"]["a"], 2);
  EXPECT_EQ(json["sizes"]["20x16"], 3);
  ASSERT_EQ(json["duplicates_across_classes"].size(), 1u);
  EXPECT_EQ(json["duplicates_across_classes"][0], Json({"a/1.png", "b/3.png"}));
  ASSERT_EQ(json["unreadable"].size(), 2u);
  EXPECT_NE(outcome.err.find("several classes"), std::string::npos);
  const std::string text = innerloop_in(folder.path(), split("data inspect d")).out;
  for (const char* part : {"a/1.png = b/3.png", "b/cut.png", "b/text.png"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Data, APackedFileServesAsTheFolderDoes) {
  TempFolder folder;
  const Json packed = innerloop_in(folder.path(), {"data", "pack", xrays(), "--out", "x.pack", "--json"}).json();
  EXPECT_EQ(packed["images"], 40);
  EXPECT_EQ(packed["height"], 24);
  const auto episodes = [&](const std::string& data, const std::string& out) {
    return innerloop_in(folder.path(), Arguments{"episodes", "--data", data, "--out", out} +
                                           split("--set data.size=24 --set model.filters=[4] --ways 3"));
  };
  ASSERT_EQ(episodes(xrays(), "a.png").code, 0);
  ASSERT_EQ(episodes("x.pack", "b.png").code, 0);
  expect_error(episodes("x.pack", "./x.pack"), 2, {"is the input itself", "--out"});
  EXPECT_EQ(io::read_file(folder.path("a.png")), io::read_file(folder.path("b.png")));
}

TEST(Data, RefusesAPackedFileCutShortOrLying) {
  TempFolder folder;
  ASSERT_EQ(innerloop_in(folder.path(), {"data", "pack", xrays(), "--out", "x.pack"}).code, 0);
  const std::string whole = io::read_file(folder.path("x.pack"));
  folder.write("cut.pack", whole.substr(0, whole.size() - 100));
  std::string lying = whole;
  const std::size_t at = lying.find("[40,24,24,1]");
  ASSERT_NE(at, std::string::npos);
  lying.replace(at, 12, "[99,24,24,1]");
  folder.write("lying.pack", lying);
  folder.write("text.pack", "hello");
  for (const char* name : {"cut.pack", "lying.pack", "text.pack"})
    expect_error(innerloop_in(folder.path(), {"data", "inspect", name}), 1, {name});
}

TEST(Data, RefusesATruncatedJpeg) {
  TempFolder folder;
  // The head of a real JPEG: start of image, JFIF header, quantisation table, frame of 16x16; then nothing.
  const unsigned char head[] = {0xFF, 0xD8, 0xFF, 0xE0, 0x00, 0x10, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
  const unsigned char frame[] = {0xFF, 0xC0, 0x00, 0x0B, 8, 0, 16, 0, 16, 1, 1, 0x11, 0};
  std::string jpeg(reinterpret_cast<const char*>(head), sizeof head);
  jpeg += std::string("\xFF\xDB\x00\x43\x00", 5) + std::string(64, '\x10');
  jpeg.append(reinterpret_cast<const char*>(frame), sizeof frame);
  folder.write("d/a/x.jpg", jpeg);
  folder.write_png("d/b/1.png", 16, 16, 1);
  expect_error(innerloop_in(folder.path(), split("data pack d --out d.pack")), 1, {"x.jpg", "truncated"});
  EXPECT_FALSE(std::filesystem::exists(folder.path("d.pack")));
}

TEST(Data, PackReplacesAPackedSetAndNothingElse) {
  TempFolder folder;
  folder.write_png("d/a/1.png", 16, 16, 1);
  folder.write_png("d/b/2.png", 16, 16, 2);
  const std::string image = io::read_file(folder.path("d/a/1.png"));
  expect_error(innerloop_in(folder.path(), split("data pack d --out d/a/1.png")), 1, {"d/a/1.png", "not overwritten"});
  EXPECT_EQ(io::read_file(folder.path("d/a/1.png")), image);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(innerloop_in(folder.path(), split("data pack d --out d.pack")).code, 0);
}

TEST(Data, PackKeepsSizesOrNamesTheOddOne) {
  TempFolder folder;
  folder.write_png("d/a/1.png", 16, 16, 1);
  folder.write_png("d/b/2.png", 17, 16, 2);
  expect_error(innerloop_in(folder.path(), split("data pack d --out d.pack")), 1, {"2.png", "17"});
  EXPECT_EQ(innerloop_in(folder.path(), split("data pack d --out d.pack --size 8 --json")).json()["width"], 8);
}

TEST(Data, InspectNamesWhatALayoutLeavesOut) {
  TempFolder folder;
  io::make_bimcv(folder, "b");
  const Json json = innerloop_in(folder.path(), split("data inspect b --json")).json();
  EXPECT_EQ(json["layout"], "bimcv");
  EXPECT_EQ(json["images"], 6);
  EXPECT_EQ(json["groups"], 5);
  EXPECT_EQ(json["excluded"].size(), 8u);
  EXPECT_EQ(json["views_dropped"], 2);
  EXPECT_EQ(json["views_unknown"], 1);
  EXPECT_EQ(json["sixteen_bit"].size(), 6u);
  EXPECT_EQ(json["patients_in_several_classes"]["sub-S1"], Json({"covid19", "normal"}));
  const std::string text = innerloop_in(folder.path(), split("data inspect b")).out;
  for (const char* part : {"layout bimcv", "view ll: not frontal", "left out: 8, 2 of them", "sub-S1: covid19, normal"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  expect_error(innerloop_in(folder.path(), split("data inspect b --layout kermany")), 1, {"b", "train, val or test"});
  expect_error(innerloop_in(folder.path(), split("data inspect b --layout kermani")), 2, {"--layout", "kermany"});
}

TEST(Data, APublishedLayoutServesEveryCommand) {
  TempFolder folder;
  io::make_kermany(folder, "k");
  const Outcome packed = innerloop_in(folder.path(), split("data pack k --out k.pack --size 24 --json"));
  ASSERT_EQ(packed.code, 0);
  EXPECT_EQ(packed.json()["images"], 8);
  EXPECT_NE(packed.err.find("person3_unknown_8.png: its name says neither"), std::string::npos) << packed.err;
  EXPECT_NE(packed.err.find("person1 in bacterial and viral"), std::string::npos) << packed.err;
  const Json inspected = innerloop_in(folder.path(), split("data inspect k.pack --json")).json();
  EXPECT_EQ(inspected["layout"], "kermany");
  EXPECT_EQ(inspected["groups"], 6);
  EXPECT_EQ(inspected["excluded"].size(), 1u);
  for (const char* data : {"k", "k.pack"}) {
    const Arguments call = Arguments{"episodes", "--data", data, "--out", std::string(data) + ".png"} +
                           split("--set data.size=24 --set model.filters=[4] --ways 3 --shots 1");
    ASSERT_EQ(innerloop_in(folder.path(), call).code, 0) << data;
  }
  EXPECT_EQ(io::read_file(folder.path("k.png")), io::read_file(folder.path("k.pack.png")));
}

TEST(Data, CombineRefusesWhatTwoSourcesShare) {
  TempFolder folder;
  for (const char* name : {"a/x/1.png", "a/x/2.png", "b/x/3.png"}) folder.write_png(name, 8, 8, name[4]);
  folder.write_png("b/x/copy.png", 8, 8, '1');
  const auto recipe = [&](int of_b) {
    folder.write("r.toml", fmt::format("size = 8\n[[source]]\nname = \"a\"\npath = \"a\"\ntake = {{x = 2}}\n"
                                       "[[source]]\nname = \"b\"\ntake = {{x = {}}}\n",
                                       of_b));
    return innerloop_in(folder.path(), split("data combine r.toml --source b=b --out set.pack --json"));
  };
  expect_error(recipe(2), 1, {"a: x/1.png = b: x/copy.png"});
  EXPECT_FALSE(std::filesystem::exists(folder.path("set.pack")));
  expect_error(innerloop_in(folder.path(), split("data combine r.toml --out set.pack")), 2, {"--source b=FOLDER"});
  expect_error(innerloop_in(folder.path(), split("data combine r.toml --source b --out set.pack")), 2, {"NAME=FOLDER"});
  std::filesystem::remove(folder.path("b/x/copy.png"));
  EXPECT_EQ(recipe(1).json()["classes"]["x"], 3);
  EXPECT_EQ(innerloop_in(folder.path(), split("data inspect set.pack --json")).json()["images"], 3);
}

TEST(Data, SynthGivesTheSameFilesForTheSameSeed) {
  TempFolder folder;
  ASSERT_EQ(innerloop_in(folder.path(), split("data synth --out a --per-class 2 --size 32 --seed 5")).code, 0);
  ASSERT_EQ(innerloop_in(folder.path(), split("data synth --out b --per-class 2 --size 32 --seed 5 --threads 1")).code,
            0);
  ASSERT_EQ(innerloop_in(folder.path(), split("data synth --out c --per-class 2 --size 32 --seed 6")).code, 0);
  const auto image = [&](const std::string& f) { return io::read_file(folder.path(f + "/diffuse/diffuse_0001.png")); };
  EXPECT_EQ(image("a"), image("b"));
  EXPECT_NE(image("a"), image("c"));
  expect_error(innerloop_in(folder.path(), split("data synth --out a")), 1, {"a"});
}

TEST(Episodes, DrawsAPictureThatDependsOnTheSeed) {
  TempFolder folder;
  const auto draw = [&](const std::string& out, const std::string& more) {
    return innerloop_in(folder.path(),
                        Arguments{"episodes", "--data", xrays(), "--out", out, "--json"} + small_model() + split(more));
  };
  const Json json = draw("a.png", "").json();
  ASSERT_EQ(draw("b.png", "--seed 9").code, 0);
  ASSERT_EQ(draw("c.png", "").code, 0);
  const io::Image image = io::decode_image(folder.path("a.png"), 1);
  EXPECT_EQ(image.width, json["width"]);
  EXPECT_EQ(image.height, json["height"]);
  EXPECT_EQ(io::read_file(folder.path("a.png")), io::read_file(folder.path("c.png")));
  EXPECT_NE(io::read_file(folder.path("a.png")), io::read_file(folder.path("b.png")));
}

}  // namespace
}  // namespace innerloop::tools
