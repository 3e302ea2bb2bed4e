#include "meta/sitting.h"

#include <fmt/format.h>

#include <filesystem>

#include "io/atomic_file.h"
#include "meta/from_config.h"
#include "tensor/context.h"
#include "tensor/error.h"

namespace innerloop::meta {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// The value of `key`; empty where there is none.
std::string value_of(const DataRecord& record, const std::string& key) {
  const auto found = record.protocol.find(key);
  return found == record.protocol.end() ? std::string() : found->second;
}

/// The data set that the run in `out` was begun on, as it is found from here.
std::string recorded_data(const DataRecord& record, const std::string& out) {
  const std::string data = value_of(record, "data");
  IL_CHECK(data.empty() || data == "synthetic" || is_there(data),
           "{}: no such file or folder as seen from here, and the run in {} was trained on it; give it by --data", data, out);
  return data;
}

std::vector<std::string> messages_of(const SittingData& d, const DataRecord& before) {
  std::vector<std::string> out;
  const std::string was = value_of(before, "cpu"), is = value_of(d.record, "cpu");
  if (!was.empty() && was != is)
    out.push_back(fmt::format(
        "the run began with {} instructions and goes on with {}: the last bits may differ from a run that was "
        "never stopped",
        was, is));
  out.push_back(fmt::format("{}: {} images of {} classes; {}", d.set.name, d.set.count(), d.set.classes.size(),
                            d.split.description));
  for (const io::SkippedFile& file : d.set.skipped)
    out.push_back(fmt::format("left out: {}: {}", file.file, file.reason));
  return out;
}

}  // namespace

SittingData load_sitting_data(const TrainOptions& options, const DataRecord& before,
                              DataSplit (*split)(const io::ImageSet&, const io::Config&)) {
  const std::string data = !options.data.empty() ? options.data : recorded_data(before, options.out);
  IL_CHECK(!data.empty() || options.start == RunStart::kNew || is_there(RunFolder(options.out).checkpoint()),
           "train: {} holds no run to go on with; name the folder of one, or a data set with --data to begin one there",
           options.out);
  IL_CHECK(!data.empty(), "train: no data set was given; name one with --data");
  io::LoadOptions load = load_options(options.config);
  const bool skip = options.bad_files == io::BadFiles::kSkip || before.protocol.contains("bad files");
  load.bad_files = skip ? io::BadFiles::kSkip : io::BadFiles::kStop;
  load.progress = options.callbacks.on_load_progress;
  SittingData out;
  out.set = io::load_images(data, load);
  out.record = {out.set.hash(), before.protocol};
  IL_CHECK(before.hash.empty() || before.hash == out.record.hash,
           "{}: the data set is not the one that the run in {} was trained on; resume with the same images, or train "
           "into a new folder",
           data, options.out);
  out.split = split(out.set, options.config);
  auto& protocol = out.record.protocol;
  protocol["cpu"] = std::string(name_of(Context::current().target()));
  protocol["data"] = data;
  if (skip) protocol["bad files"] = "skipped";
  protocol["split"] = out.split.description;
  out.messages = messages_of(out, before);
  return out;
}

void enter_folder(const RunFolder& folder, const TrainOptions& options, RunLock& lock) {
  lock.take(folder.root);
  if (options.start == RunStart::kNew) folder.refuse_a_second_run();
}

io::RunLog open_run(const RunFolder& folder, const TrainOptions& options, Sitting sitting, std::int64_t step, RunLock& lock) {
  folder.make();
  lock.take(folder.root);
  // Another may have made and filled it while this one read its data.
  const bool is_new = options.start == RunStart::kNew || (sitting == Sitting::kFirst && is_there(folder.checkpoint()));
  if (is_new) folder.refuse_a_second_run();
  io::write_file(folder.config(), io::to_toml(options.config));
  return sitting == Sitting::kResumed ? io::RunLog::resume(folder.log(), step) : io::RunLog::create(folder.log());
}

}  // namespace innerloop::meta
