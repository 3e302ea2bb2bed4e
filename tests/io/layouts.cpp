// The published layouts, read from small ones that the tests make.
#include <gtest/gtest.h>

#include <map>

#include "io/data_listing.h"
#include "io/dataset.h"
#include "io/inspect.h"
#include "io/layout.h"
#include "io/pack.h"
#include "layout_fixtures.h"

namespace innerloop::io {
namespace {

using Pairs = std::map<std::string, std::string>;

/// File name -> "class/patient".
Pairs images_of(const DataListing& listing) {
  Pairs out;
  for (const ListedImage& image : listing.images)
    out[std::filesystem::path(image.file).filename().string()] =
        listing.classes[static_cast<std::size_t>(image.label)] + "/" + image.patient;
  return out;
}

/// The reason for the exclusion whose file ends so.
std::string reason_for(const DataListing& listing, const std::string& end) {
  for (const Exclusion& e : listing.excluded)
    if (e.file.ends_with(end)) return e.reason;
  return "not excluded";
}

TEST(Kermany, ClassesAndPatientsFromNames) {
  const TempFolder folder;
  const DataListing listing = list_data(make_kermany(folder, "k"));
  EXPECT_EQ(listing.layout, Layout::kKermany);
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"bacterial", "normal", "viral"}));
  EXPECT_EQ(images_of(listing), (Pairs{{"IM-0115-0001.png", "normal/IM-0115"},
                                       {"NORMAL2-IM-0207-0001.png", "normal/NORMAL2-IM-0207"},
                                       {"NORMAL-10033-0001.png", "normal/10033"},
                                       {"person1_bacteria_1.png", "bacterial/person1"},
                                       {"person1_bacteria_2.png", "bacterial/person1"},
                                       {"BACTERIA-7422-0001.png", "bacterial/7422"},
                                       {"person1_virus_6.png", "viral/person1"},
                                       {"person2_virus_7.png", "viral/person2"}}));
  ASSERT_EQ(listing.excluded.size(), 1u);
  EXPECT_NE(listing.excluded[0].reason.find("neither bacteria nor virus"), std::string::npos);
}

TEST(Kermany, TheSecondCopyIsLeftOutByName) {
  const TempFolder folder;
  make_kermany(folder, "k");
  make_kermany(folder, "k/chest_xray");
  const DataListing listing = list_data(folder.path("k/chest_xray"));
  EXPECT_EQ(listing.images.size(), 8u);
  EXPECT_EQ(listing.excluded.size(), 1u + 9u);
  EXPECT_EQ(reason_for(listing, "chest_xray/test/NORMAL/NORMAL-10033-0001.png"), "a second copy of the set");
}

TEST(Kermany, PatientsInTwoClassesAreNamed) {
  const TempFolder folder;
  const std::string path = make_kermany(folder, "k");
  const DataSummary summary = inspect_data(path);
  EXPECT_EQ(summary.groups, 6);
  ASSERT_EQ(summary.in_several_classes.size(), 1u);
  EXPECT_EQ(summary.in_several_classes[0].name, "person1");
  EXPECT_EQ(summary.in_several_classes[0].classes, (std::vector<std::string>{"bacterial", "viral"}));
  const ImageSet set = load_images(path, {.size = 8});
  ASSERT_EQ(set.cautions.size(), 1u);
  EXPECT_NE(set.cautions[0].find("person1 in bacterial and viral"), std::string::npos) << set.cautions[0];
  ASSERT_EQ(set.skipped.size(), 1u);
  EXPECT_EQ(set.group_names.size(), 6u);
}

