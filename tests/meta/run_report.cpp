#include "meta/run_report.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace innerloop::meta {
namespace {

bool says(const std::vector<std::string>& cautions, std::string_view part) {
  return std::ranges::any_of(cautions, [&](const std::string& c) { return c.find(part) != std::string::npos; });
}

TEST(RunReport, SaysWhatIsToBeKnownOfTheData) {
  io::ImageSet set;
  set.files = {"a", "b", "c"};
  set.labels = {0, 0, 0};
  set.classes = {"x"};
  set.groups = {0, 0, 1};
  set.group_names = {"p", "c"};
  EXPECT_FALSE(says(cautions_about(set), "could not be used"));
  EXPECT_FALSE(says(cautions_about(set), "not known"));
  set.skipped = {{"d", "view LL: not frontal"}};
  set.ungrouped = 1;
  set.cautions = {"1 of 3 images has 16 bits."};
  const std::vector<std::string> cautions = cautions_about(set);
  EXPECT_TRUE(says(cautions, "1 files could not be used"));
  EXPECT_TRUE(says(cautions, "Of 1 images the patient is not known"));
  EXPECT_TRUE(says(cautions, "1 of 3 images has 16 bits."));
}

}  // namespace
}  // namespace innerloop::meta
