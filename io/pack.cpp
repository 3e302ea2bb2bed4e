#include "io/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/crc32.h"
#include "io/safetensors.h"

namespace innerloop::io {
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "innerloop-data";
constexpr const char* kVersion = "1";
constexpr const char* kChecksum = "checksum";

const std::string& metadata_at(const TensorFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  IL_CHECK(found != file.metadata.end(), "{}: a packed data set without '{}' in its metadata; pack it again", file.path,
           key);
  return found->second;
}

Json json_at(const TensorFile& file, const std::string& key) {
  try {
    return Json::parse(metadata_at(file, key));
  } catch (const Json::exception&) {
    fail("{}: '{}' in its metadata is not JSON; pack the data again", file.path, key);
  }
}

std::vector<std::string> strings_at(const TensorFile& file, const std::string& key) {
  const Json json = json_at(file, key);
  const bool all_strings =
      json.is_array() && std::all_of(json.begin(), json.end(), [](const Json& j) { return j.is_string(); });
  IL_CHECK(all_strings, "{}: '{}' in its metadata is not a list of strings; pack the data again", file.path, key);
  return json.get<std::vector<std::string>>();
}

std::string dump(const Json& json, const std::string& path) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    fail("{}: a file or class name is not valid UTF-8 and cannot be packed; rename it", path);
  }
}

/// The vector tensor `name` of one index an image, each within [0, limit).
template <class T>
std::vector<T> indices_at(const TensorFile& file, const char* name, std::int64_t count, std::size_t limit) {
  const Tensor& tensor = file.at(name);
  IL_CHECK(tensor.dtype() == DTypeOf<T>::value && tensor.shape() == Shape({count}),
           "{}: '{}' is {} {}, for {} images it must be {} [{}]", file.path, name, name_of(tensor.dtype()),
           tensor.shape().to_string(), count, name_of(DTypeOf<T>::value), count);
  const std::span<const T> values = tensor.data<T>();
  for (std::size_t i = 0; i < values.size(); ++i)
    IL_CHECK(values[i] >= 0 && static_cast<std::size_t>(values[i]) < limit,
             "{}: '{}' of image {} is {}, there are {} names; pack the data again", file.path, name, i, values[i],
             limit);
  return {values.begin(), values.end()};
}

/// Of all that the file says, but for the sum itself: names, shapes and bytes of tensors, keys and values of metadata.
std::string checksum_of(const TensorFile& file) {
  Crc32 crc;
  const auto add = [&](std::string_view text) { crc.add(fmt::format("{} ", text.size())).add(text); };
  for (const auto& [name, tensor] : file.tensors) {
    add(name);
    add(fmt::format("{} {}", name_of(tensor.dtype()), tensor.shape().to_string()));
    crc.add({static_cast<const std::byte*>(tensor.view().data), tensor.bytes()});
  }
  for (const auto& [key, value] : file.metadata) {
    if (key == kChecksum) continue;
    add(key);
    add(value);
  }
  return fmt::format("crc32 {:08x}", crc.value());
}

}  // namespace

void write_packed(const std::string& path, const ImageSet& set, const std::string& source) {
  TensorFile file;
  file.add("pixels", set.pixels);
  file.add("labels", Tensor::from({set.count()}, set.labels));
  file.add("groups", Tensor::from({set.count()}, set.groups));
  Json skipped = Json::array();
  for (const SkippedFile& s : set.skipped) skipped.push_back({s.file, s.reason});
  file.metadata = {{"format", kFormat},
                   {"version", kVersion},
                   {"name", set.name},
                   {"source", source},
                   {"classes", dump(set.classes, path)},
                   {"files", dump(set.files, path)},
                   {"group_names", dump(set.group_names, path)},
                   {"skipped", dump(skipped, path)},
                   {"invert", set.invert == Invert::kYes ? "yes" : "no"},
                   {"ungrouped", std::to_string(set.ungrouped)},
                   {"layout", std::string(name_of(set.layout))},
                   {"cautions", dump(set.cautions, path)}};
  file.metadata[kChecksum] = checksum_of(file);
  write_safetensors(path, file);
}