TEST(Bimcv, LabelsViewsAndSubjects) {
  const TempFolder folder;
  const DataListing listing = list_data(make_bimcv(folder, "b"));
  EXPECT_EQ(listing.layout, Layout::kBimcv);
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"bacterial", "covid19", "normal", "other_pneumonia", "viral"}));
  EXPECT_EQ(images_of(listing), (Pairs{{"sub-S1_ses-E1_run-1_bp-chest_vp-ap_dx.png", "covid19/sub-S1"},
                                       {"sub-S1_ses-E2_run-2_bp-chest_vp-pa_cr.png", "normal/sub-S1"},
                                       {"sub-S2_ses-E3_run-1_bp-chest_cr.png", "bacterial/sub-S2"},
                                       {"sub-S3_ses-E5_run-1_bp-chest_vp-pa_cr.png", "viral/sub-S3"},
                                       {"sub-S4_ses-E6_run-1_bp-chest_vp-pa_cr.png", "other_pneumonia/sub-S4"},
                                       {"sub-S5_ses-E8_run-1_bp-chest_vp-pa_cr.png", "covid19/sub-S5"}}));
  EXPECT_EQ(listing.unknown_views, 1);
  EXPECT_EQ(reason_for(listing, "vp-ll_dx.png"), "view ll: not frontal");
  EXPECT_EQ(reason_for(listing, "E2_run-1_bp-chest_cr.png"), "view LL: not frontal");
  EXPECT_NE(reason_for(listing, "bp-abdomen_vp-ap_cr.png").find("abdomen"), std::string::npos);
  EXPECT_NE(reason_for(listing, "E4_run-1_bp-chest_vp-pa_cr.png").find("no row"), std::string::npos);
  EXPECT_NE(
      reason_for(listing, "E7_run-1_bp-chest_vp-pa_cr.png").find("labels_covid_posi.tsv:7: labelled with two classes"),
      std::string::npos);
  EXPECT_NE(reason_for(listing, "_ct.png").find("mod-rx"), std::string::npos);
  EXPECT_NE(reason_for(listing, "mod-rx/gone.png").find("scans.tsv:3 and not there"), std::string::npos);
  EXPECT_NE(reason_for(listing, "sub-S9/ses-E9").find("no image of it"), std::string::npos);
  EXPECT_EQ(listing.excluded.size(), 8u);
  const DisplayHints& hints = listing.images[1].hints;  // S1's, the first of covid19
  EXPECT_EQ(hints.window, (DicomWindow{2300, 2400}));
  EXPECT_EQ(hints.photometric, Photometric::kMonochrome1);
}

TEST(Bimcv, InspectNamesAndLoadKeeps) {
  const TempFolder folder;
  const std::string path = make_bimcv(folder, "b");
  const DataSummary summary = inspect_data(path);
  EXPECT_EQ(summary.images, 6);
  EXPECT_EQ(summary.groups, 5);
  EXPECT_EQ(summary.views_dropped, 2);
  EXPECT_EQ(summary.views_unknown, 1);
  EXPECT_EQ(summary.deep.size(), 6u);
  EXPECT_EQ(summary.excluded.size(), 8u);
  const ImageSet set = load_images(path, {.size = 8});
  EXPECT_EQ(set.count(), 6);
  EXPECT_EQ(set.skipped.size(), 8u);
  // MONOCHROME1: stored values rise along the picture, so what is shown falls.
  const auto pixels = set.pixels.data<std::uint8_t>();
  EXPECT_GT(pixels[64], pixels[64 + 63]);
  EXPECT_LT(pixels[0], pixels[63]);
  write_packed(folder.path("b.pack"), set);
  const ImageSet packed = load_images(folder.path("b.pack"));
  EXPECT_EQ(packed.hash(), set.hash());
  EXPECT_EQ(packed.layout, Layout::kBimcv);
  EXPECT_EQ(packed.cautions, set.cautions);
  EXPECT_EQ(inspect_data(folder.path("b.pack")).excluded.size(), 8u);
}

