#include "io/run_log.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tensor/error.h"

namespace innerloop::io {
namespace {

using OrderedJson = nlohmann::ordered_json;  // keeps the order of writing, so that a line reads kind, step, loss, ...

/// JSON has no NaN and no infinity.
OrderedJson number(double value) { return std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr); }

double number_at(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : kNotMeasured;
}

std::int64_t integer_at(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string to_line(const StepEntry& entry) {
  const OrderedJson object = {{"kind", "step"},
                       {"step", entry.step},
                       {"loss", number(entry.loss)},
                       {"accuracy", number(entry.accuracy)},
                       {"inner_loss", number(entry.inner_loss)},
                       {"grad_norm", number(entry.grad_norm)},
                       {"rate", number(entry.rate)},
                       {"seconds", number(entry.seconds)}};
  return object.dump();
}

std::string to_line(const EvalEntry& entry) {
  const OrderedJson object = {{"kind", "eval"},
                       {"step", entry.step},
                       {"accuracy", number(entry.accuracy)},
                       {"half_width", number(entry.half_width)},
                       {"loss", number(entry.loss)},
                       {"episodes", entry.episodes},
                       {"seconds", number(entry.seconds)}};
  return object.dump();
}

StepEntry step_entry(const OrderedJson& object) {
  return {.step = integer_at(object, "step"),
          .loss = number_at(object, "loss"),
          .accuracy = number_at(object, "accuracy"),
          .inner_loss = number_at(object, "inner_loss"),
          .grad_norm = number_at(object, "grad_norm"),
          .rate = number_at(object, "rate"),
          .seconds = number_at(object, "seconds")};
}

EvalEntry eval_entry(const OrderedJson& object) {
  return {.step = integer_at(object, "step"),
          .accuracy = number_at(object, "accuracy"),
          .half_width = number_at(object, "half_width"),
          .loss = number_at(object, "loss"),
          .episodes = integer_at(object, "episodes"),
          .seconds = number_at(object, "seconds")};
}

std::string read_file(const std::filesystem::path& path) {
  IL_CHECK(!std::filesystem::is_directory(path), "{}: is a folder where the log of a run is needed; remove it",
           path.string());
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) fail("{}: cannot be read ({}); give the log of a run folder", path.string(), std::strerror(errno));
  return text;
}

/// Calls visit(line, object) for each entry. A last line without its line break is what a crash leaves behind: it
/// counts only when it is whole.
template <class Visit>
void each_entry(const std::filesystem::path& path, const std::string& text, Visit visit) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++number;
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const bool terminated = end < text.size();
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const OrderedJson object = OrderedJson::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool whole = object.is_object() && object.contains("step") && object["step"].is_number_integer() &&
                       object.contains("kind") && object["kind"].is_string();
    if (!whole && !terminated) return;
    if (!whole) fail("{}:{}: not a log entry; remove the line, or the file to start a new log", path.string(), number);
    visit(line, object);
  }
}

/// Replaces the file in one move, so that a crash leaves the old log or the new one.
void replace_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) fail("{}: cannot be written ({}); free some space", temporary.string(), std::strerror(errno));
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) fail("{}: cannot be replaced ({})", path.string(), error.message());
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& path) : path_(path) {
  errno = 0;
  file_.open(path, std::ios::binary | std::ios::app);
  if (!file_) {
    fail("{}: cannot be opened for writing ({}); choose another run folder", path.string(), std::strerror(errno));
  }
}

RunLog RunLog::create(const std::filesystem::path& path) {
  std::error_code none;
  std::filesystem::remove(path, none);  // a failure shows when the file is opened
  return RunLog(path);
}

RunLog RunLog::resume(const std::filesystem::path& path, std::int64_t step) {
  if (std::filesystem::exists(path)) {
    std::string kept;
    each_entry(path, read_file(path), [&](const std::string& line, const OrderedJson& object) {
      if (integer_at(object, "step") <= step) kept += line + "\n";
    });
    replace_file(path, kept);
  }
  return RunLog(path);
}

void RunLog::append(const std::string& line) {
  errno = 0;
  file_ << line << '\n' << std::flush;
  if (!file_) fail("{}: cannot be written ({}); free some space", path_.string(), std::strerror(errno));
}

void RunLog::write(const StepEntry& entry) { append(to_line(entry)); }
void RunLog::write(const EvalEntry& entry) { append(to_line(entry)); }

RunHistory read_run_log(const std::filesystem::path& path) {
  RunHistory history;
  each_entry(path, read_file(path), [&](const std::string&, const OrderedJson& object) {
    const std::string kind = object["kind"];
    if (kind == "step") history.steps.push_back(step_entry(object));
    if (kind == "eval") history.evals.push_back(eval_entry(object));
  });
  return history;
}

}  // namespace innerloop::io
