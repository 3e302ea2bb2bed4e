#include "io/bimcv_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "io/csv.h"
#include "tensor/error.h"

namespace innerloop::io::layouts {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// "['COVID 19', 'pneumonia']", with or without commas; or words between commas or bars.
std::vector<std::string> parse_labels(std::string_view text) {
  std::vector<std::string> labels;
  const auto add = [&](std::string_view label) {
    if (std::string name = plain(label); !name.empty()) labels.push_back(std::move(name));
  };
  const std::string_view quotes = "'\"";
  if (text.find_first_of(quotes) != std::string_view::npos) {
    for (std::size_t at = text.find_first_of(quotes); at != std::string_view::npos;
         at = text.find_first_of(quotes, at)) {
      const std::size_t end = std::min(text.find(text[at], at + 1), text.size());
      add(text.substr(at + 1, end - at - 1));
      at = std::min(end + 1, text.size());
    }
    return labels;
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("[],|;"), text.size());
    add(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return labels;
}

void add_table(const CsvTable& table, LabelTable& out) {
  const std::size_t label_column = column_of(table, {"labels", "label"});
  const std::size_t patient = column_of(table, {"patientid", "subject", "participant", "participant_id", "subject_id"});
  const std::size_t session = column_of(table, {"reportid", "session", "session_id", "sessionid", "study"});
  IL_CHECK(!table.rows.empty(), "{}: is empty but for its header; get the table of labels again", table.path);
  for (const CsvRow& row : table.rows) {
    SessionLabels& entry = out[{row.fields[patient], row.fields[session]}];
    if (entry.table.empty()) entry.table = std::string(base_name(table.path)), entry.line = row.line;
    for (std::string& label : parse_labels(row.fields[label_column])) entry.labels.push_back(std::move(label));
  }
}

/// The first value of a DICOM attribute, as text; "" where there is none.
std::string attribute(const Json& json, const char* tag, const char* keyword) {
  for (const char* name : {tag, keyword}) {
    const auto found = json.find(name);
    if (found == json.end()) continue;
    Json value = *found;
    if (value.is_object()) value = value.value("Value", Json());
    if (value.is_array()) value = value.empty() ? Json() : Json(value.front());
    if (value.is_string()) {
      const std::string text = value.get<std::string>();
      return text.substr(0, text.find('\\'));  // DICOM's separator of several values
    }
    if (value.is_number()) return value.dump();
  }
  return {};
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

LabelTable read_labels(const fs::path& base, const std::vector<fs::path>& folders) {
  LabelTable out;
  std::vector<std::string> seen;
  for (const fs::path& folder : folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) continue;
    for (const std::string& name : entries_of(folder).others) {
      if (!name.ends_with(".tsv") || name.ends_with("_scans.tsv")) continue;
      const CsvTable table = read_table((folder / name).string());
      seen.push_back(name);
      if (table.column("labels") || table.column("label")) add_table(table, out);
    }
    if (!out.empty()) return out;
  }
  fail(
      "{}: no table with a column 'Labels' in its derivatives/labels (tables seen: {}); get the head archive of the "
      "set, "
      "or write a data.toml",
      base.string(), seen.empty() ? "none" : fmt::format("{}", fmt::join(seen, ", ")));
}

LabelledClass class_of_labels(const std::vector<std::string>& labels) {
  const auto has = [&](std::string_view name) { return std::ranges::find(labels, name) != labels.end(); };
  const std::string all = fmt::format("{}", fmt::join(labels, ", "));
  if (has("exclude") || has("suboptimal study")) return {"", fmt::format("labelled not to be used ({})", all)};
  const bool covid = has("covid 19") || has("covid19"), bacterial = has("bacterial pneumonia");
  const bool viral = has("viral pneumonia") && !covid;
  const bool pneumonia = has("pneumonia") || has("atypical pneumonia");
  const bool normal = has("normal");
  const int causes = (covid ? 1 : 0) + (bacterial ? 1 : 0) + (viral ? 1 : 0);
  if (causes > 1 || (normal && (causes > 0 || pneumonia)))
    return {"", fmt::format("labelled with two classes ({})", all)};
  if (!covid && has("covid 19 uncertain")) return {"", fmt::format("labelled as uncertain ({})", all)};
  const std::string_view name = covid       ? kCovid19
                                : bacterial ? kBacterial
                                : viral     ? kViral
                                : pneumonia ? kOtherPneumonia
                                : normal    ? kNormal
                                            : std::string_view{};
  if (name.empty()) return {"", fmt::format("labelled with no class ({})", all)};
  return {std::string(name), ""};
}

std::optional<Sidecar> read_sidecar(const fs::path& json) {
  std::error_code error;
  if (!fs::is_regular_file(json, error)) return std::nullopt;
  const Json root = Json::parse(read_file(json.string()), nullptr, false);
  IL_CHECK(root.is_object(), "{}: is not a JSON object; get it again", json.string());
  Sidecar out;
  out.view = attribute(root, "00185101", "ViewPosition");
  if (attribute(root, "00280004", "PhotometricInterpretation") == "MONOCHROME1")
    out.hints.photometric = Photometric::kMonochrome1;
  const std::optional<double> center = number(attribute(root, "00281050", "WindowCenter"));
  const std::optional<double> width = number(attribute(root, "00281051", "WindowWidth"));
  const double slope = number(attribute(root, "00281053", "RescaleSlope")).value_or(1);
  const double intercept = number(attribute(root, "00281052", "RescaleIntercept")).value_or(0);
  // The window is for rescaled values, the file holds stored ones.
  if (center && width && slope > 0) out.hints.window = DicomWindow{(*center - intercept) / slope, *width / slope};
  return out;
}

}  // namespace innerloop::io::layouts
