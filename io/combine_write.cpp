// What combine.h draws, as a folder or as one packed file.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "io/atomic_file.h"
#include "io/combine.h"
#include "io/csv.h"
#include "io/groups.h"
#include "io/image.h"
#include "io/pack.h"
#include "io/threads.h"
#include "tensor/context.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

Image read(const CombinedSet& set, const CombinedImage& entry) {
  Image image = decode_image(entry.path, static_cast<int>(set.channels), entry.hints);
  return set.size > 0 ? resize_image(image, set.size, set.size) : image;
}

constexpr std::string_view kManifestHeader = "file,class,patient,source,original,hash\n";

constexpr std::string_view kMap =
    "# Written by 'innerloop data combine': how to read this folder.\n"
    "[table]\nfile = \"manifest.csv\"\nimage = \"file\"\n\n[class]\ncolumn = \"class\"\n\n[patient]\ncolumn = "
    "\"patient\"\n";

}  // namespace

std::string manifest_of(const CombinedSet& set) {
  std::string text(kManifestHeader);
  for (const CombinedImage& i : set.images)
    text += fmt::format("{},{},{},{},{},{}\n", csv_field(i.file), csv_field(i.class_name), csv_field(i.patient),
                        csv_field(i.source), csv_field(i.original), i.hash);
  return text;
}

std::string manifest_beside(const std::string& pack) { return pack + ".csv"; }

void check_combined_folder(const std::string& folder) {
  std::error_code error;
  IL_CHECK(!folder.empty(), "combine: the path of the set is empty; name a new folder or a file");
  IL_CHECK(!fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error)),
           "{}: has something in it; name a new or empty folder", folder);
}

void check_combined_pack(const std::string& file) {
  std::error_code error;
  IL_CHECK(!file.empty(), "combine: the path of the set is empty; name a new folder or a file");
  // Replacing a file that is neither a packed set nor its manifest would lose what nobody named, such as a table of patients.
  check_replaceable_pack(file);
  const std::string manifest = manifest_beside(file);
  IL_CHECK(!fs::exists(manifest, error) || read_file(manifest).starts_with(kManifestHeader),
           "{}: is there and no manifest of a combined set; it is not overwritten: delete it or name another file than {}", manifest,
           file);
}

void write_combined_folder(const CombinedSet& set, const std::string& folder, ThreadPool* threads) {
  check_combined_folder(folder);
  std::error_code error;
  for (const CombinedImage& image : set.images) {
    fs::create_directories((fs::path(folder) / image.file).parent_path(), error);
    IL_CHECK(!error, "{}: cannot be made: {}", (fs::path(folder) / image.file).parent_path().string(), error.message());
  }
  // The map first and the table that it asks for last: a folder that was left half written is refused, and not taken for
  // a smaller set of unknown patients.
  write_file((fs::path(folder) / "data.toml").string(), kMap);
  threads_or_current(threads).parallel_for(static_cast<std::int64_t>(set.images.size()), [&](std::int64_t i) {
    const CombinedImage& image = set.images[static_cast<std::size_t>(i)];
    const std::vector<std::uint8_t> png = encode_png(read(set, image));
    write_file((fs::path(folder) / image.file).string(), std::as_bytes(std::span(png)));
  });
  write_file((fs::path(folder) / "manifest.csv").string(), manifest_of(set));
}

void write_combined_pack(const CombinedSet& set, const std::string& file, ThreadPool* threads) {
  if (set.size == 0)
    fail_usage("{}: a packed set has images of one size; give the recipe a size, or name a folder", file);
  check_combined_pack(file);
  ImageSet out;
  out.name = set.name;
  out.layout = Layout::kMapped;
  out.height = out.width = set.size;
  out.channels = set.channels;
  const std::int64_t count = static_cast<std::int64_t>(set.images.size()), bytes = set.size * set.size * set.channels;
  out.pixels = Tensor::empty_on_host({count, set.size, set.size, set.channels}, DType::kU8);
  std::uint8_t* pixels = out.pixels.mutable_data<std::uint8_t>().data();
  threads_or_current(threads).parallel_for(count, [&](std::int64_t i) {
    const Image image = read(set, set.images[static_cast<std::size_t>(i)]);
    std::ranges::copy(image.pixels, pixels + i * bytes);
  });
  std::vector<std::string> patients;
  for (const CombinedImage& image : set.images) {
    if (out.classes.empty() || out.classes.back() != image.class_name) out.classes.push_back(image.class_name);
    out.labels.push_back(static_cast<std::int32_t>(out.classes.size() - 1));
    out.files.push_back(image.file);
    patients.push_back(image.patient);
  }
  set_patients(out, patients);
  for (const SkippedFile& f : set.passed_over) out.skipped.push_back(f);
  write_packed(file, out);
  write_file(manifest_beside(file), manifest_of(set));
}

}  // namespace innerloop::io
