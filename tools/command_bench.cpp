// bench: hands its arguments to tools/bench.sh, which owns the work, and has it measure this very program.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tools/command.h"

namespace innerloop::tools {
namespace {

namespace fs = std::filesystem;

/// The script in the source folder that this program was built in, or that it lies in: looked for upwards from the program.
fs::path find_script(const fs::path& program) {
  for (fs::path folder = program.parent_path();; folder = folder.parent_path()) {
    const fs::path script = folder / "tools" / "bench.sh";
    if (fs::exists(script)) return script;
    if (folder == folder.parent_path()) break;
  }
  fail("bench: no tools/bench.sh in any folder above {}; run tools/bench.sh of the sources with --innerloop {}",
       program.string(), program.string());
}

/// `compare` and `report` measure nothing; the rest measures this program unless another is named.
bool names_a_program(const std::vector<std::string>& words) {
  if (!words.empty() && (words.front() == "compare" || words.front() == "report")) return true;
  for (const std::string& word : words)
    if (word == "--innerloop" || word.starts_with("--innerloop=")) return true;
  return false;
}

int run(const std::vector<std::string>& words) {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  std::vector<std::string> call{find_script(program).string()};
  if (!names_a_program(words)) call.insert(call.end(), {"--innerloop", program.string()});
  call.insert(call.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : call) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  fail("{}: cannot be run: {}; check that it may be executed", call.front(), std::strerror(errno));
}

}  // namespace

void add_bench(CommandLine& line) {
  CLI::App& command = line.add(
      line.app, "bench", "Measures this program against other frameworks, and compares measurements.",
      "It runs tools/bench.sh of the sources that this program was built from, whose options it takes: --quick, "
      "--workloads, --rivals, --device, --out and more, or 'compare A.json B.json' or 'report BENCH.json'. 'tools/bench.sh "
      "--help' explains all of them.",
      "  innerloop bench --quick --out before\n"
      "  innerloop bench compare before/bench.json after/bench.json");
  // No option of its own: the parser would take the words apart and lose which option a value belongs to.
  command.prefix_command();
  line.on_run(command, [&command] { return run(command.remaining()); });
}

}  // namespace innerloop::tools
