#include "meta/folds.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace innerloop::meta {
namespace {

/// A set without pixels: for each image its class and its patient.
io::ImageSet set_of(std::vector<std::int32_t> labels, std::vector<std::int64_t> patients, int classes) {
  io::ImageSet set;
  set.name = "test";
  for (int c = 0; c < classes; ++c) set.classes.push_back(fmt::format("class{}", c));
  for (std::size_t i = 0; i < labels.size(); ++i) set.files.push_back(fmt::format("f{}", i));
  set.labels = std::move(labels);
  const std::int64_t last = patients.empty() ? -1 : *std::ranges::max_element(patients);
  for (std::int64_t p = 0; p <= last; ++p) set.group_names.push_back(fmt::format("p{}", p));
  set.groups = std::move(patients);
  return set;
}

/// Patients of 1 to `most` images each, of one class, or of two with the chance `mixed`.
io::ImageSet random_set(std::uint32_t number, int classes, int patients, std::uint32_t most, float mixed) {
  PhiloxSequence random(11, Stream::kCheck, number);
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> groups;
  for (std::int64_t p = 0; p < patients; ++p) {
    const auto c = static_cast<std::int32_t>(p % classes);
    const bool two = random.uniform() < mixed;
    for (std::uint32_t i = 0, n = 1 + random.below(most); i < n; ++i) {
      labels.push_back(two && i % 2 == 1 ? (c + 1) % classes : c);
      groups.push_back(p);
    }
  }
  return set_of(labels, groups, classes);
}

std::vector<std::int64_t> counts(const io::ImageSet& set, const std::vector<std::int64_t>& images) {
  std::vector<std::int64_t> out(set.classes.size());
  for (const std::int64_t i : images) ++out[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(i)])];
  return out;
}

/// What folds.h promises of any set.
void expect_folds(const io::ImageSet& set, const std::vector<io::Split>& folds, std::int64_t k) {
  ASSERT_EQ(static_cast<std::int64_t>(folds.size()), k);
  std::vector<int> held(set.files.size());
  for (const io::Split& fold : folds) {
    EXPECT_EQ(static_cast<std::int64_t>(fold.train.size() + fold.held_out.size()), set.count());
    EXPECT_TRUE(std::ranges::is_sorted(fold.train));
    EXPECT_TRUE(std::ranges::is_sorted(fold.held_out));
    std::set<std::int64_t> inside, outside;
    for (const std::int64_t i : fold.held_out)
      ++held[static_cast<std::size_t>(i)], inside.insert(set.groups[static_cast<std::size_t>(i)]);
    for (const std::int64_t i : fold.train) outside.insert(set.groups[static_cast<std::size_t>(i)]);
    for (const std::int64_t patient : inside)
      EXPECT_FALSE(outside.contains(patient)) << set.group_names[static_cast<std::size_t>(patient)];
    for (const std::int64_t n : counts(set, fold.held_out)) EXPECT_GT(n, 0);
    for (const std::int64_t n : counts(set, fold.train)) EXPECT_GT(n, 0);
  }
  EXPECT_TRUE(std::ranges::all_of(held, [](int n) { return n == 1; }));
}

TEST(Folds, SinglesAreDividedEvenly) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 125; ++i) labels.push_back(i < 50 ? 0 : i < 95 ? 1 : 2);  // 50, 45, 30
  std::vector<std::int64_t> own(125);
  std::iota(own.begin(), own.end(), std::int64_t{0});
  const io::ImageSet set = set_of(labels, own, 3);
  const std::vector<io::Split> folds = make_folds(set);
  expect_folds(set, folds, 10);
  for (const io::Split& fold : folds) {
    const std::vector<std::int64_t> n = counts(set, fold.held_out);
    EXPECT_EQ(n[0], 5);
    EXPECT_TRUE(n[1] == 4 || n[1] == 5) << n[1];
    EXPECT_EQ(n[2], 3);
  }
}

