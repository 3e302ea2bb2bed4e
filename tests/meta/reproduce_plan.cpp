// The plan of a comparison: who sees what, what is left out, and how time is shared.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "meta/reproduce/budget.h"
#include "meta/reproduce/classes.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/costs.h"
#include "meta/reproduce/fold_assignment.h"
#include "meta/reproduce/view.h"
#include "meta/reproduce/work.h"
#include "meta/reproduce_fixtures.h"

namespace innerloop::meta::reproduce {
namespace {

using test::named_set;

PlanOptions options_of(const io::ImageSet& set, std::int64_t folds) {
  return {.classes = paper_classes(set.classes, {}), .ways = {3, 4}, .shots = {1, 3}, .folds = folds, .seed = 7};
}

Plan plan_of(const io::ImageSet& set, const PlanOptions& o) {
  return make_plan(set, fold_assignment(set, o.classes, o.folds, o.seed), o);
}

std::string text_of(const std::vector<Exclusion>& exclusions) {
  std::string text;
  for (const Exclusion& e : exclusions) text += e.what + ": " + e.why + "\n";
  return text;
}

TEST(Plan, EveryImageOfTheComparedClassesIsTestedOnce) {
  const io::ImageSet set = named_set({9, 10, 11, 12});
  const Plan plan = plan_of(set, options_of(set, 3));
  ASSERT_EQ(plan.problems.size(), 6u);
  for (const std::int64_t ways : {3, 4}) {
    std::multiset<std::int64_t> tested;
    for (const Problem& p : plan.problems)
      if (p.ways == ways) tested.insert(p.test.begin(), p.test.end());
    EXPECT_EQ(tested.size(), ways == 3 ? 30u : 42u);
    EXPECT_EQ(std::set<std::int64_t>(tested.begin(), tested.end()).size(), tested.size());
  }
}

TEST(Plan, NoPatientIsTestedAndSeen) {
  io::ImageSet set = named_set({12, 12, 12, 12});
  test::pair_patients(set);
  ASSERT_EQ(set.group_names.size(), 24u);
  for (const Problem& p : plan_of(set, options_of(set, 3)).problems) {
    std::set<std::int64_t> tested;
    for (const std::int64_t i : p.test) tested.insert(set.groups[static_cast<std::size_t>(i)]);
    for (const auto* seen : {&p.labelled_pool, &p.unlabelled})
      for (const std::int64_t i : *seen) EXPECT_FALSE(tested.contains(set.groups[static_cast<std::size_t>(i)])) << i;
    for (const LabelledDraw& draw : p.labelled)
      for (const std::int64_t i : draw.images) EXPECT_TRUE(std::ranges::binary_search(p.labelled_pool, i));
  }
}

TEST(Plan, LabelledImagesNestAndAreOfDifferentPatientsWhereThatCanBe) {
  io::ImageSet set = named_set({12, 12, 12, 12});
  test::pair_patients(set);
  const Plan plan = plan_of(set, options_of(set, 3));
  for (const Problem& p : plan.problems) {
    ASSERT_EQ(p.labelled.size(), 2u);
    for (std::size_t c = 0; c < p.classes.size(); ++c) {
      EXPECT_EQ(p.labelled[0].images[c], p.labelled[1].images[3 * c]) << "the one shot is among the three";
      std::set<std::int64_t> patients;
      for (std::size_t k = 0; k < 3; ++k) {
        const auto image = static_cast<std::size_t>(p.labelled[1].images[3 * c + k]);
        EXPECT_EQ(set.classes[static_cast<std::size_t>(set.labels[image])], p.classes[c]);
        patients.insert(set.groups[image]);
      }
      EXPECT_EQ(patients.size(), 3u);
    }
  }
  // The 3-way and the 4-way problem of a fold label the same images of their common classes.
  EXPECT_TRUE(std::equal(plan.problems[0].labelled[1].images.begin(), plan.problems[0].labelled[1].images.end(),
                         plan.problems[1].labelled[1].images.begin()));
}

TEST(Plan, IsAPureFunctionOfTheSeedAndGoesFoldByFold) {
  const io::ImageSet set = named_set({9, 9, 9, 9});
  PlanOptions o = options_of(set, 3);
  const Plan a = plan_of(set, o), b = plan_of(set, o);
  o.seed = 8;
  const Plan c = plan_of(set, o);
  ASSERT_EQ(a.problems.size(), b.problems.size());
  bool differs = false;
  for (std::size_t i = 0; i < a.problems.size(); ++i) {
    EXPECT_EQ(a.problems[i].labelled[1].images, b.problems[i].labelled[1].images);
    differs |= a.problems[i].labelled[1].images != c.problems[i].labelled[1].images;
    EXPECT_EQ(a.problems[i].fold, static_cast<std::int64_t>(i / 2));
  }
  EXPECT_TRUE(differs);
}

TEST(Plan, NamesWhatItLeavesOut) {
  const io::ImageSet set = named_set({9, 9, 4});
  PlanOptions o = options_of(set, 3);
  o.shots = {1, 3};
  const Plan plan = plan_of(set, o);
  const std::string text = text_of(plan.exclusions);
  EXPECT_NE(text.find("4-way: the data set has 3 of the classes"), std::string::npos) << text;
  EXPECT_NE(text.find("3 shots: class 'viral' has 2 images"), std::string::npos) << text;
  ASSERT_FALSE(plan.problems.empty());
  for (const Problem& p : plan.problems) EXPECT_EQ(p.ways, 3);

  // The second of three folds has no image of the third class.
  std::vector<std::int64_t> fold_of(static_cast<std::size_t>(set.count()));
  for (std::size_t i = 0; i < fold_of.size(); ++i) fold_of[i] = static_cast<std::int64_t>(i < 18 ? i % 3 : i % 2 * 2);
  o.shots = {1};
  const Plan lacking = make_plan(set, fold_of, o);
  EXPECT_NE(text_of(lacking.exclusions).find("3-way, fold 2: the fold has no image of class 'viral'"),
            std::string::npos)
      << text_of(lacking.exclusions);
}

TEST(Plan, RefusesAPatientInTwoFoldsAndNothingToCompare) {
  io::ImageSet set = named_set({6, 6, 6});
  test::pair_patients(set);
  std::vector<std::int64_t> fold_of(18);
  for (std::size_t i = 0; i < 18; ++i) fold_of[i] = static_cast<std::int64_t>(i % 2);
  PlanOptions o = options_of(set, 2);
  EXPECT_THROW(make_plan(set, fold_of, o), Error);
  o.ways = {4};
  try {
    plan_of(set, o);
    FAIL() << "4-way of three classes";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("--classes"), std::string::npos) << e.what();
  }
}

TEST(Plan, PatientsOfTwoClassesAreSetAsideByName) {
  io::ImageSet set = named_set({3, 3, 3});
  set.groups[4] = set.groups[0];  // a normal image of a COVID-19 patient
  const MixedPatients mixed = set_mixed_patients_aside(set);
  EXPECT_EQ(mixed.kept.count(), 7);
  ASSERT_EQ(mixed.excluded.size(), 1u);
  EXPECT_NE(mixed.excluded[0].why.find("2 images of several classes: covid19, normal"), std::string::npos)
      << mixed.excluded[0].why;
}

TEST(Classes, ThePaperIsFoundByManyNamesAndThePneumoniaStandsInForVirus) {
  EXPECT_EQ(paper_classes({"Bacterial", "COVID-19", "Normal", "Viral"}, {}),
            (std::vector<std::string>{"COVID-19", "Normal", "Viral", "Bacterial"}));
  EXPECT_EQ(paper_classes({"covid19", "normal", "pneumonia"}, {}),
            (std::vector<std::string>{"covid19", "normal", "pneumonia"}));
  EXPECT_EQ(paper_classes({"diffuse", "lobar", "normal"}, {}), (std::vector<std::string>{"normal", "diffuse", "lobar"}))
      << "unknown names follow";
  EXPECT_EQ(paper_classes({"bacterial", "covid19", "normal", "other_pneumonia", "viral"}, {}).size(), 4u);
  EXPECT_EQ(paper_classes({"a", "b", "c"}, {"c", "a"}), (std::vector<std::string>{"c", "a"}));
  EXPECT_THROW(paper_classes({"a", "b"}, {"a", "x"}), UsageError);
  EXPECT_THROW(paper_classes({"a", "b"}, {"a", "a"}), UsageError);
}

TEST(Classes, LabelsPointIntoTheAskedOrder) {
  const io::ImageSet set = named_set({2, 2, 2});
  const io::ImageSet out = with_classes(set, {0, 4, 5}, {"viral", "covid19"});
  EXPECT_EQ(out.labels, (std::vector<std::int32_t>{1, 0, 0}));
  EXPECT_THROW(with_classes(set, {2}, {"viral", "covid19"}), Error);
}

TEST(View, TheBorderKeepsItsFrameAlone) {
  io::ImageSet set = named_set({1, 1});
  set.height = set.width = 20;
  set.pixels = Tensor::from({2, 20, 20, 1}, std::vector<std::uint8_t>(800, 200));
  const io::ImageSet border = border_alone(set);
  std::int64_t kept = 0;
  for (const std::uint8_t v : border.pixels.data<std::uint8_t>()) kept += v == 200 ? 1 : 0;
  EXPECT_EQ(kept, 2 * (20 * 20 - 16 * 16));
  EXPECT_EQ(border.pixels.data<std::uint8_t>()[2 * 20 + 2], 0);
  EXPECT_EQ(border.pixels.data<std::uint8_t>()[2 * 20 + 1], 200);
  EXPECT_EQ(set.pixels.data<std::uint8_t>()[2 * 20 + 2], 200) << "the set itself is left as it is";
}

TEST(Contestants, AreChosenByNameInTheOrderOfTheTables) {
  const std::vector<Contestant> two = choose_contestants({"emcnet", "umlf"});
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].key, "umlf");
  EXPECT_EQ(choose_contestants({}).size(), all_contestants().size());
  try {
    choose_contestants({"vgg91"});
    FAIL() << "vgg91";
  } catch (const UsageError& e) {
    for (const char* part : {"vgg91", "umlf_instances", "emcnet", "did you mean 'vgg19'"})
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Work, HasEverySystemOfAFoldBeforeTheNext) {
  const io::ImageSet set = named_set({9, 9, 9, 9});
  const Plan plan = plan_of(set, options_of(set, 3));
  const std::vector<Contestant> systems = choose_contestants({"umlf", "lenet5"});
  const std::vector<Work> work = all_work(plan, systems, shortcut_contestants(), 3);
  // A problem: one meta-training, two systems at two shots, two parts of the shortcut test; then one curve a number of
  // ways.
  ASSERT_EQ(work.size(), 6u * 7u + 2u);
  std::int64_t fold = 0;
  for (std::size_t i = 0; i < 42; ++i) {
    EXPECT_GE(work[i].problem->fold, fold);
    fold = work[i].problem->fold;
  }
  EXPECT_EQ(work[0].kind, WorkKind::kMetaTraining);
  EXPECT_EQ(work[43].kind, WorkKind::kCurve);
  EXPECT_EQ(work[43].shots, 1);
}

