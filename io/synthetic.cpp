#include "io/synthetic.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "io/synthetic_parts.h"
#include "io/threads.h"
#include "tensor/context.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

// Classes as a folder would sort them.
constexpr std::array<Finding, kFindingCount> kByName = {Finding::kBilateralPeripheral, Finding::kDiffuse,
                                                        Finding::kLobar, Finding::kNormal};

constexpr std::int64_t kMinSize = 16, kMaxSize = 1024;

void check_size(std::int64_t size) {
  if (size < kMinSize || size > kMaxSize)
    fail_usage("synthetic: a size of {} is asked for (data.size), {} to {} are possible", size, kMinSize, kMaxSize);
}

void check_options(const SyntheticOptions& o) {
  check_size(o.size);
  if (o.per_class < 1 || o.per_class > 1'000'000)
    fail_usage("synthetic: {} images a class are asked for, 1 to 1000000 are possible", o.per_class);
  if (o.channels != 1 && o.channels != 3) fail_usage("synthetic: {} channels, 1 or 3 are possible", o.channels);
}

/// Image `i` of a set with `per_class` images of each finding.
SyntheticAddress address_of(const SyntheticOptions& o, std::int64_t i) {
  return {o.seed, kByName[static_cast<std::size_t>(i / o.per_class)], static_cast<std::uint32_t>(i % o.per_class)};
}

std::string file_of(const SyntheticAddress& address) {
  return fmt::format("{0}/{0}_{1:04}.png", name_of(address.finding), address.number);
}

}  // namespace

std::string_view name_of(Finding finding) {
  switch (finding) {
    case Finding::kNormal:
      return "normal";
    case Finding::kLobar:
      return "lobar";
    case Finding::kDiffuse:
      return "diffuse";
    case Finding::kBilateralPeripheral:
      return "bilateral_peripheral";
  }
  return "?";
}

Image draw_synthetic(const SyntheticAddress& address, std::int64_t size) {
  check_size(size);
  PhiloxSequence random(address.seed, Stream::kSynthetic, static_cast<std::uint32_t>(address.finding), address.number);
  synthetic::Canvas canvas(size);
  synthetic::draw_anatomy(canvas, random);
  synthetic::draw_finding(canvas, address.finding, random);
  return {size, size, 1, synthetic::expose(canvas, random)};
}

ImageSet synthetic_images(const SyntheticOptions& options) {
  check_options(options);
  ImageSet set;
  set.name = "synthetic";
  set.height = set.width = options.size;
  set.channels = options.channels;
  for (const Finding finding : kByName) set.classes.emplace_back(name_of(finding));
  const std::int64_t count = kFindingCount * options.per_class;
  for (std::int64_t i = 0; i < count; ++i) {
    set.files.push_back(file_of(address_of(options, i)));
    set.labels.push_back(static_cast<std::int32_t>(i / options.per_class));
    set.groups.push_back(i);
  }
  set.group_names = set.files;
  set.pixels = Tensor::empty_on_host({count, options.size, options.size, options.channels}, DType::kU8);
  std::uint8_t* out = set.pixels.mutable_data<std::uint8_t>().data();
  const std::int64_t bytes = options.size * options.size * options.channels;
  threads_or_current(options.threads).parallel_for(count, [&](std::int64_t i) {
    const Image image = convert_channels(draw_synthetic(address_of(options, i), options.size), options.channels);
    std::copy(image.pixels.begin(), image.pixels.end(), out + i * bytes);
  });
  return set;
}

void write_synthetic(const std::string& folder, const SyntheticOptions& options) {
  check_options(options);
  IL_CHECK(!folder.empty(), "synthetic: the path of the folder is empty; name a new folder");
  const fs::path root(folder);
  std::error_code error;
  IL_CHECK(!fs::exists(root, error) || fs::is_directory(root, error), "{}: is a file; name a folder", folder);
  IL_CHECK(!fs::exists(root, error) || fs::is_empty(root, error),
           "{}: is not empty; name a new folder, so that no old image mixes with the new", folder);
  for (const Finding finding : kByName) {
    fs::create_directories(root / name_of(finding), error);
    IL_CHECK(!error, "{}: cannot be made: {}", (root / name_of(finding)).string(), error.message());
  }
  threads_or_current(options.threads).parallel_for(kFindingCount * options.per_class, [&](std::int64_t i) {
    const SyntheticAddress address = address_of(options, i);
    const std::vector<std::uint8_t> png =
        encode_png(convert_channels(draw_synthetic(address, options.size), options.channels));
    write_file((root / file_of(address)).string(), std::as_bytes(std::span(png)));
  });
}

}  // namespace innerloop::io
