// data.toml: a folder of any other layout.
#include "io/data_map.h"

#include <gtest/gtest.h>

#include "io/data_listing.h"
#include "layout_fixtures.h"

namespace innerloop::io {
namespace {

/// "file:class:patient" in order.
std::vector<std::string> lines_of(const DataListing& listing) {
  std::vector<std::string> out;
  for (const ListedImage& image : listing.images)
    out.push_back(image.file + ":" + listing.classes[static_cast<std::size_t>(image.label)] + ":" + image.patient);
  return out;
}

class DataMapTest : public ::testing::Test {
 protected:
  DataMapTest() : make_(folder_, "d") {
    for (const char* name : {"x/one/p1_a.png", "x/one/p1_b.png", "x/two/p2_a.png", "y/two/p3_mask.png"})
      make_.image(name);
  }
  DataListing list(const std::string& toml) {
    make_.text("data.toml", toml);
    return list_data(folder_.path("d"));
  }

  TempFolder folder_;
  LayoutMaker make_;
};

TEST_F(DataMapTest, ClassByFolderPatientByPattern) {
  const DataListing listing = list(
      "[images]\nexclude = '_mask'\n[class]\nfolder = -1\nnames = {one = \"normal\", two = "
      "\"viral\"}\n[patient]\npattern = '(p\\d+)_'\n");
  EXPECT_EQ(listing.layout, Layout::kMapped);
  EXPECT_EQ(lines_of(listing), (std::vector<std::string>{"x/one/p1_a.png:normal:p1", "x/one/p1_b.png:normal:p1",
                                                         "x/two/p2_a.png:viral:p2"}));
  ASSERT_EQ(listing.excluded.size(), 1u);
  EXPECT_EQ(listing.excluded[0].reason, "matches exclude = '_mask'");
}

TEST_F(DataMapTest, FoldersCountFromBothEnds) {
  EXPECT_EQ(list("[class]\nfolder = 1\n").classes, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(list("[class]\npattern = '/p\\d_(.*)\\.png'\n").classes, (std::vector<std::string>{"a", "b", "mask"}));
  const DataListing renamed = list("[class]\nfolder = 1\nnames = {x = \"only\"}\n");
  EXPECT_EQ(renamed.excluded.at(0).reason, "its class 'y' is not among class.names");
}

TEST_F(DataMapTest, ByTable) {
  make_.text("t/m.tsv", "Image\tFinding\tWho\tView\n../x/one/p1_a.png\tn\tA\tPA\n");
  EXPECT_EQ(list("[table]\nfile = \"t/m.tsv\"\nimage = \"Image\"\n[class]\ncolumn = \"Finding\"\n").excluded.size(),
            5u);
  make_.text("m.csv",
             "Image,Finding,Who,View\np1_a.png,n,A,PA\nx/one/p1_b.png,n,A,L\np2_a.png,v,B,\ngone.png,v,C,PA\n");
  const std::string table =
      "[table]\nfile = \"m.csv\"\nimage = \"Image\"\n[class]\ncolumn = \"Finding\"\n[patient]\n"
      "column = \"Who\"\n";
  const DataListing listing = list(table + "[view]\ncolumn = \"View\"\n");
  EXPECT_EQ(lines_of(listing), (std::vector<std::string>{"x/one/p1_a.png:n:A", "x/two/p2_a.png:v:B"}));
  EXPECT_EQ(listing.unknown_views, 2);  // p2_a's is empty, and p3_mask has no row
  ASSERT_EQ(listing.excluded.size(), 3u);
  EXPECT_EQ(listing.excluded[0].reason, "named in m.csv:5 and not there");
  EXPECT_EQ(listing.excluded[1].reason, "view L: not frontal");
  EXPECT_EQ(listing.excluded[2].reason, "has no row in m.csv");
  EXPECT_EQ(lines_of(list(table + "[view]\ncolumn = \"View\"\nkeep = [\"L\"]\n")).front(), "x/one/p1_b.png:n:A");
}

TEST_F(DataMapTest, SaysWhatCannotBeMeant) {
  EXPECT_SAYS(list("[class]\n"), "data.toml:1: class: give exactly one of folder, pattern and column");
  EXPECT_SAYS(list("[class]\nfolder = 1\ncolumn = \"x\"\n"), "exactly one");
  EXPECT_SAYS(list("[class]\nfolder = 0\n"), "folder counts from 1");
  EXPECT_SAYS(list("[class]\nfolder = \"x\"\n"), "data.toml:2: class.folder must be an integer");
  EXPECT_SAYS(list("[class]\npattern = '('\n"), "is no regular expression");
  EXPECT_SAYS(list("[class]\npattern = 'x'\n"), "has no group");
  EXPECT_SAYS(list("[class]\nfolders = 1\n"), "data.toml:2: unknown key class.folders; did you mean 'folder'?");
  EXPECT_SAYS(list("[class]\ncolumn = \"x\"\n"), "column needs a [table]");
  EXPECT_SAYS(list("[images]\ninclude = 'x'\n"), "no [class]");
  EXPECT_SAYS(list("[class\n"), "data.toml:1");
  EXPECT_SAYS(list("[table]\nfile = \"no.csv\"\nimage = \"i\"\n[class]\nfolder = 1\n"), "no.csv");
  make_.text("m.csv", "image,kind\n");
  const std::string table = "[table]\nfile = \"m.csv\"\nimage = \"image\"\n[class]\ncolumn = ";
  EXPECT_SAYS(list(table + "\"finding\"\n"), "m.csv:1: no column 'finding'");
  EXPECT_SAYS(list(table + "\"kind\"\n"), "m.csv: is empty but for its header");
  make_.text("m.csv", "image,kind\na,1\na,2\n");
  EXPECT_SAYS(list(table + "\"kind\"\n"), "m.csv:3: speaks of 'a', as line 2 does");
  make_.image("z/p1_a.png");
  make_.text("m.csv", "image,kind\np1_a.png,1\n");
  EXPECT_SAYS(list(table + "\"kind\"\n"), "give paths in the table");
}

}  // namespace
}  // namespace innerloop::io
