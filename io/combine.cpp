#include "io/combine.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>
#include <tuple>
#include <unordered_map>

#include "io/inspect.h"
#include "io/threads.h"
#include "tensor/context.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

using ClassImages = std::map<std::string, std::vector<const ListedImage*>>;

/// The source's images by their new class names, without those that the recipe excludes.
ClassImages by_class(const SourceRecipe& source, const DataListing& listing) {
  std::vector<std::regex> exclude;
  for (const std::string& text : source.exclude) exclude.emplace_back(text);
  ClassImages out;
  for (const ListedImage& image : listing.images) {
    if (std::ranges::any_of(exclude, [&](const std::regex& r) { return std::regex_search(image.file, r); })) continue;
    std::string name = listing.classes[static_cast<std::size_t>(image.label)];
    const auto renamed = std::ranges::find(source.rename, name, &std::pair<std::string, std::string>::first);
    if (renamed != source.rename.end()) name = renamed->second;
    out[name].push_back(&image);
  }
  return out;
}

void shuffle(std::vector<const ListedImage*>& images, std::uint64_t seed, std::uint32_t source,
             std::uint32_t class_number) {
  PhiloxSequence random(seed, Stream::kHoldout, kCombineStep + source, class_number);
  for (std::size_t i = images.size(); i > 1; --i)
    std::swap(images[i - 1], images[random.below(static_cast<std::uint32_t>(i))]);
}

/// Draws from one source; keeps what its pixels have been seen as.
class SourceDraw {
 public:
  SourceDraw(const Recipe& recipe, std::size_t number, ThreadPool& pool, CombinedSet& out)
      : recipe_(recipe),
        source_(recipe.sources[number]),
        number_(number),
        pool_(pool),
        out_(out),
        listing_(list_data(source_.path, source_.layout)) {}

  void run() {
    ClassImages classes = by_class(source_, listing_);
    std::uint32_t class_number = 0;  // by the classes of the source, so that `take` moves no draw
    std::map<std::string, std::uint32_t> numbers;
    std::string known;
    for (const auto& [name, images] : classes) {
      numbers[name] = class_number++;
      known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", name, images.size());
    }
    for (const auto& [name, count] : source_.take) {
      IL_CHECK(classes.contains(name), "{}: source '{}' has no class '{}'; it has {}", source_.path, source_.name, name,
               known.empty() ? "none" : known);
      std::vector<const ListedImage*>& images = classes[name];
      shuffle(images, recipe_.seed, static_cast<std::uint32_t>(number_), numbers[name]);
      take(name, images, count);
    }
  }

 private:
  struct Reading {
    std::string hash, reason;
  };

  void take(const std::string& class_name, const std::vector<const ListedImage*>& images, std::int64_t count) {
    std::int64_t taken = 0;
    for (std::size_t at = 0; taken < count && at < images.size();) {
      const auto batch = std::min(images.size() - at, static_cast<std::size_t>(count - taken));
      std::vector<Reading> readings(batch);
      pool_.parallel_for(static_cast<std::int64_t>(batch), [&](std::int64_t i) {
        readings[static_cast<std::size_t>(i)] = read(*images[at + static_cast<std::size_t>(i)]);
      });
      for (std::size_t i = 0; i < batch; ++i)
        if (accept(*images[at + i], readings[i], class_name, taken + 1)) ++taken;
      at += batch;
    }
    IL_CHECK(taken == count, "{}: source '{}' has {} usable images of '{}' ({} listed), {} are asked for", source_.path,
             source_.name, taken, class_name, images.size(), count);
  }

  Reading read(const ListedImage& image) const {
    try {
      return {pixel_hash(decode_image((fs::path(source_.path) / image.file).string(), 3, image.hints)), ""};
    } catch (const Error& error) {
      return {"", error.what()};
    }
  }

  bool accept(const ListedImage& image, const Reading& reading, const std::string& class_name, std::int64_t number) {
    const std::string name = fmt::format("{}: {}", source_.name, image.file);
    if (!reading.reason.empty()) {
      out_.passed_over.push_back({name, reading.reason});
      return false;
    }
    const auto [other, is_new] = seen_.emplace(reading.hash, image.file);
    if (!is_new) {
      out_.passed_over.push_back({name, fmt::format("has the pixels of {}", other->second)});
      return false;
    }
    const std::string patient = image.patient.empty() ? "" : fmt::format("{}/{}", source_.name, image.patient);
    out_.images.push_back({fmt::format("{}/{}_{:04d}.png", class_name, source_.name, number), class_name, patient,
                           source_.name, image.file, (fs::path(source_.path) / image.file).string(), reading.hash,
                           image.hints});
    return true;
  }

  const Recipe& recipe_;
  const SourceRecipe& source_;
  std::size_t number_;
  ThreadPool& pool_;
  CombinedSet& out_;
  DataListing listing_;
  std::unordered_map<std::string, std::string> seen_;  ///< hash -> file
};

void refuse_shared(const std::vector<CombinedImage>& images) {
  constexpr int kShown = 5;
  std::unordered_map<std::string, const CombinedImage*> seen;
  std::string pairs;
  int count = 0;
  for (const CombinedImage& image : images) {
    const auto [other, is_new] = seen.emplace(image.hash, &image);
    if (is_new) continue;
    if (++count <= kShown)
      pairs += fmt::format("{}{}: {} = {}: {}", count > 1 ? "; " : "", other->second->source, other->second->original,
                           image.source, image.original);
  }
  IL_CHECK(count == 0, "combine: {} images were drawn from two sources each: {}{}; exclude them in one of the two",
           count, pairs, count > kShown ? "; .." : "");
}

}  // namespace

CombinedSet draw_recipe(const Recipe& recipe, ThreadPool* threads) {
  CombinedSet set;
  set.name = recipe.name;
  set.size = recipe.size;
  set.channels = recipe.channels;
  for (std::size_t i = 0; i < recipe.sources.size(); ++i) SourceDraw(recipe, i, threads_or_current(threads), set).run();
  refuse_shared(set.images);
  std::ranges::sort(set.images, [](const CombinedImage& a, const CombinedImage& b) {
    return std::tie(a.class_name, a.file) < std::tie(b.class_name, b.file);
  });
  return set;
}

}  // namespace innerloop::io
