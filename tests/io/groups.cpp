#include "io/groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data_fixtures.h"
#include "io/csv.h"

namespace innerloop::io {
namespace {

ImageSet named(std::string name, std::vector<std::string> files) {
  ImageSet set;
  set.name = std::move(name);
  for (std::string& file : files) {
    const std::string class_name = file.substr(0, file.find('/'));
    if (set.classes.empty() || set.classes.back() != class_name) set.classes.push_back(class_name);
    set.labels.push_back(static_cast<std::int32_t>(set.classes.size() - 1));
    set.groups.push_back(static_cast<std::int64_t>(set.groups.size()));
    set.files.push_back(std::move(file));
  }
  set.group_names = set.files;
  return set;
}

TEST(Csv, QuotesLineBreaksAndCrlf) {
  const TempFolder folder;
  const std::string path = folder.write(
      "a.csv", "\xEF\xBB\xBF File ,\"Note\"\r\n\"a,1\",\"he said \"\"no\"\"\"\r\n\r\n\"two\nlines\",\r\nlast,x");
  const CsvTable table = read_csv(path);
  EXPECT_EQ(table.header, (std::vector<std::string>{"file", "note"}));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0].fields, (std::vector<std::string>{"a,1", "he said \"no\""}));
  EXPECT_EQ(table.rows[1].fields, (std::vector<std::string>{"two\nlines", ""}));
  EXPECT_EQ(table.rows[1].line, 4);
  EXPECT_EQ(table.rows[2].line, 6);
  EXPECT_EQ(table.column("note"), 1u);
  EXPECT_EQ(table.column("absent"), std::nullopt);
}

TEST(Csv, NamesFileAndLine) {
  const TempFolder folder;
  const auto read = [&](const char* text) { return text_of([&] { read_csv(folder.write("a.csv", text)); }); };
  const std::string at = folder.path("a.csv");
  EXPECT_EQ(read("a,b\n1,2\n3\n"), at + ":3: 1 fields where the header has 2");
  EXPECT_EQ(read("a,b\n1,2\n\"3,4\n5,6\n").find(at + ":3: a quote is opened"), 0u);
  EXPECT_EQ(read("a,b\n1,x\"y\"\n").find(at + ":2: a quote inside"), 0u);
  EXPECT_EQ(read("a,b\n\"1\"x,2\n").find(at + ":2: 'x' follows a closing quote"), 0u);
  EXPECT_EQ(read("a,A\n").find(at + ":1: the column 'a' stands twice"), 0u);
  EXPECT_EQ(read("").find(at + ": is empty"), 0u);
}

TEST(Patient, IsReadFromTheNamesOfPublicSets) {
  const std::pair<const char*, const char*> cases[] = {
      {"person123_bacteria_45.jpeg", "person123"},
      {"person1613_virus_2799.jpeg", "person1613"},
      {"NORMAL2-IM-0007-0001.jpeg", "NORMAL2-IM-0007"},
      {"IM-0467-0001-0002.jpeg", "IM-0467"},
      {"00000013_005.png", "00000013"},
      {"some/folder/00006991_011.png", "00006991"},
      {"COVID-00001.jpg", "COVID-00001"},
      {"COVID-00003b.jpg", "COVID-00003"},
      {"01E392EE-69F9-4E33-BFCE-E5C968654078.jpeg", "01E392EE-69F9-4E33-BFCE-E5C968654078"},
      {"6b44464d-73a7-4cf3-bbb6-ffe7168300e3.annot.original.jpeg", "6b44464d-73a7-4cf3-bbb6-ffe7168300e3"},
      {"5e6dd879fde9502400e58b2f.jpeg", "5e6dd879fde9502400e58b2f"},
      {"CR.1.2.840.113564.1722810170.20200320011259312440.1003000225002.png",
       "CR.1.2.840.113564.1722810170.20200320011259312440.1003000225002"},
      {"ryct.2020200034.fig5-day4.jpeg", "ryct.2020200034.fig5"},
      {"ryct.2020200028.fig1a.jpeg", "ryct.2020200028.fig1"},
      {"nejmoa2001191_f1-PA.jpeg", "nejmoa2001191_f1"},
      {"covid-19-pneumonia-24-day12.jpg", "covid-19-pneumonia-24"},
      {"covid-19-pneumonia-evolution-over-a-week-1-day0-PA.jpg", "covid-19-pneumonia-evolution-over-a-week-1"},
      {"covid-19-pneumonia-rapidly-progressive-12-hours.jpg", "covid-19-pneumonia-rapidly-progressive"},
      {"covid-19-pneumonia-rapidly-progressive-admission.jpg", "covid-19-pneumonia-rapidly-progressive"},
      {"distress-syndrome-ards-day-1.jpg", "distress-syndrome-ards"},
      {"covid-19-pneumonia-12.jpg", "covid-19-pneumonia-12"},
      {"1-s2.0-S1684118220300682-main.pdf-002-a1.png", "1-s2.0-S1684118220300682-main.pdf-002"},
      {"1-s2.0-S0929664620300449-gr2_lrg-a.jpg", "1-s2.0-S0929664620300449-gr2_lrg"},
      {"kjr-21-e24-g001-l-a.jpg", "kjr-21-e24-g001"},
      {"lancet-case2b.jpg", "lancet-case2"},
      {"41591_2020_819_Fig1_HTML.webp-day10.png", "41591_2020_819_Fig1_HTML.webp"},
      {"x.png", "x"},
      {"-a.png", "-a"},
  };
  for (const auto& [name, patient] : cases) EXPECT_EQ(patient_of(name), patient) << name;
}

