#include "io/dataset.h"

#include <gtest/gtest.h>

#include <set>

#include "data_fixtures.h"
#include "io/inspect.h"
#include "io/pack.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

/// Three classes in two levels, 7 images of 6x6, and what is to be ignored beside them.
void fill(const TempFolder& folder) {
  folder.write_png("d/Latin/b/2.png", 6, 6, 20);
  folder.write_png("d/Latin/b/10.png", 6, 6, 21);
  folder.write_png("d/Latin/a/x.png", 6, 6, 10);
  folder.write_png("d/Greek/z/1.png", 6, 6, 1);
  folder.write_png("d/Greek/z/2.png", 6, 6, 2);
  folder.write_png("d/Greek/z/3.PNG", 6, 6, 3);
  folder.write_png("d/Latin/b/3.png", 6, 6, 22);
  folder.write("d/Latin/notes.csv", "not, an, image\n");
  folder.write("d/Latin/b/class_labels.txt", "nor this");
  folder.write("d/Latin/a/.hidden.png", "nor this");
  folder.write("d/.git/HEAD.png", "nor this");
}

std::uint8_t first_pixel(const ImageSet& set, std::int64_t i) {
  return set.pixels.data<std::uint8_t>()[static_cast<std::size_t>(i * set.height * set.width * set.channels)];
}

TEST(LoadImages, NestedFoldersAreClassesByTheirPath) {
  const TempFolder folder;
  fill(folder);
  const ImageSet set = load_images(folder.path("d"));
  EXPECT_EQ(set.name, "d");
  EXPECT_EQ(set.classes, (std::vector<std::string>{"Greek/z", "Latin/a", "Latin/b"}));
  EXPECT_EQ(set.files, (std::vector<std::string>{"Greek/z/1.png", "Greek/z/2.png", "Greek/z/3.PNG", "Latin/a/x.png",
                                                 "Latin/b/10.png", "Latin/b/2.png", "Latin/b/3.png"}));
  EXPECT_EQ(set.labels, (std::vector<std::int32_t>{0, 0, 0, 1, 2, 2, 2}));
  EXPECT_EQ(set.pixels.shape(), (Shape{7, 6, 6, 1}));
  const int expected[] = {1, 2, 3, 10, 21, 20, 22};
  for (std::int64_t i = 0; i < 7; ++i) EXPECT_EQ(first_pixel(set, i), expected[i]) << i;
  EXPECT_EQ(set.by_class()[2], (std::vector<std::int64_t>{4, 5, 6}));
  EXPECT_EQ(set.group_names, set.files);
  EXPECT_EQ(set.groups.back(), 6);
}

TEST(LoadImages, ATrailingSlashAndOneClassLevelChangeNothing) {
  const TempFolder folder;
  fill(folder);
  EXPECT_EQ(load_images(folder.path("d/")).name, "d");
  EXPECT_EQ(load_images(folder.path("d/Latin")).classes, (std::vector<std::string>{"a", "b"}));
}

TEST(LoadImages, AFlatFolderIsOneUnlabelledSet) {
  const TempFolder folder;
  folder.write_png("f/b.png", 4, 4, 2);
  folder.write_png("f/a.png", 4, 4, 1);
  const ImageSet set = load_images(folder.path("f"));
  EXPECT_EQ(set.classes, std::vector<std::string>{""});
  EXPECT_EQ(set.files, (std::vector<std::string>{"a.png", "b.png"}));
}

TEST(LoadImages, ResizesInvertsAndColoursTheSameAtAnyNumberOfThreads) {
  const TempFolder folder;
  fill(folder);
  folder.write_png("d/Latin/a/wide.png", 5, 40, 9);
  ThreadPool one(1), four(4);
  std::int64_t reports = 0, last = 0;
  LoadOptions options{.size = 8, .channels = 3, .invert = Invert::kYes, .threads = &one};
  const ImageSet serial = load_images(folder.path("d"), options);
  options.threads = &four;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(done, last + 1);
    EXPECT_EQ(total, 8);
    last = done;
    ++reports;
  };
  const ImageSet parallel = load_images(folder.path("d"), options);
  EXPECT_EQ(reports, 8);
  EXPECT_EQ(serial.pixels.shape(), (Shape{8, 8, 8, 3}));
  EXPECT_EQ(serial.hash(), parallel.hash());
  Image x = resize_image(decode_image(folder.path("d/Latin/a/x.png"), 3), 8, 8);
  invert_image(x);
  const auto pixels = serial.pixels.data<std::uint8_t>().subspan(4 * 192, 192);
  EXPECT_TRUE(serial.files[4] == "Latin/a/x.png" && std::equal(x.pixels.begin(), x.pixels.end(), pixels.begin()));
}

