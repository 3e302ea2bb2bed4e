// Command: what every subcommand of `innerloop` is made of, and the list of them.
//
// A command registers itself with its options and a body. CLI11 parses; the chosen body then runs outside of the
// parser, so that its exceptions reach main() untouched, and returns the exit code.
#pragma once

#include <CLI/App.hpp>

#include <functional>
#include <string>

namespace innerloop::tools {

/// What a process of `innerloop` returns to its caller.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,    ///< the work failed: bad data, divergence, a missing device, a failed check
  kUsage = 2,     ///< the call cannot be meant
  kStopped = 130  ///< stopped by Ctrl-C, after saving what there was to save
};

/// The command line while it is being set up, and the body that parsing has chosen.
struct CommandLine {
  CLI::App& app;
  std::function<int()> chosen;

  /// Registers a subcommand of `parent`. `summary` is one line, `details` a paragraph that is wrapped here; `example`
  /// ends the help and must be calls that work.
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& summary, const std::string& details,
                const std::string& example);
  /// Makes `body` what runs when `command` is chosen.
  void on_run(CLI::App& command, std::function<int()> body);
};

void add_train(CommandLine& line);
void add_eval(CommandLine& line);
void add_predict(CommandLine& line);
void add_reproduce(CommandLine& line);
void add_metagrad(CommandLine& line);
void add_profile(CommandLine& line);
void add_episodes(CommandLine& line);
void add_check(CommandLine& line);
void add_data(CommandLine& line);
void add_doctor(CommandLine& line);
void add_bench(CommandLine& line);
void add_help(CommandLine& line);

}  // namespace innerloop::tools