TEST(Groups, AreMatchedByNameClassAndSet) {
  const TempFolder folder;
  const std::string csv = folder.write("g.csv",
                                       "set,class,file,patient\n"
                                       "mine,a,1.png,P1\n"
                                       "mine,b,1.png,P2\n"
                                       "mine,b,2.png,P1\n"
                                       "other,a,1.png,P9\n");
  ImageSet set = named("mine", {"a/1.png", "a/3.png", "b/1.png", "b/2.png"});
  apply_groups(set, csv);
  EXPECT_EQ(set.groups, (std::vector<std::int64_t>{0, 1, 2, 0}));
  EXPECT_EQ(set.group_names, (std::vector<std::string>{"P1", "a/3.png", "P2"}));
  EXPECT_EQ(set.ungrouped, 1);

  ImageSet other = named("other", {"a/1.png"});
  apply_groups(other, csv);
  EXPECT_EQ(other.group_names[0], "P9");
  ImageSet renamed = named("renamed", {"a/1.png"});  // the set column cannot tell, and the rows disagree
  EXPECT_SAYS(apply_groups(renamed, csv), csv + ":5: puts a/1.png into the group 'P9', line 2 into 'P1'");
}

TEST(Groups, AWholePathSaysMoreThanAName) {
  const TempFolder folder;
  const std::string csv = folder.write("g.csv", "file,group\n1.png,any\na/1.png,exact\n");
  ImageSet set = named("d", {"a/1.png", "b/1.png"});
  apply_groups(set, csv);
  EXPECT_EQ(set.group_names, (std::vector<std::string>{"exact", "any"}));
}

