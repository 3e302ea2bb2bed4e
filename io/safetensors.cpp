#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "io/atomic_file.h"

namespace innerloop::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data are little-endian and are copied as they are");

using Json = nlohmann::json;
using Bytes = std::uint64_t;

constexpr Bytes kLengthBytes = 8;
constexpr Bytes kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::string_view kMetadata = "__metadata__";

constexpr std::pair<std::string_view, DType> kDtypes[] = {
    {"F32", DType::kF32}, {"F64", DType::kF64}, {"I32", DType::kI32}, {"I64", DType::kI64}, {"U8", DType::kU8}};

std::optional<DType> dtype_of(std::string_view name) {
  for (const auto& [known, dtype] : kDtypes)
    if (known == name) return dtype;
  return std::nullopt;
}

std::string_view format_name(DType dtype) {
  for (const auto& [name, known] : kDtypes)
    if (known == dtype) return name;
  return "?";
}

/// What the header says of one tensor, checked against itself but not yet against its neighbours.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  Bytes begin, end;
};

bool is_size(const Json& value) {
  return value.is_number_unsigned() &&
         value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

Shape parse_shape(const std::string& path, const std::string& name, const Json& json) {
  IL_CHECK(json.is_array(), "{}: tensor '{}': its shape is not an array", path, name);
  IL_CHECK(json.size() <= static_cast<std::size_t>(Shape::kMaxRank),
           "{}: tensor '{}': rank {}, at most {} is supported", path, name, json.size(), Shape::kMaxRank);
  Shape shape;
  for (const Json& extent : json) {
    IL_CHECK(is_size(extent), "{}: tensor '{}': {} in its shape is not a size", path, name, extent.dump());
    shape = shape.append(extent.get<std::int64_t>());
  }
  return shape;
}

/// The bytes of a tensor, or nothing when their number does not fit 63 bits.
std::optional<Bytes> bytes_of(const Shape& shape, DType dtype) {
  Bytes n = size_of(dtype);
  for (int i = 0; i < shape.rank(); ++i) {
    const Bytes extent = static_cast<Bytes>(shape[i]);
    if (extent == 0) return 0;  // whatever the other extents claim, there is nothing to read
  }
  for (int i = 0; i < shape.rank(); ++i) {
    const Bytes extent = static_cast<Bytes>(shape[i]);
    if (n > static_cast<Bytes>(std::numeric_limits<std::int64_t>::max()) / extent) return std::nullopt;
    n *= extent;
  }
  return n;
}

Entry parse_entry(const std::string& path, const std::string& name, const Json& json, Bytes data_bytes) {
  IL_CHECK(json.is_object(), "{}: tensor '{}': its entry is not an object", path, name);
  for (const char* key : {"dtype", "shape", "data_offsets"})
    IL_CHECK(json.contains(key), "{}: tensor '{}': '{}' is missing", path, name, key);
  IL_CHECK(json["dtype"].is_string(), "{}: tensor '{}': its dtype is not a string", path, name);
  const std::string dtype_name = json["dtype"];
  const std::optional<DType> dtype = dtype_of(dtype_name);
  IL_CHECK(dtype.has_value(), "{}: tensor '{}': dtype '{}' is not one of F32, F64, I32, I64, U8; convert it", path,
           name, dtype_name);
  const Shape shape = parse_shape(path, name, json["shape"]);

  const Json& offsets = json["data_offsets"];
  IL_CHECK(offsets.is_array() && offsets.size() == 2 && is_size(offsets[0]) && is_size(offsets[1]),
           "{}: tensor '{}': data_offsets {} are not two sizes", path, name, offsets.dump());
  const Bytes begin = offsets[0].get<Bytes>(), end = offsets[1].get<Bytes>();
  IL_CHECK(begin <= end, "{}: tensor '{}': data_offsets [{}, {}] run backwards", path, name, begin, end);
  IL_CHECK(end <= data_bytes,
           "{}: tensor '{}': data_offsets [{}, {}] end beyond the {} bytes of data; the file is cut "
           "short or its header wrong",
           path, name, begin, end, data_bytes);
  const std::optional<Bytes> needed = bytes_of(shape, *dtype);
  IL_CHECK(needed.has_value(), "{}: tensor '{}': the shape {} is too large for any file", path, name,
           shape.to_string());
  IL_CHECK(*needed == end - begin, "{}: tensor '{}': {} {} needs {} bytes, data_offsets [{}, {}] hold {}", path, name,
           dtype_name, shape.to_string(), *needed, begin, end, end - begin);
  return {name, *dtype, shape, begin, end};
}

/// The header as JSON. The parser's own habit of keeping the last of two equal keys would hide a tensor, so a name that
/// comes twice is caught on the way.
Json parse_header(const std::string& path, const std::string& text) {
  std::set<std::string> names;
  std::string twice;
  bool deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    if (depth > 3) deep = true;
    return depth <= 3;  // the format is three levels deep; what nests further is dropped before it costs memory
  };
  Json header;
  try {
    header = Json::parse(text, watch);
  } catch (const Json::exception& e) {
    fail("{}: the header is not JSON, so this is no safetensors file ({})", path, e.what());
  }
  IL_CHECK(!deep, "{}: the header nests too deep for a safetensors file", path);
  IL_CHECK(header.is_object(), "{}: the header is not a JSON object, so this is no safetensors file", path);
  IL_CHECK(twice.empty(), "{}: the name '{}' stands twice in the header", path, twice);
  return header;
}

