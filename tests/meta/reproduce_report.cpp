// From units to tables: a made-up comparison whose figures are known.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "meta/reproduce/manifest.h"
#include "meta/reproduce/published.h"
#include "meta/reproduce/report_files.h"
#include "meta/reproduce/summary.h"
#include "meta/reproduce/tables.h"
#include "meta/reproduce/wording.h"
#include "meta/reproduce_fixtures.h"

namespace innerloop::meta::reproduce {
namespace {

using test::made_up_unit;

Manifest made_up_manifest() {
  Manifest m;
  m.data = facts_of(test::named_set({12, 12, 12}), "somewhere");
  m.config = default_config();
  m.scale = 0.25;
  m.budget = 600;
  m.plan = {.classes = {"covid19", "normal", "viral"}, .ways = {3}, .shots = {1, 10}, .folds = 6, .seed = 1};
  m.systems = {"umlf", "lenet5", "untrained"};
  m.exclusions = {{"4-way", "the data set has 3 of the classes"}};
  m.cpu = "portable";
  m.threads = 1;
  m.units = 40;
  return m;
}

/// Six folds of three images a class: umlf has 2 right at one shot and 3 at ten, lenet5 always one, untrained as umlf
/// but for one fold; the border tells two of three.
std::vector<UnitResult> made_up_units(const std::string& plan) {
  std::vector<UnitResult> units;
  for (std::int64_t f = 0; f < 6; ++f) {
    units.push_back(made_up_unit({3, f, "umlf", 1}, 2, 3, plan));
    units.push_back(made_up_unit({3, f, "umlf", 10}, 3, 3, plan));
    units.push_back(made_up_unit({3, f, "lenet5", 1}, 1, 3, plan));
    units.push_back(made_up_unit({3, f, "lenet5", 10}, 1, 3, plan));
    units.push_back(made_up_unit({3, f, "untrained", 10}, f == 0 ? 2 : 3, 3, plan));
    units.push_back(made_up_unit({3, f, "shortcut_border", kAllShots}, f == 0 ? 3 : 2, 3, plan));
    units.push_back(made_up_unit({3, f, "shortcut_whole", kAllShots}, 3, 3, plan));
  }
  std::ranges::sort(units, {}, &UnitResult::key);
  return units;
}

TEST(Unit, ReadsBackWhatItWrites) {
  UnitResult u = made_up_unit({4, 9, "cnn_lstm", 5}, 1, 2);
  u.notes = {"a \"note\""};
  u.pictures = {{"pictures/x.png", "caption"}};
  u.shared_seconds = 3.25;
  const UnitResult back = unit_from_json(to_json(u), "memory");
  EXPECT_EQ(back.key, u.key);
  EXPECT_EQ(back.probabilities, u.probabilities);
  EXPECT_EQ(back.truth, u.truth);
  EXPECT_EQ(back.images, u.images);
  EXPECT_EQ(back.notes, u.notes);
  EXPECT_EQ(back.pictures[0].caption, "caption");
  EXPECT_EQ(back.shared_seconds, 3.25);
  EXPECT_EQ(name_of(u.key), "w4_f10_cnn_lstm_k05");
  EXPECT_EQ(name_of({3, 0, "shortcut_border", kAllShots}), "w3_f01_shortcut_border_kall");
}

TEST(Unit, RefusesWhatIsNone) {
  const std::string good = to_json(made_up_unit({3, 0, "umlf", 1}, 1, 2));
  EXPECT_THROW(unit_from_json("[]", "f"), Error);
  EXPECT_THROW(unit_from_json(good.substr(0, good.size() / 2), "f"), Error);
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(good);
  json["truth"].push_back(0);
  EXPECT_THROW(unit_from_json(json.dump(), "f"), Error);
  json = nlohmann::ordered_json::parse(good);
  json["truth"][0] = 3;
  EXPECT_THROW(unit_from_json(json.dump(), "f"), Error);
  json = nlohmann::ordered_json::parse(good);
  json.erase("probabilities");
  try {
    unit_from_json(json.dump(), "units/f.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("units/f.json"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("probabilities"), std::string::npos) << e.what();
  }
}

TEST(UnitStore, KeepsFailuresUntilTheUnitIsDone) {
  const io::TempFolder folder;
  const UnitStore store(folder.path());
  const UnitResult u = made_up_unit({3, 0, "umlf", 1}, 1, 2);
  store.save_failure(u.key, {"the unit", "it diverged"});
  EXPECT_FALSE(store.has(u.key));
  ASSERT_EQ(store.failures().size(), 1u);
  EXPECT_EQ(store.failures()[0].why, "it diverged");
  store.save(u);
  EXPECT_TRUE(store.has(u.key));
  EXPECT_TRUE(store.failures().empty());
  EXPECT_EQ(store.load_all("plan").size(), 1u);
  EXPECT_THROW(store.load_all("another plan"), Error);
}

TEST(Summary, ScoresIntervalsAndTests) {
  const Summary s = summarise(made_up_units("plan"));
  EXPECT_EQ(s.ways, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(s.shots, (std::vector<std::int64_t>{1, 10}));
  const Cell* one = s.find(3, "umlf", 1);
  ASSERT_NE(one, nullptr);
  EXPECT_NEAR(one->estimate(Score::kAccuracy).mean, 2.0 / 3, 1e-12);
  EXPECT_NEAR(one->estimate(Score::kAccuracy).half_width, 0, 1e-12);
  EXPECT_EQ(one->folds.size(), 6u);
  // Right with 0.8 two times in three: the one bin that has answers is off by 0.8 - 2/3.
  EXPECT_NEAR(one->calibration.expected_error, 0.8 - 2.0 / 3, 1e-12);
  EXPECT_EQ(one->pooled.confusion.total(), 54);
  EXPECT_EQ(one->pooled.confusion.count(0, 1), 6);
  EXPECT_EQ(one->train_seconds, 1.5);

  const auto test_of = [&](std::int64_t shots, const std::string& other) {
    for (const PairedTest& t : s.tests)
      if (t.shots == shots && t.other == other) return t;
    ADD_FAILURE() << other;
    return PairedTest{};
  };
  // Six folds, all of one sign: the exact two-sided p is 2 / 2^6. Two tests at ten shots, one at one.
  EXPECT_NEAR(test_of(1, "lenet5").ranks.p, 2.0 / 64, 1e-12);
  EXPECT_NEAR(test_of(1, "lenet5").adjusted, 2.0 / 64, 1e-12);
  EXPECT_NEAR(test_of(10, "lenet5").adjusted, 4.0 / 64, 1e-12);
  EXPECT_NEAR(test_of(10, "lenet5").difference, 2.0 / 3, 1e-12);
  EXPECT_EQ(test_of(10, "untrained").ranks.zeros, 5);
  EXPECT_EQ(test_of(10, "untrained").adjusted, 1);
}

TEST(Summary, TheBorderThatTellsIsCalledALeak) {
  std::vector<UnitResult> units = made_up_units("plan");
  std::vector<ShortcutFinding> found = shortcut_findings(summarise(units));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].leaks);
  EXPECT_NE(found[0].words.find("leaks where its images come from"), std::string::npos) << found[0].words;
  // As good as guessing: one right of three in every fold but one.
  for (UnitResult& u : units)
    if (u.key.system == "shortcut_border") u = made_up_unit(u.key, u.key.fold == 0 ? 2 : 1, 3);
  const Summary guessing = summarise(units);
  found = shortcut_findings(guessing);
  EXPECT_FALSE(found[0].leaks) << found[0].words;
}

TEST(Published, TablesAreThoseOfThePaper) {
  const auto& tables = published_tables();
  ASSERT_EQ(tables.size(), 8u);
  for (std::size_t i = 0; i < tables.size(); ++i) EXPECT_EQ(tables[i].number, static_cast<int>(i) + 2);
  EXPECT_EQ(tables[2].rows.size(), 8u);
  EXPECT_EQ(tables[2].rows[0].scores.accuracy, 0.97);
  EXPECT_FALSE(tables[3].rows[1].scores.accuracy.has_value()) << "the text does not state it";
}

TEST(Tables, HaveTheFiguresOfTheSummary) {
  const Summary s = summarise(made_up_units("plan"));
  const std::string text = io::render_markdown(shots_table(s, 3));
  EXPECT_NE(text.find("| **UMLF-COVID (groups)** | **0.667 ± 0.000** | **1.000 ± 0.000** |"), std::string::npos) << text;
  EXPECT_NE(text.find("| LeNet-5 | 0.333 ± 0.000 | 0.333 ± 0.000 |"), std::string::npos) << text;
  std::string paper;
  for (const io::TextTable& t : paper_tables(s)) paper += io::render_markdown(t);
  EXPECT_NE(paper.find("Table 4 (BIMCV)"), std::string::npos);
  EXPECT_NE(paper.find("| LeNet-5 | 0.92 | 0.333 ± 0.000 | – |"), std::string::npos) << paper;
  EXPECT_EQ(paper.find("Table 5"), std::string::npos) << "no 4-way was run";
}

TEST(Report, IsMadeFromTheFolderAlone) {
  const io::TempFolder folder;
  EXPECT_THROW(write_report_files(folder.path()), UsageError);
  const Manifest m = made_up_manifest();
  write_manifest(folder.path(), m);
  EXPECT_EQ(read_manifest(folder.path()).hash(), m.hash());
  EXPECT_THROW(write_report_files(folder.path()), Error) << "no unit yet";
  const UnitStore store(folder.path());
  for (const UnitResult& u : made_up_units(m.hash())) store.save(u);
  store.save_failure({3, 0, "vgg19", 10}, {"3-way fold 1: VGG19, 10 shots", "the loss is <not finite>"});
  const ReportFiles files = write_report_files(folder.path());
  EXPECT_EQ(files.units, 42);
  const std::string html = io::read_file(files.html);
  for (const char* part : {"Table 4 (BIMCV)", "Accuracy against shots", "id=\"rates\"", "id=\"confusion\"",
                           "id=\"calibration\"", "id=\"cost\"", "Shortcut test", "leaks where its images come from",
                           "the loss is &lt;not finite&gt;", "4-way", "25.0 % of the", "Holm", "is a clinical claim"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  EXPECT_EQ(html.find("http"), std::string::npos) << "self-contained";
  const auto json = nlohmann::json::parse(io::read_file(files.json));
  EXPECT_EQ(json["systems"].size(), 7u);
  EXPECT_EQ(json["shortcut"][0]["leaks"], true);
  EXPECT_EQ(json["left_out"].size(), 2u);
  const std::string csv = io::read_file(files.csv);
  EXPECT_NE(csv.find("3,10,lenet5,accuracy,6,0.333"), std::string::npos) << csv.substr(0, 400);
  const std::string before = html;
  write_report_files(folder.path());
  EXPECT_EQ(io::read_file(files.html), before) << "the same folder, the same bytes";
}

TEST(Manifest, TellsAnotherComparisonByWhatDiffers) {
  const Manifest saved = made_up_manifest();
  const auto refused = [&](const Manifest& asked, const std::string& part) {
    try {
      check_same_comparison(saved, asked, "RUN");
      ADD_FAILURE() << part;
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  };
  Manifest asked = saved;
  asked.systems = {"vgg19"};
  asked.plan.shots = {5};
  asked.config.run.threads = 9;
  EXPECT_NO_THROW(check_same_comparison(saved, asked, "RUN")) << "what may be added";
  EXPECT_EQ(saved.hash(), asked.hash());
  asked.plan.folds = 5;
  refused(asked, "--folds");
  asked = saved;
  asked.config.inner.rate = 0.3;
  refused(asked, "inner.rate");
  EXPECT_NE(saved.hash(), asked.hash());
  asked = saved;
  asked.config.supervised.rate = 0.3;
  EXPECT_THROW(check_same_comparison(saved, asked, "RUN"), UsageError);
  asked = saved;
  asked.data.hash = "other";
  refused(asked, "--data");
}

}  // namespace
}  // namespace innerloop::meta::reproduce
