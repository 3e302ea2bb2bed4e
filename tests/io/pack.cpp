#include "io/pack.h"

#include <gtest/gtest.h>

#include "data_fixtures.h"
#include "io/safetensors.h"

namespace innerloop::io {
namespace {

ImageSet sample() {
  ImageSet set;
  set.name = "sample";
  set.height = 2, set.width = 3, set.channels = 1;
  set.pixels = Tensor::from<std::uint8_t>(
      {3, 2, 3, 1}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 255});
  set.files = {"a/1.png", "a/2.png", "b/\"q\" é.png"};
  set.labels = {0, 0, 1};
  set.classes = {"a", "b"};
  set.groups = {0, 1, 0};
  set.group_names = {"p7", "p9"};
  set.skipped = {{"a/bad.png", "truncated"}};
  set.ungrouped = 1;
  return set;
}

/// Writes sample() with one thing changed by `change` beneath the packer's own checks.
std::string tampered(const TempFolder& folder, auto change) {
  write_packed(folder.path("good"), sample());
  TensorFile file = read_safetensors(folder.path("good"));
  change(file);
  write_safetensors(folder.path("bad"), file);
  return folder.path("bad");
}

void replace(TensorFile& file, std::string_view name, Tensor tensor) {
  for (auto& [known, old] : file.tensors)
    if (known == name) old = std::move(tensor);
}

TEST(Pack, GivesBackTheSet) {
  const TempFolder folder;
  write_packed(folder.path("p"), sample(), "from here");
  const PackedSet packed = read_packed(folder.path("p"));
  const ImageSet set = sample();
  EXPECT_EQ(packed.source, "from here");
  EXPECT_EQ(packed.set.hash(), set.hash());
  EXPECT_EQ(packed.set.files, set.files);
  EXPECT_EQ(packed.set.group_names, set.group_names);
  EXPECT_EQ(packed.set.name, set.name);
  EXPECT_EQ(packed.set.ungrouped, 1);
  ASSERT_EQ(packed.set.skipped.size(), 1u);
  EXPECT_EQ(packed.set.skipped[0].reason, "truncated");
  write_packed(folder.path("q"), packed.set, packed.source);
  EXPECT_EQ(read_file(folder.path("p")), read_file(folder.path("q")));
}

TEST(Pack, LoadingBringsItToTheOptions) {
  const TempFolder folder;
  ImageSet inverted = sample();
  invert_pixels(inverted.pixels.mutable_data<std::uint8_t>());
  inverted.invert = Invert::kYes;
  write_packed(folder.path("p"), inverted);
  const ImageSet plain = load_images(folder.path("p"));
  EXPECT_EQ(plain.hash(), sample().hash());
  EXPECT_EQ(plain.groups, sample().groups);
  EXPECT_EQ(load_images(folder.path("p"), {.invert = Invert::kYes}).hash(), inverted.hash());
  const ImageSet colour = load_images(folder.path("p"), {.size = 4, .channels = 3});
  EXPECT_EQ(colour.pixels.shape(), (Shape{3, 4, 4, 3}));
  const Image first{2, 3, 1, {1, 2, 3, 4, 5, 6}};
  const Image expected = resize_image(convert_channels(first, 3), 4, 4);
  const auto pixels = colour.pixels.data<std::uint8_t>();
  EXPECT_TRUE(std::equal(expected.pixels.begin(), expected.pixels.end(), pixels.begin()));
}

TEST(Pack, AFlippedBitIsAnErrorOrChangesNothing) {
  const TempFolder folder;
  write_packed(folder.path("p"), sample());
  const std::string whole = read_file(folder.path("p"));
  const auto written_again = [&](const std::string& bytes) {
    const PackedSet packed = read_packed(folder.write("f", bytes));
    write_packed(folder.path("g"), packed.set, packed.source);
    return read_file(folder.path("g"));
  };
  int refused = 0, tried = 0;
  for (std::size_t at = 0; at < whole.size(); at += 5, ++tried) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    try {
      EXPECT_EQ(written_again(flipped), whole) << "byte " << at;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, tried - 5);  // but in padding, and in the very word "checksum"
  std::string other = whole;
  const std::size_t pixels = whole.find("\x0F\x10\x11\xFF");
  ASSERT_NE(pixels, std::string::npos);
  other[pixels] = '\x0D';
  EXPECT_SAYS(load_images(folder.write("f", other)), "f: damaged: its content does not match its checksum");
}

TEST(Pack, ASetWithoutAChecksumIsRead) {
  const TempFolder folder;
  EXPECT_EQ(read_packed(tampered(folder, [](TensorFile& f) { f.metadata.erase("checksum"); })).set.hash(), sample().hash());
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["name"] = "other"; })), "does not match its checksum");
}

TEST(Pack, AnyCutIsAnError) {
  const TempFolder folder;
  write_packed(folder.path("p"), sample());
  const std::string whole = read_file(folder.path("p"));
  for (std::size_t n = 0; n < whole.size(); n += 13)
    EXPECT_THROW(read_packed(folder.write("c", whole.substr(0, n))), Error);
  EXPECT_SAYS(load_images(folder.write("c", whole.substr(0, whole.size() - 1))), folder.path("c"));
}

TEST(Pack, CatchesWhatDoesNotFit) {
  const TempFolder folder;
  const auto tensor = [](std::vector<std::int32_t> v) {
    return Tensor::from({static_cast<std::int64_t>(v.size())}, v);
  };
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["format"] = "innerloop"; })),
              "is not a packed data set (its format is 'innerloop')");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["version"] = "2"; })), "packed in version 2");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata.erase("classes"); })), "without 'classes'");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["files"] = "[1,2,3]"; })),
              "'files' in its metadata is not a list of strings");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["files"] = "[\"a\"]"; })),
              "1 file names for 3 images");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["files"] = "["; })), "is not JSON");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["ungrouped"] = "4"; })), "'ungrouped' is 4");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["invert"] = "maybe"; })),
              "'invert' is 'maybe'");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.metadata["skipped"] = "[[1]]"; })), "holds [1]");
  EXPECT_SAYS(read_packed(tampered(folder,
                                   [&](TensorFile& f) {
                                     replace(f, "labels", tensor({0, 0, 2}));
                                   })),
              "'labels' of image 2 is 2, there are 2 names");
  EXPECT_SAYS(read_packed(tampered(folder,
                                   [&](TensorFile& f) {
                                     replace(f, "labels", tensor({0, -1, 1}));
                                   })),
              "'labels' of image 1 is -1");
  EXPECT_SAYS(read_packed(tampered(folder,
                                   [&](TensorFile& f) {
                                     replace(f, "labels", tensor({0, 1}));
                                   })),
              "'labels' is i32 [2]");
  EXPECT_SAYS(read_packed(tampered(folder,
                                   [&](TensorFile& f) {
                                     replace(f, "groups", tensor({0, 1, 0}));
                                   })),
              "'groups' is i32 [3]");
  EXPECT_SAYS(read_packed(tampered(folder,
                                   [](TensorFile& f) {
                                     replace(f, "pixels", Tensor::zeros({3, 2, 3}, DType::kU8));
                                   })),
              "'pixels' is u8 [3, 2, 3]");
  EXPECT_SAYS(read_packed(tampered(folder, [](TensorFile& f) { f.tensors.erase(f.tensors.begin()); })),
              "there is no tensor 'pixels'");
}

}  // namespace
}  // namespace innerloop::io
