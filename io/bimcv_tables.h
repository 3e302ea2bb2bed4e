// The tables and sidecars of BIMCV-COVID19+ (layout_bimcv.cpp). Internal to io.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/layout_parts.h"

namespace innerloop::io::layouts {

/// Where a session stands in a table of labels, and what it says.
struct SessionLabels {
  std::vector<std::string> labels;  ///< as plain() writes them
  std::string table;                ///< its file's name
  std::int64_t line = 0;
};
/// By (subject, session). A session of several rows has the labels of all.
using LabelTable = std::map<std::pair<std::string, std::string>, SessionLabels>;

/// The tables *.tsv with a column of labels in the first of `folders` that has any. Throws Error naming a table that
/// has labels and lacks the patient's or the session's column or any row; where there is none, naming what was looked
/// for in `base`.
LabelTable read_labels(const std::filesystem::path& base, const std::vector<std::filesystem::path>& folders);

/// The class that a session's labels mean, or why none. COVID 19 -> covid19 (not "COVID 19 uncertain"), bacterial
/// pneumonia -> bacterial, viral pneumonia -> viral unless it is COVID 19, pneumonia and atypical pneumonia without a
/// cause -> other_pneumonia, normal -> normal. Two of these at once, labels "exclude" and "suboptimal study", and labels
/// with none of them give no class.
struct LabelledClass {
  std::string name;    ///< "" when there is none
  std::string reason;  ///< then
};
LabelledClass class_of_labels(const std::vector<std::string>& labels);

/// What the JSON beside an image says: DICOM attributes, by tag ("00185101": {"Value": ["PA"]}) or by keyword.
struct Sidecar {
  std::string view;
  DisplayHints hints;
};
/// Nothing where there is no such file. Throws Error when it is not JSON.
std::optional<Sidecar> read_sidecar(const std::filesystem::path& json);

}  // namespace innerloop::io::layouts
