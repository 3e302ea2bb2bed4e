#include "io/inspect.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <unordered_map>

#include "io/pack.h"
#include "io/sha256.h"
#include "tensor/context.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

/// One image's part of the summary: its size and the hash of its pixels, or why there are none.
struct Reading {
  ImageSize size;
  int bits = 8;
  std::string hash;
  std::optional<std::string> reason;
};

/// Groups `files` by hash, in order of first appearance.
void find_duplicates(const ImageSet& set, const std::vector<std::string>& hashes, DataSummary& summary) {
  std::unordered_map<std::string, std::vector<std::size_t>> same;
  for (std::size_t i = 0; i < hashes.size(); ++i) same[hashes[i]].push_back(i);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::vector<std::size_t>& members = same[hashes[i]];
    if (members.size() < 2 || members.front() != i) continue;
    std::vector<std::string> files;
    std::set<std::int32_t> labels;
    for (const std::size_t m : members) {
      files.push_back(set.files[m]);
      labels.insert(set.labels[m]);
    }
    if (labels.size() > 1) summary.duplicates_across_classes.push_back(files);
    summary.duplicates.push_back(std::move(files));
  }
}

/// The readable files as a set without pixels, and what decoding told of each.
ImageSet inspect_folder(const std::string& path, Layout layout, ThreadPool& pool, std::vector<Reading>& readings,
                        DataSummary& summary) {
  const DataListing listing = list_data(path, layout);
  summary.layout = listing.layout;
  summary.excluded = listing.excluded;
  summary.views_unknown = listing.unknown_views;
  for (const std::string& folder : listing.without_images)
    summary.unreadable.push_back({folder, "a class folder without images"});
  std::vector<Reading> all(listing.images.size());
  pool.parallel_for(static_cast<std::int64_t>(all.size()), [&](std::int64_t i) {
    Reading& reading = all[static_cast<std::size_t>(i)];
    try {
      const ListedImage& listed = listing.images[static_cast<std::size_t>(i)];
      const Image image = decode_image((fs::path(path) / listed.file).string(), 3, listed.hints);
      reading.size = {image.height, image.width};
      reading.bits = image.stored_bits;
      reading.hash = pixel_hash(image);
    } catch (const Error& e) {
      reading.reason = e.what();
    }
  });
  ImageSet set;
  std::vector<std::string> patients;
  set.name = listing.name;
  set.classes = listing.classes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].reason) {
      summary.unreadable.push_back({listing.images[i].file, *all[i].reason});
      continue;
    }
    set.files.push_back(listing.images[i].file);
    set.labels.push_back(listing.images[i].label);
    patients.push_back(listing.images[i].patient);
    readings.push_back(std::move(all[i]));
  }
  set_patients(set, patients);
  IL_CHECK(!listing.images.empty() || !listing.excluded.empty(), "{}: holds no images", path);
  return set;
}

ImageSet inspect_loaded(const std::string& path, const InspectOptions& options, ThreadPool& pool,
                        std::vector<Reading>& readings, DataSummary& summary) {
  std::error_code error;
  const bool is_file = path != "synthetic" && fs::is_regular_file(path, error);
  ImageSet set = is_file ? read_packed(path).set : load_images(path, {.seed = options.seed, .threads = &pool});
  summary.layout = set.layout;
  for (const SkippedFile& f : set.skipped) summary.excluded.push_back({f.file, f.reason, ExclusionKind::kRule});
  const std::int64_t bytes = set.height * set.width * set.channels;
  readings.resize(set.files.size());
  pool.parallel_for(set.count(), [&](std::int64_t i) {
    const std::uint8_t* from = set.pixels.data<std::uint8_t>().data() + i * bytes;
    const Image image{set.height, set.width, set.channels, {from, from + bytes}};
    readings[static_cast<std::size_t>(i)] = {
        {set.height, set.width}, 8, pixel_hash(convert_channels(image, 3)), std::nullopt};
  });
  return set;
}

}  // namespace

std::string pixel_hash(const Image& rgb) {
  Sha256 hash;
  hash.add_number(rgb.height).add_number(rgb.width);
  hash.add(std::as_bytes(std::span(rgb.pixels)));
  return hash.hex();
}

DataSummary inspect_data(const std::string& path, const InspectOptions& options) {
  ThreadPool& pool = options.threads != nullptr ? *options.threads : Context::current().threads();
  DataSummary summary;
  std::vector<Reading> readings;
  std::error_code error;
  const bool from_folder = path != "synthetic" && fs::is_directory(path, error);
  ImageSet set = from_folder ? inspect_folder(path, options.layout, pool, readings, summary)
                             : inspect_loaded(path, options, pool, readings, summary);

  if (!options.groups_csv.empty() && set.count() > 0) apply_groups(set, options.groups_csv);
  summary.images = set.count();
  const auto members = set.by_class();
  for (std::size_t c = 0; c < members.size(); ++c)
    summary.classes.push_back({set.classes[c], static_cast<std::int64_t>(members[c].size())});
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    ++summary.sizes[readings[i].size];
    hashes.push_back(readings[i].hash);
    if (readings[i].bits > 8) summary.deep.push_back(set.files[i]);
  }
  find_duplicates(set, hashes, summary);
  summary.groups = static_cast<std::int64_t>(std::set(set.groups.begin(), set.groups.end()).size());
  summary.ungrouped = set.ungrouped;
  summary.in_several_classes = patients_in_several_classes(set);
  summary.views_dropped = std::ranges::count(summary.excluded, ExclusionKind::kView, &Exclusion::kind);
  return summary;
}

}  // namespace innerloop::io
