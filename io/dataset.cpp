#include "io/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>

#include "io/atomic_file.h"
#include "io/data_listing.h"
#include "io/groups.h"
#include "io/image.h"
#include "io/image_folder.h"
#include "io/pack.h"
#include "io/sha256.h"
#include "io/synthetic.h"
#include "io/threads.h"
#include "tensor/context.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

void check_options(const LoadOptions& o) {
  if (o.size < 0 || o.size > 4096) fail_usage("data.size: {} is not a side of 1 to 4096 pixels (or 0)", o.size);
  if (o.channels != 1 && o.channels != 3) fail_usage("data.channels: {} is neither 1 (grey) nor 3 (RGB)", o.channels);
}

/// Counts finished images for LoadOptions::progress.
class Progress {
 public:
  Progress(const LoadOptions& options, std::int64_t total) : report_(options.progress), total_(total) {}
  void step() {
    if (!report_) return;
    std::lock_guard lock(mutex_);
    report_(++done_, total_);
  }

 private:
  const std::function<void(std::int64_t, std::int64_t)>& report_;
  std::int64_t total_, done_ = 0;
  std::mutex mutex_;
};

std::span<std::uint8_t> pixels_of(ImageSet& set, std::int64_t i) {
  const std::int64_t n = set.height * set.width * set.channels;
  return set.pixels.mutable_data<std::uint8_t>().subspan(static_cast<std::size_t>(i * n), static_cast<std::size_t>(n));
}

/// Fits a decoded image to the set's size, or says why it cannot be.
void place(Image image, const std::string& path, const LoadOptions& options, ImageSet& set, std::int64_t at) {
  if (options.size > 0) image = resize_image(image, options.size, options.size);
  IL_CHECK(image.height == set.height && image.width == set.width,
           "{}: {}x{} pixels, the first image has {}x{}; set data.size to bring all to one size", path, image.width,
           image.height, set.width, set.height);
  if (options.invert == Invert::kYes) invert_image(image);
  std::copy(image.pixels.begin(), image.pixels.end(), pixels_of(set, at).begin());
}

/// The size of the first image that decodes; under BadFiles::kStop that is the first image.
ImageSize first_size(const fs::path& root, const std::vector<ListedImage>& images, const LoadOptions& options) {
  for (const ListedImage& entry : images) {
    try {
      const Image image = decode_image((root / entry.file).string(), static_cast<int>(options.channels), entry.hints);
      return {image.height, image.width};
    } catch (const Error&) {
      if (options.bad_files == BadFiles::kStop) throw;
    }
  }
  fail("{}: not one of its {} images can be read; try 'innerloop data inspect'", root.string(), images.size());
}

/// What loading told of each image.
struct Loaded {
  std::vector<std::optional<std::string>> reasons;  ///< set: it cannot be read
  std::vector<std::uint8_t> deep;                   ///< 1: its file has 16 bits a sample
  std::vector<std::string> patients;
};

/// Drops the images whose reason is set: the others move up, in place.
void drop_bad(ImageSet& set, Loaded& loaded) {
  std::int64_t kept = 0;
  ImageSet good;
  Loaded told;
  for (std::int64_t i = 0; i < set.count(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i);
    if (loaded.reasons[at].has_value()) {
      set.skipped.push_back({set.files[at], *loaded.reasons[at]});
      continue;
    }
    if (kept != i) std::copy_n(pixels_of(set, i).begin(), pixels_of(set, i).size(), pixels_of(set, kept).begin());
    good.files.push_back(std::move(set.files[at]));
    good.labels.push_back(set.labels[at]);
    told.deep.push_back(loaded.deep[at]);
    told.patients.push_back(std::move(loaded.patients[at]));
    ++kept;
  }
  set.files = std::move(good.files);
  set.labels = std::move(good.labels);
  set.pixels = set.pixels.slice(0, kept);
  loaded = std::move(told);
}

/// The sentences that a reader of results should know.
void add_cautions(ImageSet& set, const std::vector<std::uint8_t>& deep) {
  const auto count = static_cast<std::int64_t>(std::ranges::count(deep, 1));
  if (count > 0 && count < set.count()) {
    const auto first = static_cast<std::size_t>(std::ranges::find(deep, 1) - deep.begin());
    set.cautions.push_back(
        fmt::format("{} of {} images have 16 bits a sample ({}, for one) among files of 8; they were "
                    "windowed to 8.",
                    count, set.count(), set.files[first]));
  }
}

/// After all that sets groups.
void add_group_cautions(ImageSet& set) {
  const std::vector<SplitPatient> split = patients_in_several_classes(set);
  if (split.empty()) return;
  set.cautions.push_back(
      fmt::format("{} of {} patients have images in several classes ({} in {}, for one); each stays on "
                  "one side of a split.",
                  split.size(), set.group_names.size(), split.front().name, fmt::join(split.front().classes, " and ")));
}