PackedSet read_packed(const std::string& path) {
  const TensorFile file = read_safetensors(path);
  const auto format = file.metadata.find("format");
  IL_CHECK(format != file.metadata.end() && format->second == kFormat,
           "{}: is not a packed data set (its format is '{}'); make one with 'innerloop data pack'", path,
           format == file.metadata.end() ? "" : format->second);
  IL_CHECK(metadata_at(file, "version") == kVersion, "{}: packed in version {}, this program reads {}; pack it again",
           path, metadata_at(file, "version"), kVersion);

  PackedSet packed;
  packed.source = metadata_at(file, "source");
  ImageSet& set = packed.set;
  set.name = metadata_at(file, "name");
  set.pixels = file.at("pixels");
  const Shape shape = set.pixels.shape();
  IL_CHECK(
      set.pixels.dtype() == DType::kU8 && shape.rank() == 4 && shape.numel() > 0 && (shape[3] == 1 || shape[3] == 3),
      "{}: 'pixels' is {} {}, u8 [M, H, W, 1 or 3] is needed", path, name_of(set.pixels.dtype()), shape.to_string());
  set.height = shape[1], set.width = shape[2], set.channels = shape[3];
  set.classes = strings_at(file, "classes");
  set.files = strings_at(file, "files");
  set.group_names = strings_at(file, "group_names");
  IL_CHECK(set.count() == shape[0], "{}: {} file names for {} images; pack the data again", path, set.count(),
           shape[0]);
  set.labels = indices_at<std::int32_t>(file, "labels", shape[0], set.classes.size());
  set.groups = indices_at<std::int64_t>(file, "groups", shape[0], set.group_names.size());
  const Json skipped = json_at(file, "skipped");
  IL_CHECK(skipped.is_array(), "{}: 'skipped' in its metadata is not a list; pack the data again", path);
  for (const Json& s : skipped) {
    IL_CHECK(s.is_array() && s.size() == 2 && s[0].is_string() && s[1].is_string(),
             "{}: 'skipped' in its metadata holds {}, not a file and a reason", path, s.dump());
    set.skipped.push_back({s[0], s[1]});
  }
  const std::string& invert = metadata_at(file, "invert");
  IL_CHECK(invert == "yes" || invert == "no", "{}: 'invert' is '{}', yes or no is needed", path, invert);
  set.invert = invert == "yes" ? Invert::kYes : Invert::kNo;
  const Json ungrouped = json_at(file, "ungrouped");
  IL_CHECK(ungrouped.is_number_unsigned() && ungrouped.get<std::uint64_t>() <= static_cast<std::uint64_t>(shape[0]),
           "{}: 'ungrouped' is {}, not a count of its {} images", path, ungrouped.dump(), shape[0]);
  set.ungrouped = ungrouped.get<std::int64_t>();
  // Sets packed before there were layouts have neither of these.
  if (file.metadata.contains("cautions")) set.cautions = strings_at(file, "cautions");
  if (file.metadata.contains("layout")) {
    const std::string& name = metadata_at(file, "layout");
    for (const Layout layout : {Layout::kBimcv, Layout::kKermany, Layout::kCcCxri, Layout::kMapped})
      if (name_of(layout) == name) set.layout = layout;
  }
  // Last, so that what cannot be is named as such. Sets packed before there were sums have none.
  if (file.metadata.contains(kChecksum))
    IL_CHECK(metadata_at(file, kChecksum) == checksum_of(file),
             "{}: damaged: its content does not match its checksum; pack the data again", path);
  return packed;
}

void check_replaceable_pack(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  try {
    static_cast<void>(read_packed(path));
  } catch (const Error& e) {
    fail("{}; it is not overwritten: delete it or name another file", e.what());
  }
}

}  // namespace innerloop::io
