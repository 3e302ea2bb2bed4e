// One at a time in a run folder.
#include "meta/run_lock.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fixtures.h"
#include "meta/run_folder.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using io::TempFolder;
using test::throws_with;

TEST(RunLock, IsHeldByOneUntilItsEnd) {
  TempFolder folder;
  {
    RunLock first, second;
    first.take(folder.path());
    first.take(folder.path());  // it is its own
    EXPECT_TRUE(throws_with([&] { second.take(folder.path()); }, {folder.path() + ": another innerloop", "another folder"}));
    EXPECT_FALSE(RunFolder(folder.path()).holds_a_run());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  RunLock third;
  EXPECT_NO_THROW(third.take(folder.path()));
}

TEST(RunLock, AFileThatWasLeftBehindIsNoObstacle) {
  TempFolder folder;
  folder.write(".lock", "");
  RunLock lock, other;
  EXPECT_NO_THROW(lock.take(folder.path()));
  EXPECT_TRUE(throws_with([&] { other.take(folder.path()); }, {"another innerloop"}));
}

TEST(RunLock, WaitsForItsFolder) {
  TempFolder folder;
  RunLock lock, other;
  EXPECT_NO_THROW(lock.take(folder.path("run")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
  std::filesystem::create_directory(folder.path("run"));
  lock.take(folder.path("run"));
  EXPECT_TRUE(throws_with([&] { other.take(folder.path("run")); }, {"another innerloop"}));
}

}  // namespace
}  // namespace innerloop::meta