ImageSet load_folder(const std::string& path, const DataListing& listing, const LoadOptions& options) {
  const std::int64_t count = static_cast<std::int64_t>(listing.images.size());
  ImageSet set;
  set.name = listing.name;
  set.layout = listing.layout;
  set.classes = listing.classes;
  set.channels = options.channels;
  set.invert = options.invert;
  for (const std::string& folder : listing.without_images)
    set.skipped.push_back({folder, "a class folder without images"});
  for (const Exclusion& e : listing.excluded) set.skipped.push_back({e.file, e.reason});
  Loaded loaded;
  for (const ListedImage& image : listing.images) {
    set.files.push_back(image.file);
    set.labels.push_back(image.label);
    loaded.patients.push_back(image.patient);
  }
  const fs::path root(path);
  const ImageSize size =
      options.size > 0 ? ImageSize{options.size, options.size} : first_size(root, listing.images, options);
  set.height = size.height, set.width = size.width;
  set.pixels = Tensor::empty_on_host({count, set.height, set.width, set.channels}, DType::kU8);

  loaded.reasons.resize(static_cast<std::size_t>(count));
  loaded.deep.resize(static_cast<std::size_t>(count));
  Progress progress(options, count);
  threads_or_current(options.threads).parallel_for(count, [&](std::int64_t i) {
    const std::size_t at = static_cast<std::size_t>(i);
    const std::string file = (root / set.files[at]).string();
    try {
      Image image = decode_image(file, static_cast<int>(options.channels), listing.images[at].hints);
      loaded.deep[at] = image.stored_bits > 8 ? 1 : 0;
      place(std::move(image), file, options, set, i);
    } catch (const Error& e) {
      if (options.bad_files == BadFiles::kStop) throw;
      loaded.reasons[at] = e.what();
    }
    progress.step();
  });
  drop_bad(set, loaded);
  IL_CHECK(set.count() > 0, "{}: not one of its {} images can be read; try 'innerloop data inspect'", path, count);
  set_patients(set, loaded.patients);
  add_cautions(set, loaded.deep);
  return set;
}

/// Brings a set made otherwise (packed) to what the options ask for.
ImageSet adapt(ImageSet set, const LoadOptions& options) {
  const std::int64_t height = options.size > 0 ? options.size : set.height;
  const std::int64_t width = options.size > 0 ? options.size : set.width;
  const bool same = height == set.height && width == set.width && options.channels == set.channels;
  if (same && options.invert == set.invert) return set;
  ImageSet out = set;
  out.height = height, out.width = width, out.channels = options.channels, out.invert = options.invert;
  out.pixels = Tensor::empty_on_host({set.count(), height, width, options.channels}, DType::kU8);
  threads_or_current(options.threads).parallel_for(set.count(), [&](std::int64_t i) {
    const std::span<const std::uint8_t> from = pixels_of(set, i);
    Image image{set.height, set.width, set.channels, {from.begin(), from.end()}};
    image = resize_image(convert_channels(image, options.channels), height, width);
    if (options.invert != set.invert) invert_image(image);
    std::copy(image.pixels.begin(), image.pixels.end(), pixels_of(out, i).begin());
  });
  return out;
}

/// Names files (with size and time of change) and options: what a cache must have been made from to be used.
std::string fingerprint(const std::string& path, const DataListing& listing, const LoadOptions& options) {
  Sha256 hash;
  hash.add_text("source 2").add_number(options.size).add_number(options.channels);
  hash.add_number(static_cast<int>(options.invert)).add_number(static_cast<int>(options.bad_files));
  hash.add_text(options.groups_csv.empty() ? "" : read_file(options.groups_csv));
  hash.add_text(listing.name).add_number(static_cast<int>(listing.layout));
  for (const std::string& name : listing.classes) hash.add_text(name);
  for (const std::string& name : listing.without_images) hash.add_text(name);
  for (const Exclusion& e : listing.excluded) hash.add_text(e.file).add_text(e.reason);
  for (const ListedImage& image : listing.images) {
    std::error_code error;
    const fs::path file = fs::path(path) / image.file;
    hash.add_text(image.file).add_number(image.label).add_text(image.patient);
    const DicomWindow window = image.hints.window.value_or(DicomWindow{0, 0});
    hash.add_text(fmt::format("{} {} {}", window.center, window.width, static_cast<int>(image.hints.photometric)));
    hash.add_number(static_cast<std::int64_t>(fs::file_size(file, error)));
    hash.add_number(static_cast<std::int64_t>(fs::last_write_time(file, error).time_since_epoch().count()));
  }
  return hash.hex();
}