TEST(Budget, OneScaleForAllFillsTheTimeThatIsLeft) {
  const std::vector<UnitCost> units = {{.fixed = 10, .scalable = 100}, {.fixed = 20, .scalable = 300}};
  EXPECT_EQ(scale_for(0, units), 1);
  EXPECT_EQ(scale_for(1e6, units), 1);
  const double scale = scale_for(200, units);
  EXPECT_NEAR(30 + scale * 400, kPlannedShare * 200, 1e-9);
  EXPECT_EQ(scale_for(30, units), kSmallestScale) << "the fixed part alone is more";
  EXPECT_NO_THROW(check_budget(30, kSmallestScale, units));
  EXPECT_THROW(check_budget(5, kSmallestScale, units), UsageError);
  EXPECT_EQ(scaled(300, 0.5), 150);
  EXPECT_EQ(scaled(3, 0.01), 1);
}

TEST(Budget, DurationsAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_duration("90s", "--budget"), 90);
  EXPECT_EQ(parse_duration("2h", "--budget"), 7200);
  EXPECT_EQ(parse_duration("1h30m", "--budget"), 5400);
  EXPECT_EQ(parse_duration("45", "--budget"), 45);
  for (const char* bad : {"", "h", "2x", "-1h", "0s", "2 h"})
    EXPECT_THROW(parse_duration(bad, "--budget"), UsageError) << bad;
}

TEST(Costs, AreMeasuredUnlessStopped) {
  const io::ImageSet set = named_set({6, 6, 6});
  PlanOptions o = options_of(set, 2);
  o.shots = {1};
  const Plan plan = plan_of(set, o);
  io::Config config = default_config();
  config.data.size = set.height;
  config.model.filters = {4, 4};
  const SizedImages images(set, {});
  const Work work{WorkKind::kUnit, &plan.problems.front(), &contestant("untrained"), 1};
  std::atomic<bool> stop = true;
  Costs costs(config);
  costs.calibrate(work, images, &stop);
  EXPECT_EQ(costs.of(work).at(1), 0) << "it was stopped";
  stop = false;
  costs.calibrate(work, images, &stop);
  EXPECT_GT(costs.of(work).at(1), 0);
}

}  // namespace
}  // namespace innerloop::meta::reproduce
