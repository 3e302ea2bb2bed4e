// data.toml: how to read a folder that has no known layout. It lies in the folder itself.
//
//   [images]                         optional
//   include = 'frontal/'             only images whose path matches (regular expressions, searched in the path)
//   exclude = ['_mask\.png$']        and matches none of these; what is left out is listed, with the pattern
//   [table]                          optional, for keys `column` below
//   file = "metadata.csv"            CSV, or TSV by its name
//   image = "filename"               the column with the image's path (relative to the folder or the table) or bare name
//   [class]                          one of folder, pattern, column
//   folder = 1                       the first folder of the path, counted from the data set's; -1 is the last
//   names = {"NCP" = "covid19"}      optional: renames; with it, images of no listed name are left out, by name
//   [patient]                        optional; one of folder, pattern, column, or rule = "published" (patient_of())
//   pattern = '^p(\d+)_'             searched in the path; the first group is the patient
//   [view]                           optional; one of folder, pattern, column
//   column = "projection"
//   keep = ["PA", "AP"]              optional; without it: frontal views by their usual names
//
// Patterns are ECMAScript regular expressions (std::regex). Where a view cannot be told, the image is kept and counted.
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace innerloop::io {

/// Where a value comes from: exactly one of the four.
struct MapSource {
  std::optional<std::int64_t> folder;  ///< from 1, or from -1 backwards; never 0
  std::optional<std::regex> pattern;
  std::string column;          ///< lower case, as CsvTable has it
  bool published_rule = false;
};

struct DataMap {
  std::string file;  ///< the data.toml, for error texts
  std::optional<std::regex> include;
  std::string include_text;
  std::vector<std::pair<std::string, std::regex>> exclude;
  std::string table, table_image;  ///< "" without [table]
  MapSource class_source;
  std::vector<std::pair<std::string, std::string>> class_names;
  std::optional<MapSource> patient, view;
  std::vector<std::string> keep_views;
};

/// Throws UsageError naming file, line and key; Error when it cannot be read.
DataMap read_data_map(const std::string& path);

}  // namespace innerloop::io