/// Header entries in the order of their data, which must fill [0, data_bytes) without gap or overlap.
std::vector<Entry> parse_entries(const std::string& path, const Json& header, Bytes data_bytes) {
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items())
    if (name != kMetadata) entries.push_back(parse_entry(path, name, json, data_bytes));
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  Bytes expected = 0;
  const std::string* previous = nullptr;
  for (const Entry& e : entries) {
    IL_CHECK(e.begin >= expected, "{}: tensors '{}' and '{}' overlap in the data", path, previous ? *previous : "",
             e.name);
    IL_CHECK(e.begin == expected, "{}: {} bytes before tensor '{}' belong to no tensor", path, e.begin - expected,
             e.name);
    expected = e.end;
    previous = &e.name;
  }
  IL_CHECK(expected == data_bytes, "{}: {} bytes after the last tensor belong to no tensor", path,
           data_bytes - expected);
  return entries;
}

std::span<std::byte> mutable_bytes(Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_view().data), tensor.bytes()};
}

void check_writable(const std::string& path, const TensorFile& file) {
  std::set<std::string_view> names;
  for (const auto& [name, tensor] : file.tensors) {
    IL_CHECK(tensor.defined(), "{}: tensor '{}' is undefined and cannot be written", path, name);
    IL_CHECK(name != kMetadata, "{}: a tensor cannot be named '{}'", path, name);
    IL_CHECK(names.insert(name).second, "{}: two tensors are named '{}'", path, name);
  }
}

}  // namespace

const Tensor* TensorFile::find(std::string_view name) const {
  for (const auto& [known, tensor] : tensors)
    if (known == name) return &tensor;
  return nullptr;
}

const Tensor& TensorFile::at(std::string_view name) const {
  if (const Tensor* tensor = find(name)) return *tensor;
  std::string known;
  for (std::size_t i = 0; i < tensors.size() && i < 20; ++i) known.append(i ? ", " : "").append(tensors[i].first);
  if (tensors.size() > 20) known += ", ..";
  fail("{}: there is no tensor '{}'; it has: {}", path.empty() ? "safetensors" : path, name,
       known.empty() ? "none" : known);
}

