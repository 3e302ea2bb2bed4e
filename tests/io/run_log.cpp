#include "io/run_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "tensor/error.h"

namespace innerloop::io {
namespace {

class RunLogTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(testing::TempDir()) / (std::string("innerloop_log_") + info->name() + ".jsonl");
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string text() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void append(std::string_view bytes) const { std::ofstream(path_, std::ios::binary | std::ios::app) << bytes; }

  std::filesystem::path path_;
};

TEST_F(RunLogTest, EachEntryIsOneFlushedLine) {
  RunLog log = RunLog::create(path_);
  log.write(StepEntry{
      .step = 1, .loss = 0.5, .accuracy = 0.25, .inner_loss = 2, .grad_norm = 3, .rate = 0.001, .seconds = 0.125});
  EXPECT_EQ(text(),
            "{\"kind\":\"step\",\"step\":1,\"loss\":0.5,\"accuracy\":0.25,\"inner_loss\":2.0,\"grad_norm\":3.0,"
            "\"rate\":0.001,\"seconds\":0.125}\n");
  log.write(EvalEntry{.step = 1, .accuracy = 0.75, .half_width = 0.01, .loss = 0.5, .episodes = 600, .seconds = 2});
  const RunHistory history = read_run_log(path_);
  ASSERT_EQ(history.steps.size(), 1u);
  ASSERT_EQ(history.evals.size(), 1u);
  EXPECT_EQ(history.steps[0].grad_norm, 3);
  EXPECT_EQ(history.steps[0].rate, 0.001);
  EXPECT_EQ(history.evals[0].half_width, 0.01);
  EXPECT_EQ(history.evals[0].episodes, 600);
}

TEST_F(RunLogTest, NumbersReadBackToTheSameBitsAndNonFiniteOnesAsNaN) {
  RunLog log = RunLog::create(path_);
  log.write(StepEntry{.step = 7, .loss = 0.1 + 0.2, .accuracy = INFINITY, .grad_norm = 1e-300});
  EXPECT_NE(text().find("\"accuracy\":null"), std::string::npos) << text();
  const RunHistory history = read_run_log(path_);
  EXPECT_EQ(history.steps.at(0).loss, 0.1 + 0.2);
  EXPECT_EQ(history.steps.at(0).grad_norm, 1e-300);
  EXPECT_TRUE(std::isnan(history.steps.at(0).accuracy));
  EXPECT_TRUE(std::isnan(history.steps.at(0).seconds));
}

TEST_F(RunLogTest, AResumedLogReadsAsOneRun) {
  {
    RunLog log = RunLog::create(path_);
    for (std::int64_t step = 1; step <= 5; ++step) {
      log.write(StepEntry{.step = step, .loss = 1});
      if (step % 2 == 0) log.write(EvalEntry{.step = step});
    }
  }
  append("{\"kind\":\"step\",\"st");  // what a crash leaves
  EXPECT_EQ(read_run_log(path_).steps.size(), 5u);

  RunLog log = RunLog::resume(path_, 3);
  log.write(StepEntry{.step = 4, .loss = 2});
  const RunHistory history = read_run_log(path_);
  ASSERT_EQ(history.steps.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(history.steps[i].step, static_cast<std::int64_t>(i) + 1);
  EXPECT_EQ(history.steps[3].loss, 2);
  ASSERT_EQ(history.evals.size(), 1u);
  EXPECT_EQ(history.evals[0].step, 2);
}

TEST_F(RunLogTest, ResumingWithoutALogStartsOneAndCreatingEmptiesIt) {
  RunLog::resume(path_, 10).write(StepEntry{.step = 11});
  EXPECT_EQ(read_run_log(path_).steps.size(), 1u);
  RunLog::create(path_);
  EXPECT_EQ(text(), "");
  EXPECT_TRUE(read_run_log(path_).steps.empty());
}

TEST_F(RunLogTest, AFolderInItsPlaceIsNamed) {
  std::filesystem::create_directory(path_);
  try {
    RunLog::resume(path_, 3);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(path_.string() + ": is a folder"), std::string::npos) << e.what();
  }
}

TEST_F(RunLogTest, AWholeLastLineWithoutItsBreakIsKept) {
  append("{\"kind\":\"step\",\"step\":1}\n{\"kind\":\"step\",\"step\":2}");
  RunLog log = RunLog::resume(path_, 2);
  log.write(StepEntry{.step = 3});
  EXPECT_EQ(read_run_log(path_).steps.size(), 3u);
}

TEST_F(RunLogTest, DamageInTheMiddleIsAnErrorThatNamesTheLine) {
  append("{\"kind\":\"step\",\"step\":1}\nnot json\n{\"kind\":\"step\",\"step\":2}\n");
  try {
    read_run_log(path_);
    FAIL() << "damage went unnoticed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path_.string() + ":2: not a log entry"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW(RunLog::create("/nowhere/log.jsonl"), Error);
  EXPECT_THROW(read_run_log("/nowhere/log.jsonl"), Error);
}

TEST_F(RunLogTest, EntriesOfKindsToComeAreKeptAndSkipped) {
  append("{\"kind\":\"note\",\"step\":1,\"text\":\"hello\"}\n");
  EXPECT_TRUE(read_run_log(path_).steps.empty());
  RunLog::resume(path_, 1);
  EXPECT_EQ(text(), "{\"kind\":\"note\",\"step\":1,\"text\":\"hello\"}\n");
}

}  // namespace
}  // namespace innerloop::io