TEST(Bimcv, TwoPartsMayShareATable) {
  const TempFolder folder;
  make_bimcv(folder, "b");
  const std::size_t alone = list_data(folder.path("b")).excluded.size();
  std::filesystem::rename(folder.path("b/covid19_posi/derivatives"), folder.path("b/derivatives"));
  folder.write_png("b/covid19_neg/sub-S9/ses-E9/mod-rx/sub-S9_ses-E9_vp-pa_cr.png", 8, 8, 1);
  const DataListing listing = list_data(folder.path("b"));
  EXPECT_EQ(listing.images.size(), 7u);
  EXPECT_EQ(listing.excluded.size(), alone - 1);  // the session that had no image has one now
}

TEST(Bimcv, SaysWhatIsWrongWithItsTables) {
  const TempFolder folder;
  make_bimcv(folder, "b");
  const std::string labels = "b/covid19_posi/derivatives/labels/labels_covid_posi.tsv";
  folder.write(labels, "PatientID\tLabels\nsub-S1\t['normal']\n");
  EXPECT_SAYS(list_data(folder.path("b")), "labels_covid_posi.tsv:1: no column 'reportid'");
  folder.write(labels, "PatientID\tReportID\tLabels\n");
  EXPECT_SAYS(list_data(folder.path("b")), "empty but for its header");
  folder.write(labels, "");
  EXPECT_SAYS(list_data(folder.path("b")), "labels_covid_posi.tsv: is empty");
  std::filesystem::remove(folder.path(labels));
  EXPECT_SAYS(list_data(folder.path("b")), "no table with a column 'Labels'");
}

TEST(CcCxri, FoldersAndMetadata) {
  const TempFolder folder;
  const DataListing listing = list_data(make_cc_cxri(folder, "c"));
  EXPECT_EQ(listing.layout, Layout::kCcCxri);
  EXPECT_EQ(images_of(listing), (Pairs{{"a.png", "covid19/1001"},
                                       {"b.png", "covid19/1001"},
                                       {"c.png", "normal/2001"},
                                       {"d.png", "viral/3001"},
                                       {"e.png", "bacterial/4001"},
                                       {"f.png", "bacterial/4001"},
                                       {"g.png", "other_pneumonia/3001"}}));
  EXPECT_EQ(reason_for(listing, "side.png"), "view lateral: not frontal");
  EXPECT_EQ(reason_for(listing, "lost.png"), "named in metadata.csv:7 and not there");
  EXPECT_EQ(listing.unknown_views, 3);
  folder.write("c/CC-CXRI-P/metadata.csv", "file,view\na.png,PA\n");
  EXPECT_SAYS(list_data(folder.path("c")), "metadata.csv:1: no column 'patient'");
}

TEST(Layouts, PlainClassFoldersStayPlain) {
  const TempFolder folder;
  for (const char* name : {"bacterial/1.png", "covid19/1.png", "normal/1.png", "viral/1.png"})
    folder.write_png(std::string("d/") + name, 6, 6, 1);
  EXPECT_EQ(detect_layout(folder.path("d")), Layout::kFolders);
  const DataListing forced = list_data(folder.path("d"), Layout::kCcCxri);
  EXPECT_EQ(forced.images.size(), 4u);
  EXPECT_SAYS(list_data(folder.path("d"), Layout::kBimcv), "no sub-*/ses-*");
  EXPECT_SAYS(list_data(folder.path("d"), Layout::kKermany), "has no train, val or test");
}

TEST(Layouts, ADeepFileAmongOthersIsACaution) {
  const TempFolder folder;
  folder.write_png("d/a/1.png", 12, 10, 1);
  LayoutMaker make(folder, "d");
  make.deep_image("b/2.png");
  const ImageSet set = load_images(folder.path("d"));
  ASSERT_EQ(set.cautions.size(), 1u);
  EXPECT_NE(set.cautions[0].find("1 of 2 images have 16 bits a sample (b/2.png"), std::string::npos);
  EXPECT_EQ(inspect_data(folder.path("d")).deep, std::vector<std::string>{"b/2.png"});
}

}  // namespace
}  // namespace innerloop::io
