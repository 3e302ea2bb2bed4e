// A sitting of a run: what meta-training and the comparison systems do alike before their first step.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/run_log.h"
#include "meta/holdout.h"
#include "meta/run_folder.h"
#include "meta/run_lock.h"
#include "meta/trainer.h"

namespace innerloop::meta {

/// What a run's checkpoint keeps of its data and machine; all empty for a run that begins.
struct DataRecord {
  std::string hash;                             ///< of the whole set
  std::map<std::string, std::string> protocol;  ///< data, split, cpu, and "bad files" where some were skipped
};

struct SittingData {
  io::ImageSet set;
  DataSplit split;
  DataRecord record;                  ///< as the next checkpoint has to keep it
  std::vector<std::string> messages;  ///< for the person who started it, once nothing more is found wrong
};

/// Loads options.data, or the data set that `before` names, and splits it by `split`. Files that an earlier sitting skipped are skipped again. Throws Error naming the data set when none is given, it
/// cannot be loaded or split, or it is not the one of `before`.
SittingData load_sitting_data(const TrainOptions& options, const DataRecord& before,
                              DataSplit (*split)(const io::ImageSet&, const io::Config&));

enum class Sitting : std::uint8_t { kFirst, kResumed };

/// Before anything of the folder is read: takes `lock` where the folder is there. Throws UsageError when a new run is asked for
/// where there is one, Error when another process is at work there.
void enter_folder(const RunFolder& folder, const TrainOptions& options, RunLock& lock);

/// Makes the folder of a new run and takes `lock`, or keeps that of a run that goes on from `step`; writes config.toml and
/// opens the log behind that step. Throws as enter_folder(), and Error when nothing can be written there.
io::RunLog open_run(const RunFolder& folder, const TrainOptions& options, Sitting sitting, std::int64_t step, RunLock& lock);

}  // namespace innerloop::meta
