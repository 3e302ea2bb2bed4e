// `innerloop`: the command line. Parses, runs the chosen command, and turns errors into one line and an exit code.
#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "io/nearest.h"
#include "tensor/error.h"
#include "tools/command.h"
#include "tools/messages.h"

namespace innerloop::tools {

namespace {

/// Breaks a paragraph into lines of at most 100 columns.
std::string wrapped(const std::string& paragraph) {
  constexpr std::size_t kColumns = 100;
  std::istringstream words(paragraph);
  std::string text, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > kColumns) {
      text += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return text + line;
}

}  // namespace

CLI::App& CommandLine::add(CLI::App& parent, const std::string& name, const std::string& summary,
                           const std::string& details, const std::string& example) {
  CLI::App* command =
      parent.add_subcommand(name, details.empty() ? summary : summary + "\n\n" + wrapped(details) + "\n");
  command->footer("Example:\n" + example);
  return *command;
}

void CommandLine::on_run(CLI::App& command, std::function<int()> body) {
  command.callback([this, body = std::move(body)] { chosen = body; });
}

namespace {

/// Lists a command by the first line of its description; its own help has the rest.
class FirstLineFormatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string description = command->get_description();
    return fmt::format("  {:<10}{}\n", command->get_name(), description.substr(0, description.find('\n')));
  }
};

constexpr const char* kAbout =
    "innerloop: exact, fast gradient-based meta-learning (second-order MAML) from images.\n"
    "Results go to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped.";
constexpr const char* kExample =
    "'innerloop COMMAND --help' explains a command; 'innerloop help keys' lists every key of the configuration.\n\n"
    "Example:\n  innerloop train --data synthetic --out runs/demo";

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// Where even stderr cannot be written, the exit code is all that is left to say.
int report_error(std::string_view text, ExitCode code) {
  std::fputs(fmt::format("innerloop: error: {}\n", one_line(std::string(text))).c_str(), stderr);
  return code;
}

/// A standard stream that the caller has closed leaves its number to the next file that is opened, and messages would go into that one.
/// Such a number is taken here by what cannot be read or written as that stream is, so that writing fails as on the closed one.
void take_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));  // takes the lowest number that is free
  }
}

/// The deepest subcommand that was named, whose help is the one to point at.
const CLI::App& deepest(const CLI::App& app) {
  const std::vector<CLI::App*> named = app.get_subcommands();
  return named.empty() ? app : deepest(*named.front());
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? "innerloop" : full_name(*parent) + " " + command.get_name();
}

/// "; did you mean '--steps'?" for a word that no command or option of `command` spells.
std::string did_you_mean(const CLI::App& command, const std::string& word) {
  std::vector<std::string> names;
  if (word.starts_with("-")) {
    for (const CLI::Option* option : command.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  } else {
    for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(sub->get_name());
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  return io::suggestion(word.substr(0, word.find('=')), views);
}

int wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = deepest(app);
  std::string text = one_line(error.what());
  const std::vector<std::string> extras = app.remaining(true);
  if (!extras.empty()) {
    const std::string& word = extras.front();
    if (&command != &app && !app.remaining().empty() && command.get_option_no_throw(word) != nullptr)
      return report_error(fmt::format("argument '{}' comes before the command; put it behind '{}'", word, full_name(command)), kUsage);
    const bool is_command =
        !word.starts_with("-") && !command.get_subcommands([](const CLI::App*) { return true; }).empty();
    text = fmt::format("unknown {} '{}'{}", is_command ? "command" : "argument", word, did_you_mean(command, word));
  }
  return report_error(fmt::format("{}; see '{} --help'", text, full_name(command)), kUsage);
}

/// An option or argument that is there and empty, as from a variable that a script did not set: it is not taken for one that is absent.
void check_none_is_empty(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options())
    for (const std::string& value : option->results())
      if (value.empty()) fail_usage("{}: its value is empty; give one, or leave it out", option->get_name());
  for (const CLI::App* sub : command.get_subcommands()) check_none_is_empty(*sub);
}

int parse_and_run(int argc, char** argv) {
  CLI::App app(kAbout, "innerloop");
  app.footer(kExample);
  app.formatter(std::make_shared<FirstLineFormatter>());  // subcommands inherit it
  app.require_subcommand(1);
  app.set_version_flag("--version", "innerloop " IL_VERSION, "print the version and exit");
  CommandLine line{app, {}};
  add_train(line);
  add_eval(line);
  add_predict(line);
  add_reproduce(line);
  add_metagrad(line);
  add_profile(line);
  add_episodes(line);
  add_check(line);
  add_data(line);
  add_doctor(line);
  add_bench(line);
  add_help(line);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success))
      return app.exit(error) == 0 ? kDone : kFailed;
    return wrong_usage(app, error);
  }
  check_none_is_empty(app);
  return line.chosen ? line.chosen() : kDone;
}

}  // namespace
}  // namespace innerloop::tools

int main(int argc, char** argv) {
  using namespace innerloop;  // NOLINT: the whole of the program is in it
  tools::take_closed_streams();
  try {
    tools::start_messages();
    const int code = tools::parse_and_run(argc, argv);
    // A full disk behind stdout shows only when the last bytes leave.
    if (std::fflush(stdout) != 0)
      return tools::report_error("stdout: cannot be written; is the disk full?", tools::kFailed);
    return code;
  } catch (const UsageError& error) {
    return tools::report_error(error.what(), tools::kUsage);
  } catch (const std::bad_alloc&) {
    return tools::report_error("out of memory; use smaller images, fewer tasks or fewer threads", tools::kFailed);
  } catch (const std::exception& error) {
    return tools::report_error(error.what(), tools::kFailed);
  }
}