TEST(Groups, OriginalNamesTellThePatientWithinTheirSource) {
  const TempFolder folder;
  const std::string csv = folder.write("g.csv",
                                       "file,source,original_name\n"
                                       "1.png,kermany,person5_virus_1.jpeg\n"
                                       "2.png,kermany,person5_virus_2.jpeg\n"
                                       "3.png,elsewhere,person5_virus_3.jpeg\n");
  ImageSet set = named("d", {"a/1.png", "a/2.png", "a/3.png"});
  apply_groups(set, csv);
  EXPECT_EQ(set.groups, (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(set.group_names[0], "kermany/person5");
}

TEST(Groups, NamesWhatIsWrong) {
  const TempFolder folder;
  ImageSet set = named("d", {"a/1.png", "a/2.png"});
  const auto apply = [&](const char* text) { return text_of([&] { apply_groups(set, folder.write("g.csv", text)); }); };
  const std::string at = folder.path("g.csv");
  EXPECT_EQ(apply("name,group\n").find(at + ":1: no column 'file'"), 0u);
  EXPECT_EQ(apply("file,age\n").find(at + ":1: no column 'group', 'patient' or 'original_name'"), 0u);
  EXPECT_EQ(apply("file,group\n1.png,\n").find(at + ":2: the group of '1.png' is empty"), 0u);
  EXPECT_EQ(apply("file,group\n9.png,x\n").find(at + ": no row of it is about an image of d"), 0u);
  EXPECT_EQ(set.ungrouped, 0);
  EXPECT_EQ(set.group_names, set.files) << "a failed call left its marks";
  EXPECT_SAYS(apply_groups(set, folder.path("gone.csv")), "gone.csv: no such file");
}

/// 3 classes of 100, 60 and 40 images, patients of 1 to 4 images, some across two classes.
ImageSet clinic() {
  std::vector<std::string> files;
  for (int i = 0; i < 200; ++i) files.push_back(fmt::format("{}/{:03}.png", i < 100 ? 'a' : i < 160 ? 'b' : 'c', i));
  ImageSet set = named("clinic", files);
  set.group_names.clear();
  for (std::size_t i = 0; i < set.groups.size();) {
    for (std::size_t n = 1 + i % 4; n > 0 && i < set.groups.size(); --n, ++i)
      set.groups[i] = static_cast<std::int64_t>(set.group_names.size());
    set.group_names.push_back(fmt::format("p{}", set.group_names.size()));
  }
  set.groups[199] = 0;  // one patient in the first class and the last
  return set;
}

TEST(Holdout, NoPatientOnBothSidesAndEveryClassNearItsShare) {
  const ImageSet set = clinic();
  for (const double share : {0.1, 0.2, 0.35, 0.5}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Split split = split_holdout(set, share, seed);
      std::set<std::int64_t> train, held;
      std::vector<double> count(3);
      for (const std::int64_t i : split.train) train.insert(set.groups[static_cast<std::size_t>(i)]);
      for (const std::int64_t i : split.held_out) {
        held.insert(set.groups[static_cast<std::size_t>(i)]);
        count[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(i)])] += 1;
      }
      for (const std::int64_t g : held) EXPECT_FALSE(train.contains(g));
      std::vector<std::int64_t> all = split.train;
      all.insert(all.end(), split.held_out.begin(), split.held_out.end());
      std::sort(all.begin(), all.end());
      ASSERT_EQ(all.size(), 200u);
      for (std::int64_t i = 0; i < 200; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
      EXPECT_NEAR(count[0], share * 100, 2.01);
      EXPECT_NEAR(count[1], share * 60, 2.01);
      EXPECT_NEAR(count[2], share * 40, 2.01);
    }
  }
}

TEST(Holdout, IsAFunctionOfItsSeed) {
  const ImageSet set = clinic();
  const Split a = split_holdout(set, 0.2, 1), b = split_holdout(set, 0.2, 1), c = split_holdout(set, 0.2, 2);
  EXPECT_EQ(a.held_out, b.held_out);
  EXPECT_NE(a.held_out, c.held_out);
  EXPECT_TRUE(std::is_sorted(a.train.begin(), a.train.end()));
  std::set<std::int64_t> ever;  // no patient is beyond reach
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    for (const std::int64_t i : split_holdout(set, 0.2, seed).held_out)
      ever.insert(set.groups[static_cast<std::size_t>(i)]);
  EXPECT_EQ(ever, std::set(set.groups.begin(), set.groups.end()));
}

TEST(Holdout, NothingAndTooMuch) {
  const ImageSet set = clinic();
  EXPECT_TRUE(split_holdout(set, 0, 1).held_out.empty());
  EXPECT_EQ(split_holdout(set, 0, 1).train.size(), 200u);
  EXPECT_THROW(split_holdout(set, 1, 1), UsageError);
  EXPECT_THROW(split_holdout(set, -0.1, 1), UsageError);
  EXPECT_THROW(split_holdout(set, std::nan(""), 1), UsageError);
  ImageSet one = set;
  std::fill(one.groups.begin(), one.groups.end(), 0);
  EXPECT_SAYS(split_holdout(one, 0.2, 1), "a share of 0.2 of 1 groups leaves one side empty");
}

}  // namespace
}  // namespace innerloop::io
