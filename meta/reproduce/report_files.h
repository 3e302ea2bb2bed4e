// What a comparison leaves for readers, made from its run folder alone.
#pragma once

#include <string>

namespace innerloop::meta::reproduce {

struct ReportFiles {
  std::string html, json, csv, markdown;  ///< paths
  std::int64_t units = 0, planned = 0;
};

/// Writes report.html, report.json, tables.csv and tables.md into `run_folder`, each whole or not at all. The bytes
/// depend on the folder's units, plan, meta-trainings and pictures alone. Throws UsageError when the folder holds no
/// comparison, Error when it has no unit yet or one of its files is damaged (naming it).
ReportFiles write_report_files(const std::string& run_folder);

}  // namespace innerloop::meta::reproduce
