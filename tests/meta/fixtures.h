// What the tests of meta share: a small labelled set that can be learned, small networks, small runs.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/config.h"
#include "io/data_fixtures.h"
#include "io/dataset.h"
#include "meta/episode.h"
#include "meta/task_source.h"
#include "nn/conv_net.h"
#include "support/random.h"
#include "tensor/philox.h"

namespace innerloop::test {

/// Pixel (y, x) of image `n` of class `c`: noise, and a bright square whose place tells the class.
inline std::uint8_t tiny_pixel(std::int64_t c, std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t size) {
  const auto at = static_cast<std::uint32_t>(y * size + x);
  const std::uint32_t noise =
      random_block(9, Stream::kCheck, static_cast<std::uint32_t>(c), static_cast<std::uint32_t>(n), at).word[0] % 60;
  const std::int64_t top = c % 2 * (size / 2), left = c / 2 % 2 * (size / 2), side = size / 2 - 1 - c / 4 % 3;
  const bool inside = y >= top && y < top + side && x >= left && x < left + side;
  return static_cast<std::uint8_t>(noise + (inside ? 180 : 0));
}

/// `per_class[c]` images of class c, named "c00", "c01", ..; each image its own group.
inline io::ImageSet tiny_set(const std::vector<std::int64_t>& per_class, std::int64_t size = 12) {
  io::ImageSet set;
  set.name = "tiny";
  set.height = set.width = size;
  set.channels = 1;
  std::vector<std::uint8_t> pixels;
  for (std::size_t c = 0; c < per_class.size(); ++c) {
    set.classes.push_back(fmt::format("c{:02}", c));
    for (std::int64_t n = 0; n < per_class[c]; ++n) {
      for (std::int64_t y = 0; y < size; ++y)
        for (std::int64_t x = 0; x < size; ++x)
          pixels.push_back(tiny_pixel(static_cast<std::int64_t>(c), n, y, x, size));
      set.labels.push_back(static_cast<std::int32_t>(c));
      set.groups.push_back(static_cast<std::int64_t>(set.files.size()));
      set.files.push_back(fmt::format("c{:02}/{:03}.pgm", c, n));
      set.group_names.push_back(set.files.back());
    }
  }
  set.pixels = Tensor::from({set.count(), size, size, 1}, pixels);
  return set;
}

/// The same set as files under `folder`.
inline void write_tiny_folder(const std::string& folder, const std::vector<std::int64_t>& per_class,
                              std::int64_t size = 12) {
  const io::ImageSet set = tiny_set(per_class, size);
  const auto pixels = set.pixels.data<std::uint8_t>();
  for (std::size_t i = 0; i < set.files.size(); ++i) {
    const std::filesystem::path path = std::filesystem::path(folder) / set.files[i];
    std::filesystem::create_directories(path.parent_path());
    std::string bytes = fmt::format("P5\n{} {}\n255\n", size, size);
    const auto n = static_cast<std::size_t>(size * size);
    bytes.append(reinterpret_cast<const char*>(pixels.data() + i * n), n);
    io::write_file(path.string(), bytes);
  }
}

inline nn::ConvNetOptions tiny_net(std::int64_t ways = 3) {
  nn::ConvNetOptions o;
  o.filters = {4, 4};
  o.height = o.width = 12;
  o.ways = ways;
  return o;
}

/// A network and float64 tasks drawn at random, for identities that hold at any point.
struct RandomProblem {
  nn::ConvNet net;
  std::vector<Tensor> params;
  meta::TaskBatch tasks;
};

inline RandomProblem random_problem(const nn::ConvNetOptions& options, std::int64_t tasks, DType dtype = DType::kF64,
                                    std::uint32_t seed = 5) {
  RandomProblem p{nn::ConvNet(options), {}, {}};
  for (const Tensor& t : p.net.init(seed)) {
    const Tensor noise = random_tensor(t.shape(), {-0.2, 0.2}, seed, static_cast<std::uint32_t>(p.params.size()));
    Tensor shifted = t.to(DType::kF64).clone();
    auto x = shifted.mutable_data<double>();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += noise.data<double>()[i];
    p.params.push_back(shifted.to(dtype));
  }
  const Shape images{tasks, 2 * options.ways, options.height, options.width, options.channels};
  p.tasks = {random_tensor(images, {0, 1}, seed, 90).to(dtype), meta::class_major_labels(tasks, options.ways, 2),
             random_tensor(images, {0, 1}, seed, 91).to(dtype), meta::class_major_labels(tasks, options.ways, 2)};
  return p;
}

/// A configuration whose runs on write_tiny_folder() take a fraction of a second.
inline io::Config tiny_config() {
  io::Config c;
  c.model.filters = {4, 4};
  c.inner.steps = 2;
  c.inner.rate = 0.1;
  c.outer.rate = 0.01;
  c.outer.tasks = 3;
  c.outer.iterations = 7;
  c.task = {.scheme = io::Scheme::kGroups, .ways = 3, .shots = 1, .queries = 2};
  c.augment = {io::SaltPepper{.probability = 0.1, .salt = 0.5}, io::Shift{.pixels = 1}};
  c.data.size = 12;
  c.data.holdout = 0.4;
  c.eval = {.ways = 3, .shots = 1, .queries = 2, .episodes = 6, .steps = 2, .norm = io::EvalNorm::kBatch, .every = 2};
  c.run.checkpoint_every = 3;
  return c;
}

}  // namespace innerloop::test
