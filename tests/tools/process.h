// The built `innerloop` as a subprocess: what a person at a terminal meets.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/data_fixtures.h"

namespace innerloop::tools {

using io::TempFolder;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

struct Outcome {
  int code = -1;  ///< of exit; 128 + signal when one ended it
  std::string out, err;

  /// The last line of stdout as JSON; fails the test when it is not one object.
  Json json() const;
};

/// `innerloop` that runs beside the test, its streams in files.
class Process {
 public:
  /// Starts in `folder`, with one line of arguments.
  Process(const std::string& folder, const Arguments& arguments);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const;
  Outcome wait();

 private:
  TempFolder streams_;
  pid_t pid_ = -1;
};

/// Runs to the end.
Outcome innerloop_in(const std::string& folder, const Arguments& arguments);

/// Waits until `condition` holds, asking every few milliseconds; false after a minute.
bool wait_until(const std::function<bool()>& condition);
/// Waits until the log of a run has `lines` lines.
bool wait_for_log(const std::string& run, std::size_t lines);
/// Checks that each of `files` has the same bytes in both folders.
void expect_same_files(const std::string& a, const std::string& b, const std::vector<std::string>& files);

/// "a b c" as arguments; no quoting.
Arguments split(const std::string& line);
std::vector<std::string> lines_of(const std::string& text);

/// Checks an error as the contract has it: the exit code, nothing on stdout, and one line on stderr that begins with
/// "innerloop: error: " and holds every one of `parts`.
void expect_error(const Outcome& outcome, int code, const std::vector<std::string>& parts);

/// A folder of small synthetic X-rays, made once for all tests of the process: 10 of each of 4 classes, 24x24.
const std::string& xrays();

/// Options that make a network and a run small enough for a test: 3-way 1-shot, two blocks of 4 filters on 16x16
/// images.
Arguments small_model();
Arguments operator+(Arguments a, const Arguments& b);

}  // namespace innerloop::tools