TEST(LoadImages, TheHashKnowsPixelsLabelsAndGroupsButNotNames) {
  const TempFolder folder;
  fill(folder);
  ImageSet set = load_images(folder.path("d"));
  const std::string hash = set.hash();
  std::set<std::string> hashes = {hash};
  ImageSet renamed = set;
  renamed.files[0] = "other";
  for (std::int64_t& g : renamed.groups) g = 6 - g;
  EXPECT_EQ(renamed.hash(), hash);
  ImageSet joined = set;
  joined.groups[1] = 0;
  EXPECT_TRUE(hashes.insert(joined.hash()).second);
  ImageSet relabelled = set;
  relabelled.labels[0] = 1;
  EXPECT_TRUE(hashes.insert(relabelled.hash()).second);
  set.pixels.mutable_data<std::uint8_t>()[5] ^= 1;
  EXPECT_TRUE(hashes.insert(set.hash()).second);
}

TEST(LoadImages, NamesWhatIsWrongWithTheFolder) {
  const TempFolder folder;
  fill(folder);
  EXPECT_SAYS(load_images(folder.path("dd")), "did you mean " + folder.path("d"));
  EXPECT_SAYS(load_images(folder.path("d/Latn/a")), "did you mean " + folder.path("d/Latin"));
  EXPECT_SAYS(load_images(folder.path("quite-another")), "no such file or folder");
  fs::create_directory(folder.path("empty"));
  EXPECT_SAYS(load_images(folder.path("empty")), folder.path("empty") + ": holds no images");
  EXPECT_SAYS(load_images(folder.path("d/Latin/a/x.png")), "is one image");
  EXPECT_SAYS(load_images(folder.path("d/Latin/notes.csv")), "notes.csv");
  fs::create_directory(folder.path("d/Empty"));
  EXPECT_SAYS(load_images(folder.path("d")), "the class folder 'Empty' has no images");
  const ImageSet lenient = load_images(folder.path("d"), {.bad_files = BadFiles::kSkip});
  ASSERT_EQ(lenient.skipped.size(), 1u);
  EXPECT_EQ(lenient.skipped[0].file, "Empty");
  folder.write_png("d/Latin/stray.png", 6, 6, 1);
  EXPECT_SAYS(load_images(folder.path("d")), folder.path("d/Latin") + ": holds images (stray.png) beside folders (a)");
  EXPECT_THROW(load_images(folder.path("d"), {.size = -1}), UsageError);
  EXPECT_THROW(load_images(folder.path("d"), {.channels = 2}), UsageError);
}

TEST(LoadImages, TheFirstBadFileInOrderIsNamedOrAllAreSkipped) {
  const TempFolder folder;
  fill(folder);
  folder.write("d/Latin/b/0.png", "a text");
  folder.write("d/Greek/z/25.jpg", "another text");
  const std::string whole = read_file(folder.write_png("w/a.png", 6, 6, 77));
  folder.write("d/Latin/b/9.png", whole.substr(0, whole.size() - 20));
  folder.write("d/Greek/z/empty.bmp", "");
  ThreadPool pool(3);
  for (int repeat = 0; repeat < 5; ++repeat)
    EXPECT_SAYS(load_images(folder.path("d"), {.size = 6, .threads = &pool}), "Greek/z/25.jpg: not a PNG");
  const ImageSet set = load_images(folder.path("d"), {.bad_files = BadFiles::kSkip, .threads = &pool});
  EXPECT_EQ(set.count(), 7);
  EXPECT_EQ(set.pixels.shape()[0], 7);
  EXPECT_EQ(set.labels, (std::vector<std::int32_t>{0, 0, 0, 1, 2, 2, 2}));
  EXPECT_EQ(first_pixel(set, 6), 22);
  ASSERT_EQ(set.skipped.size(), 4u);
  EXPECT_EQ(set.skipped[1].file, "Greek/z/empty.bmp");
  EXPECT_NE(set.skipped[3].reason.find("9.png: truncated"), std::string::npos) << set.skipped[3].reason;

  folder.write("bad/c/1.png", "x");
  EXPECT_SAYS(load_images(folder.path("bad"), {.size = 4, .bad_files = BadFiles::kSkip}), "not one of its 1 images");
}

TEST(LoadImages, SizesMustAgreeUnlessOneIsAsked) {
  const TempFolder folder;
  folder.write_png("d/a/1.png", 6, 6, 1);
  folder.write_png("d/a/2.png", 6, 7, 1);
  EXPECT_SAYS(load_images(folder.path("d")), "2.png: 7x6 pixels, the first image has 6x6; set data.size");
  EXPECT_EQ(load_images(folder.path("d"), {.size = 5}).count(), 2);
}

