// Manifest: RUN/plan.json, what a comparison is, so that a later call goes on with it and a report can be made without
// the data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/config.h"
#include "io/dataset.h"
#include "meta/reproduce/plan.h"
#include "meta/reproduce/sizes.h"

namespace innerloop::meta::reproduce {

/// What a report says of the data set.
struct DataFacts {
  std::string name, path, hash;
  std::int64_t size = 0, channels = 1, patients = 0, ungrouped = 0;
  std::vector<std::string> classes;  ///< of the whole set
  std::vector<std::int64_t> images;  ///< of each
  std::vector<io::SkippedFile> skipped;
  std::string layout;                 ///< how the folder was read (io/layout.h)
  std::vector<std::string> cautions;  ///< of the set itself
};
DataFacts facts_of(const io::ImageSet& set, const std::string& path);

struct Manifest {
  DataFacts data;
  io::Config config;  ///< unscaled
  double scale = 1;   ///< of its iterations
  double budget = 0;  ///< in seconds; 0: none
  PlanOptions plan;
  std::vector<std::string> systems;     ///< keys of the contestants
  Sizes sizes;                          ///< of systems that see another side than data.size
  std::vector<Exclusion> exclusions;    ///< found when planning
  std::string cpu;                      ///< name of the instruction set
  std::int64_t threads = 0, units = 0;  ///< of the plan as a whole
  std::map<std::string, double> cost;   ///< seconds of a unit of most shots, calibrated, by contestant

  /// SHA-256 over what decides an answer: data, folds, seed, classes, configuration, scale, and sizes where there are
  /// any. Systems, ways and shots are no part of it: they may be added to a comparison that is under way.
  std::string hash() const;
};

std::string manifest_path(const std::string& run_folder);
bool has_manifest(const std::string& run_folder);
void write_manifest(const std::string& run_folder, const Manifest& manifest);
/// Throws Error naming the file when it is none; UsageError when the folder holds no comparison.
Manifest read_manifest(const std::string& run_folder);

/// Throws UsageError naming the first of data, folds, seed, classes, sizes and keys of the configuration in which
/// `asked` is another comparison than the one in `run_folder`.
void check_same_comparison(const Manifest& saved, const Manifest& asked, const std::string& run_folder);

}  // namespace innerloop::meta::reproduce