/// The cached set when there is one of this source; nothing when it is to be made. A file that is no whole cache is an
/// error: caches are written atomically, so this one is something else, perhaps somebody's checkpoint or packed set.
std::optional<ImageSet> read_cache(const std::string& cache, const std::string& source) {
  std::error_code error;
  if (!fs::exists(cache, error)) return std::nullopt;
  std::optional<PackedSet> packed;
  try {
    packed = read_packed(cache);
  } catch (const Error& e) {
    fail("data.cache: {}; it is not overwritten: delete it or name another place", e.what());
  }
  IL_CHECK(!packed->source.empty(),
           "data.cache: {}: is a packed data set and no cache; it is not overwritten: name another place", cache);
  if (packed->source == source) return std::move(packed->set);
  return std::nullopt;
}

ImageSet read_packed_set(const std::string& path) {
  try {
    return read_packed(path).set;
  } catch (const Error& e) {
    fail("{}; a data set is a folder of images, or a file that 'innerloop data pack' wrote", e.what());
  }
}

}  // namespace

std::vector<std::vector<std::int64_t>> ImageSet::by_class() const {
  std::vector<std::vector<std::int64_t>> members(classes.size());
  for (std::size_t i = 0; i < labels.size(); ++i)
    members[static_cast<std::size_t>(labels[i])].push_back(static_cast<std::int64_t>(i));
  return members;
}

std::string ImageSet::hash() const {
  Sha256 hash;
  hash.add_number(count()).add_number(height).add_number(width).add_number(channels);
  hash.add(std::as_bytes(pixels.data<std::uint8_t>()));
  for (const std::int32_t label : labels) hash.add_number(label);
  for (const std::string& class_name : classes) hash.add_text(class_name);
  // Groups by first appearance: their numbers and names may differ where the partition does not.
  std::vector<std::int64_t> number(group_names.size(), -1);
  std::int64_t next = 0;
  for (const std::int64_t group : groups) {
    std::int64_t& mine = number[static_cast<std::size_t>(group)];
    if (mine < 0) mine = next++;
    hash.add_number(mine);
  }
  return hash.hex();
}

ImageSet load_images(const std::string& path, const LoadOptions& options) {
  check_options(options);
  if (path == "synthetic") {
    const std::int64_t size = options.size > 0 ? options.size : kSyntheticSize;
    ImageSet set = synthetic_images(
        {.size = size, .channels = options.channels, .seed = options.seed, .threads = options.threads});
    if (!options.groups_csv.empty()) apply_groups(set, options.groups_csv);
    return adapt(std::move(set), options);
  }
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail_missing(path);
  if (!fs::is_directory(status)) {
    IL_CHECK(!has_image_extension(path), "{}: is one image; a data set is a folder of them", path);
    ImageSet set = adapt(read_packed_set(path), options);
    if (!options.groups_csv.empty()) apply_groups(set, options.groups_csv);
    return set;
  }

  const DataListing listing = list_data(path, options.layout);
  IL_CHECK(!listing.images.empty() || listing.excluded.empty(),
           "{}: none of its {} files is an image of the set; {}: {}; try 'innerloop data inspect'", path,
           listing.excluded.size(), listing.excluded.front().file, listing.excluded.front().reason);
  IL_CHECK(!listing.images.empty(),
           "{}: holds no images (.png .jpg .bmp .tga .pgm .ppm); one subfolder a class is needed", path);
  if (options.bad_files == BadFiles::kStop && !listing.without_images.empty())
    fail("{}: the class folder '{}' has no images; fill or remove it", path, listing.without_images.front());

  std::string source;
  if (!options.cache.empty()) {
    source = fingerprint(path, listing, options);
    if (std::optional<ImageSet> cached = read_cache(options.cache, source)) return *std::move(cached);
  }
  ImageSet set = load_folder(path, listing, options);
  if (!options.groups_csv.empty()) apply_groups(set, options.groups_csv);
  add_group_cautions(set);
  if (!options.cache.empty()) write_packed(options.cache, set, source);
  return set;
}

ImageSet subset(const ImageSet& set, std::span<const std::int64_t> indices) {
  ImageSet out = set;
  out.pixels = Tensor::empty_on_host(set.pixels.shape().with(0, static_cast<std::int64_t>(indices.size())), DType::kU8);
  out.files.clear(), out.labels.clear(), out.groups.clear();
  const std::size_t bytes = static_cast<std::size_t>(set.height * set.width * set.channels);
  const std::uint8_t* from = set.pixels.data<std::uint8_t>().data();
  std::uint8_t* to = out.pixels.mutable_data<std::uint8_t>().data();
  for (const std::int64_t index : indices) {
    IL_CHECK(index >= 0 && index < set.count(), "subset: index {} of a set of {} images", index, set.count());
    const std::size_t at = static_cast<std::size_t>(index);
    to = std::copy_n(from + at * bytes, bytes, to);
    out.files.push_back(set.files[at]);
    out.labels.push_back(set.labels[at]);
    out.groups.push_back(set.groups[at]);
  }
  return out;
}

}  // namespace innerloop::io