TEST(LoadImages, TheCacheIsReadOnlyWhileItFits) {
  const TempFolder folder;
  fill(folder);
  const std::string cache = folder.path("cache.safetensors");
  LoadOptions options{.size = 5, .cache = cache};
  const std::string hash = load_images(folder.path("d"), options).hash();
  // A mark in the cache tells whether it is read: the pixels of a packed file are its tail.
  std::string packed = read_file(cache);
  const std::string source = read_packed(cache).source;
  ImageSet marked = read_packed(cache).set;
  marked.pixels.mutable_data<std::uint8_t>()[0] ^= 0xFF;
  write_packed(cache, marked, source);
  EXPECT_EQ(load_images(folder.path("d"), options).hash(), marked.hash());
  options.size = 4;  // another size: made anew
  EXPECT_EQ(load_images(folder.path("d"), options).height, 4);
  options.size = 5;
  EXPECT_EQ(load_images(folder.path("d"), options).hash(), hash);
  write_packed(cache, marked, source);
  folder.write_png("d/Greek/z/4.png", 6, 6, 4);  // another file: made anew
  EXPECT_EQ(load_images(folder.path("d"), options).count(), 8);

  folder.write("mine", "something else");
  options.cache = folder.path("mine");
  EXPECT_SAYS(load_images(folder.path("d"), options), "it is not overwritten");
  EXPECT_EQ(read_file(folder.path("mine")), "something else");
  // A packed set, even of this folder, is somebody's work and no cache.
  write_packed(folder.path("mine"), marked);
  const std::string before = read_file(folder.path("mine"));
  EXPECT_SAYS(load_images(folder.path("d"), options), "mine: is a packed data set and no cache; it is not overwritten");
  EXPECT_EQ(read_file(folder.path("mine")), before);
}

TEST(Subset, KeepsClassesAndGroups) {
  const TempFolder folder;
  fill(folder);
  const ImageSet set = load_images(folder.path("d"));
  const ImageSet part = subset(set, std::vector<std::int64_t>{5, 0, 5});
  EXPECT_EQ(part.files, (std::vector<std::string>{"Latin/b/2.png", "Greek/z/1.png", "Latin/b/2.png"}));
  EXPECT_EQ(part.labels, (std::vector<std::int32_t>{2, 0, 2}));
  EXPECT_EQ(part.groups, (std::vector<std::int64_t>{5, 0, 5}));
  EXPECT_EQ(part.classes, set.classes);
  EXPECT_EQ(first_pixel(part, 2), 20);
  EXPECT_EQ(first_pixel(part, 1), 1);
  EXPECT_SAYS(subset(set, std::vector<std::int64_t>{7}), "index 7 of a set of 7");
  EXPECT_EQ(subset(set, {}).count(), 0);
}

TEST(Inspect, CountsSizesDuplicatesAndUnreadableFiles) {
  const TempFolder folder;
  fill(folder);
  folder.write_png("d/Latin/a/same-as-1.png", 6, 6, 1);
  folder.write_png("d/Greek/z/same-as-2.png", 6, 6, 2);
  folder.write_png("d/Greek/z/tall.png", 9, 6, 2);
  folder.write("d/Latin/a/bad.png", "text");
  fs::create_directory(folder.path("d/Void"));
  const DataSummary summary = inspect_data(folder.path("d"));
  EXPECT_EQ(summary.images, 10);
  ASSERT_EQ(summary.classes.size(), 3u);
  EXPECT_EQ(summary.classes[0].name, "Greek/z");
  EXPECT_EQ(summary.classes[0].images, 5);
  EXPECT_EQ(summary.classes[1].images, 2);
  EXPECT_EQ(summary.sizes, (std::map<ImageSize, std::int64_t>{{{6, 6}, 9}, {{9, 6}, 1}}));
  const std::vector<std::string> across = {"Greek/z/1.png", "Latin/a/same-as-1.png"};
  const std::vector<std::string> within = {"Greek/z/2.png", "Greek/z/same-as-2.png"};
  EXPECT_EQ(summary.duplicates, (std::vector<std::vector<std::string>>{across, within}));
  EXPECT_EQ(summary.duplicates_across_classes, std::vector<std::vector<std::string>>{across});
  ASSERT_EQ(summary.unreadable.size(), 2u);
  EXPECT_EQ(summary.unreadable[0].file, "Void");
  EXPECT_EQ(summary.unreadable[1].file, "Latin/a/bad.png");
  EXPECT_EQ(summary.groups, 10);
  EXPECT_SAYS(inspect_data(folder.path("gone")), "gone: no such file or folder");
}

TEST(Inspect, ReadsPackedFiles) {
  const TempFolder folder;
  fill(folder);
  write_packed(folder.path("p"), load_images(folder.path("d"), {.channels = 3}));
  folder.write("groups.csv", "file,patient\n1.png,A\n3.PNG,A\n");
  const DataSummary summary = inspect_data(folder.path("p"), {.groups_csv = folder.path("groups.csv")});
  EXPECT_EQ(summary.images, 7);
  EXPECT_EQ(summary.groups, 6);
  EXPECT_EQ(summary.ungrouped, 5);
  EXPECT_TRUE(summary.duplicates.empty());
}

}  // namespace
}  // namespace innerloop::io