TensorFile read_safetensors(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  IL_CHECK(std::filesystem::exists(status), "{}: no such file", path);
  IL_CHECK(std::filesystem::is_regular_file(status), "{}: is not a file", path);
  std::ifstream in(path, std::ios::binary);
  IL_CHECK(in.is_open(), "{}: cannot be opened; is there permission to read it?", path);
  const Bytes size = std::filesystem::file_size(path, error);
  IL_CHECK(!error, "{}: cannot be read: {}", path, error.message());

  IL_CHECK(size >= kLengthBytes, "{}: {} bytes are too few for a safetensors file", path, size);
  Bytes header_bytes = 0;
  in.read(reinterpret_cast<char*>(&header_bytes), kLengthBytes);
  IL_CHECK(in && header_bytes <= size - kLengthBytes,
           "{}: claims a header of {} bytes and has {}; it is cut short or no safetensors file", path, header_bytes,
           size - kLengthBytes);
  IL_CHECK(header_bytes <= kMaxHeader, "{}: a header of {} bytes is more than the format allows ({})", path,
           header_bytes, kMaxHeader);
  std::string text(header_bytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(header_bytes));
  IL_CHECK(static_cast<bool>(in), "{}: cannot be read to the end of its header", path);

  const Json header = parse_header(path, text);
  TensorFile file;
  file.path = path;
  if (const auto metadata = header.find(kMetadata); metadata != header.end()) {
    IL_CHECK(metadata->is_object(), "{}: {} is not an object", path, kMetadata);
    for (const auto& [key, value] : metadata->items()) {
      IL_CHECK(value.is_string(), "{}: {}: the value of '{}' is not a string", path, kMetadata, key);
      file.metadata.emplace(key, value.get<std::string>());
    }
  }
  for (const Entry& entry : parse_entries(path, header, size - kLengthBytes - header_bytes)) {
    Tensor tensor = Tensor::empty_on_host(entry.shape, entry.dtype);
    const std::span<std::byte> bytes = mutable_bytes(tensor);
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    IL_CHECK(bytes.empty() || in, "{}: tensor '{}' cannot be read to its end", path, entry.name);
    file.add(entry.name, std::move(tensor));
  }
  return file;
}

void write_safetensors(const std::string& path, const TensorFile& file) {
  check_writable(path, file);
  // Written piece by piece, so that tensors stand in the order of their data; the strings are escaped by the library.
  std::string header = "{";
  const auto quoted = [&](const std::string& text) {
    try {
      return Json(text).dump();
    } catch (const Json::exception&) {
      fail("{}: a name or metadata value is not valid UTF-8 and cannot be written", path);
    }
  };
  if (!file.metadata.empty()) {
    header += fmt::format("\"{}\":{{", kMetadata);
    for (bool first = true; const auto& [key, value] : file.metadata) {
      header.append(std::exchange(first, false) ? "" : ",").append(quoted(key)).append(":").append(quoted(value));
    }
    header += "}";
  }
  Bytes offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (header.size() > 1) header += ",";
    std::string shape;
    for (int i = 0; i < tensor.shape().rank(); ++i) shape += fmt::format("{}{}", i ? "," : "", tensor.shape()[i]);
    header += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(name),
                          format_name(tensor.dtype()), shape, offset, offset + tensor.bytes());
    offset += tensor.bytes();
  }
  header += "}";
  header.append((kLengthBytes - header.size() % kLengthBytes) % kLengthBytes, ' ');
  IL_CHECK(header.size() <= kMaxHeader, "{}: its header would take {} bytes, more than the format allows ({})", path,
           header.size(), kMaxHeader);

  AtomicFile out(path);
  const Bytes header_bytes = header.size();
  out.write(std::as_bytes(std::span(&header_bytes, 1)));
  out.write(header);
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor on_host = tensor.to_host();
    out.write({static_cast<const std::byte*>(on_host.view().data), on_host.bytes()});
  }
  out.commit();
}

}  // namespace innerloop::io
