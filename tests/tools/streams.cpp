// Standard streams that are closed, a terminal that goes away, and arguments that are there and empty.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

#include "io/atomic_file.h"
#include "process.h"

namespace innerloop::tools {
namespace {

/// The exit code of the command in `folder` under a shell, which can close streams.
int shell(const TempFolder& folder, const std::string& arguments) {
  const int status = std::system(("cd '" + folder.path() + "' && exec '" IL_COMMAND "' " + arguments).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string tiny_training(const std::string& more) {
  std::string line = "train --data " + xrays();
  for (const std::string& option : small_model()) line += " " + option;
  return line + " " + more;
}

TEST(Streams, WhatIsClosedIsNotTakenByAFile) {
  TempFolder folder;
  ASSERT_EQ(shell(folder, tiny_training("--out run --iterations 2 <&- >out 2>&-")), 0);
  for (const std::string& line : lines_of(io::read_file(folder.path("run/log.jsonl")))) EXPECT_TRUE(Json::accept(line)) << line;
  EXPECT_EQ(shell(folder, "train --resume --out run --iterations 3 >out 2>err"), 0) << io::read_file(folder.path("err"));
}

TEST(Streams, ClosedOnesCostNoExitCode) {
  TempFolder folder;
  EXPECT_EQ(shell(folder, "doctor >&- 2>err"), 1);
  EXPECT_NE(io::read_file(folder.path("err")).find("innerloop: error: "), std::string::npos);
  EXPECT_EQ(shell(folder, "doctor >&- 2>&-"), 1);
  EXPECT_EQ(shell(folder, "doctor --no-such-option 2>&-"), 2);
}

TEST(Streams, ATerminalThatGoesAwayIsAStop) {
  TempFolder folder;
  std::signal(SIGHUP, SIG_DFL);  // under nohup it would be ignored, by the command too
  Process endless(folder.path(), split(tiny_training("--out run --iterations 1000000")));
  ASSERT_TRUE(wait_for_log(folder.path("run"), 3));
  endless.signal(SIGHUP);
  EXPECT_EQ(endless.wait().code, 130);
  EXPECT_EQ(shell(folder, "train --resume --out run --iterations 1 >out 2>err"), 1) << "it has done more than one step";
  EXPECT_NE(io::read_file(folder.path("err")).find("iterations"), std::string::npos);
}

TEST(Arguments, ThatAreEmptyAreNotTakenForAbsent) {
  TempFolder folder;
  const Arguments train = Arguments{"train", "--data", "synthetic", "--out", "run"};
  for (const char* option : {"--config", "--preset", "--device"})
    expect_error(innerloop_in(folder.path(), train + Arguments{option, ""}), 2, {option, "empty"});
  expect_error(innerloop_in(folder.path(), {"data", "synth", "--out", "", "--per-class", "1"}), 2, {"--out", "empty"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Arguments, OfACommandComeBehindIt) {
  TempFolder folder;
  expect_error(innerloop_in(folder.path(), {"--json", "doctor"}), 2, {"'--json' comes before the command", "innerloop doctor"});
  expect_error(innerloop_in(folder.path(), {"--jsno", "doctor"}), 2, {"unknown argument '--jsno'"});
}

}  // namespace
}  // namespace innerloop::tools
