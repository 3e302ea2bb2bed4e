#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

#include "kernels/cuda/conv_choices.h"
#include "tensor/error.h"

namespace innerloop::kernels::cuda {
namespace {

constexpr std::string_view kTitle =
    "# innerloop: the engine of each convolution by machine and shape, as measured; delete to measure again\n";

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

std::optional<ConvEngine> parse(std::string_view name) {
  for (const ConvEngine engine : {ConvEngine::kOwn, ConvEngine::kCudnn, ConvEngine::kGemm}) {
    if (name_of(engine) == name) return engine;
  }
  return std::nullopt;
}

}  // namespace

std::filesystem::path conv_choice_file() {
  const auto folder = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value != nullptr ? value : "");
  };
  std::filesystem::path cache = folder("XDG_CACHE_HOME");
  if (!cache.is_absolute()) {  // the XDG specification: a relative one is to be ignored
    cache = folder("HOME");
    if (cache.empty()) return {};
    cache /= ".cache";
  }
  return cache / "innerloop" / "conv_choices.txt";
}

ConvChoiceStore::ConvChoiceStore(std::filesystem::path file, std::string machine)
    : file_(std::move(file)), machine_(std::move(machine)) {
  IL_CHECK(machine_.find_first_of("\t\n") == std::string::npos, "conv choices: a machine's text of several lines: {}",
           machine_);
  if (!file_.empty()) load();
}

void ConvChoiceStore::load() {
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    const auto fields = fields_of(line);
    if (fields.size() < 3 || fields[0] != machine_) continue;
    if (const auto engine = parse(fields[2])) choices_.insert_or_assign(std::string(fields[1]), *engine);
  }
}

std::optional<ConvEngine> ConvChoiceStore::find(const std::string& shape) const {
  const auto it = choices_.find(shape);
  return it == choices_.end() ? std::nullopt : std::optional(it->second);
}

void ConvChoiceStore::put(const std::string& shape, ConvEngine engine, const std::string& measured) {
  choices_.insert_or_assign(shape, engine);
  if (file_.empty()) return;
  std::error_code ignored;  // the file is a convenience
  std::filesystem::create_directories(file_.parent_path(), ignored);
  const bool fresh = !std::filesystem::exists(file_, ignored);
  std::ofstream out(file_, std::ios::app);
  out << fmt::format("{}{}\t{}\t{}\t{}\n", fresh ? kTitle : "", machine_, shape, name_of(engine), measured)
      << std::flush;
}

}  // namespace innerloop::kernels::cuda
