// data inspect, pack and synth; episodes.
#include <cstring>

#include "io/image.h"
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

TEST(Data, PackKeepsSizesOrNamesTheOddOne) {
  TempFolder folder;
  folder.write_png("d/a/1.png", 16, 16, 1);
  folder.write_png("d/b/2.png", 17, 16, 2);
  expect_error(innerloop_in(folder.path(), split("data pack d --out d.pack")), 1, {"2.png", "17"});
  EXPECT_EQ(innerloop_in(folder.path(), split("data pack d --out d.pack --size 8 --json")).json()["width"], 8);
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