TEST(Folds, PatientsStayWholeAndClassesNearTheirShare) {
  for (std::uint32_t number = 0; number < 200; ++number) {
    const int classes = 2 + static_cast<int>(number % 4);
    const io::ImageSet set = random_set(number, classes, 30 * classes, 6, number % 2 == 0 ? 0.0f : 0.3f);
    const std::int64_t k = 2 + number % 9;
    const std::vector<io::Split> folds = make_folds(set, {.folds = k, .seed = number});
    expect_folds(set, folds, k);
    std::vector<std::int64_t> every(set.files.size());
    std::iota(every.begin(), every.end(), std::int64_t{0});
    const std::vector<std::int64_t> size = counts(set, every);
    for (const io::Split& fold : folds) {
      const std::vector<std::int64_t> n = counts(set, fold.held_out);
      for (std::size_t c = 0; c < n.size(); ++c)
        EXPECT_LE(std::abs(static_cast<double>(n[c]) - static_cast<double>(size[c]) / static_cast<double>(k)), 6)
            << "set " << number << ", class " << c;  // no farther off than one patient
    }
  }
}

TEST(Folds, TheSeedDecidesAndNothingElse) {
  const io::ImageSet set = random_set(1, 3, 90, 4, 0.2f);
  const auto held = [&](std::uint64_t seed) {
    std::vector<std::vector<std::int64_t>> out;
    for (io::Split& fold : make_folds(set, {.folds = 5, .seed = seed})) out.push_back(std::move(fold.held_out));
    return out;
  };
  EXPECT_EQ(held(1), held(1));
  EXPECT_NE(held(1), held(2));
}

TEST(Folds, AClassWithoutImagesIsNoClass) {
  io::ImageSet set = random_set(2, 3, 60, 3, 0);
  const std::size_t folds = make_folds(set, {.folds = 4}).size();
  set.classes.push_back("absent");
  EXPECT_EQ(make_folds(set, {.folds = 4}).size(), folds);
}

TEST(Folds, ARareClassReachesEveryFold) {
  // Four patients have the rare class, three of them among many common images: coverage must win over balance.
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> patients;
  for (std::int64_t p = 0; p < 24; ++p)
    for (int i = 0; i < 1 + static_cast<int>(p % 5); ++i)
      labels.push_back(p < 4 && i == 0 ? 1 : 0), patients.push_back(p);
  const io::ImageSet set = set_of(labels, patients, 2);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<io::Split> folds = make_folds(set, {.folds = 4, .seed = seed});
    for (const io::Split& fold : folds) EXPECT_EQ(counts(set, fold.held_out)[1], 1);
  }
}

std::string error_of(const io::ImageSet& set, std::int64_t folds) {
  try {
    make_folds(set, {.folds = folds});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Folds, NamesTheClassThatIsMissing) {
  const io::ImageSet set = set_of({0, 0, 0, 1, 1, 1, 1}, {0, 1, 2, 3, 3, 4, 4}, 2);
  EXPECT_NE(error_of(set, 3).find(
                "class 'class1' has 2 patients (4 images), too few for one in each of 3 folds; ask for at most 2"),
            std::string::npos)
      << error_of(set, 3);
  EXPECT_EQ(error_of(set, 2), "");
  // Said before there is anything of that size.
  EXPECT_NE(error_of(set, std::numeric_limits<std::int64_t>::max()).find("ask for at most 3"), std::string::npos);
  EXPECT_NE(error_of(set, 1).find("at least 2"), std::string::npos);
  EXPECT_NE(error_of(set_of({0, 0, 1}, {0, 1, 2}, 2), 2).find("leave the class out"), std::string::npos);
  EXPECT_NE(error_of(set_of({}, {}, 2), 2).find("no images"), std::string::npos);
}

TEST(Folds, NamesTheFoldThatPatientsOfSeveralClassesLeaveEmpty) {
  // Three classes, each shared by two of three patients: two folds cannot both have all three.
  const io::ImageSet set = set_of({0, 1, 1, 2, 2, 0}, {0, 0, 1, 1, 2, 2}, 3);
  const std::string text = error_of(set, 2);
  EXPECT_NE(text.find("is left without an image of class 'class"), std::string::npos) << text;
}

}  // namespace
}  // namespace innerloop::meta
