#include "tools/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <sstream>
#include <thread>

namespace innerloop::tools {

Json Outcome::json() const {
  const std::vector<std::string> lines = lines_of(out);
  const Json last = lines.empty() ? Json() : Json::parse(lines.back(), nullptr, false);
  EXPECT_TRUE(last.is_object()) << "stdout: " << out << "\nstderr: " << err;
  return last.is_object() ? last : Json::object();
}

Process::Process(const std::string& folder, const Arguments& arguments) {
  const std::string out = streams_.path("out"), err = streams_.path("err");
  std::vector<std::string> words = Arguments{IL_COMMAND} + arguments;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  const int out_fd = open(out.c_str(), O_CREAT | O_WRONLY, 0600), err_fd = open(err.c_str(), O_CREAT | O_WRONLY, 0600);
  const bool ready = out_fd >= 0 && err_fd >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0 &&
                     dup2(err_fd, STDERR_FILENO) >= 0 && chdir(folder.c_str()) == 0;
  if (ready) execv(IL_COMMAND, argv.data());
  _exit(127);
}

Process::~Process() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const { kill(pid_, number); }

Outcome Process::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), io::read_file(streams_.path("out")),
          io::read_file(streams_.path("err"))};
}

Outcome innerloop_in(const std::string& folder, const Arguments& arguments) {
  return Process(folder, arguments).wait();
}

bool wait_until(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool wait_for_log(const std::string& run, std::size_t lines) {
  const std::string path = run + "/log.jsonl";
  return wait_until([&] { return std::filesystem::exists(path) && lines_of(io::read_file(path)).size() >= lines; });
}

void expect_same_files(const std::string& a, const std::string& b, const std::vector<std::string>& files) {
  for (const std::string& file : files)
    EXPECT_TRUE(io::read_file(a + "/" + file) == io::read_file(b + "/" + file)) << file;
}

Arguments split(const std::string& line) {
  std::istringstream words(line);
  Arguments out;
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void expect_error(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(lines_of(outcome.err).size(), 1u) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("innerloop: error: ")) << outcome.err;
  for (const std::string& part : parts)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << "'" << part << "' is missing in: " << outcome.err;
}

const std::string& xrays() {
  static const auto folder = std::make_unique<TempFolder>();
  static const std::string path = [] {
    const Outcome made = innerloop_in(folder->path(), split("data synth --out xrays --per-class 10 --size 24"));
    EXPECT_EQ(made.code, 0) << made.err;
    return folder->path("xrays");
  }();
  return path;
}

Arguments small_model() {
  return split(
      "--ways 3 --tasks 2 --set model.filters=[4,4] --set data.size=16 --set data.holdout=0.5 --set eval.shots=1 "
      "--set eval.queries=2 --set eval.episodes=4 --set eval.steps=2 --set inner.steps=2");
}

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace innerloop::tools
