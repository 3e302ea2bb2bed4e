#include "meta/reproduce/adapted_unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "io/atomic_file.h"
#include "io/heat_map.h"
#include "meta/clock.h"
#include "meta/from_config.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

/// Under the statistics of the support an image is answered alone, so images may go in parts.
constexpr std::int64_t kPart = 64;

std::vector<double> answers(const Predictor& predictor, const Tensor& pixels, io::EvalNorm norm) {
  std::vector<double> out;
  const std::int64_t n = pixels.shape()[0], part = norm == io::EvalNorm::kSupport ? kPart : n;
  for (std::int64_t begin = 0; begin < n; begin += part) {
    const Tensor p = predictor.predict(pixels.slice(begin, std::min(part, n - begin)));
    for (const float value : p.data<float>()) out.push_back(value);
  }
  return out;
}

io::Image image_at(const io::ImageSet& set, std::int64_t index) {
  const auto size = static_cast<std::size_t>(set.height * set.width * set.channels);
  const auto all = set.pixels.data<std::uint8_t>().subspan(static_cast<std::size_t>(index) * size, size);
  io::Image image{set.height, set.width, set.channels, {all.begin(), all.end()}};
  if (set.invert == io::Invert::kYes) io::invert_image(image);  // as a radiologist knows it
  return image;
}

/// One test image of each class, the first, with what spoke for the answer.
void add_pictures(const Predictor& predictor, const io::ImageSet& test, const PictureOptions& options,
                  UnitResult& unit) {
  std::filesystem::create_directories(options.folder + "/pictures");
  const std::size_t ways = unit.classes.size();
  for (std::size_t c = 0; c < ways; ++c) {
    const auto found = std::ranges::find(unit.truth, static_cast<int>(c));
    if (found == unit.truth.end()) continue;
    const auto index = found - unit.truth.begin();
    const double* p = unit.probabilities.data() + static_cast<std::size_t>(index) * ways;
    const std::int64_t answer = std::max_element(p, p + ways) - p;
    const Saliency saliency = predictor.explain(test.pixels.slice(index, 1), std::vector<std::int64_t>{answer});
    const Shape& s = saliency.map.shape();
    const io::Image overlay =
        io::overlay_heat_map(image_at(test, index), saliency.map.data<float>(), io::ImageSize{s[1], s[2]});
    const std::vector<std::uint8_t> png = io::encode_png(overlay);
    const std::string file = fmt::format("pictures/{}_{}.png", options.stem, c + 1);
    io::write_file(options.folder + "/" + file,
                   std::string_view(reinterpret_cast<const char*>(png.data()), png.size()));
    unit.pictures.push_back({file, fmt::format("{}: answered {} with {:.0f} %, {}", unit.classes[c],
                                               unit.classes[static_cast<std::size_t>(answer)], 100 * p[answer],
                                               static_cast<std::size_t>(answer) == c ? "right" : "wrong")});
  }
}

}  // namespace

void run_adapted(const io::Config& config, const std::vector<Tensor>& params, const io::ImageSet& support,
                 const io::ImageSet& test, const PictureOptions& pictures, UnitResult& unit) {
  const nn::ConvNet net(conv_net_options(config));
  const EvalOptions eval = eval_options(config);
  auto begin = Clock::now();
  const Predictor predictor(net, params, support, {.inner = eval.inner, .norm = eval.norm});
  unit.train_seconds = seconds_since(begin);
  unit.iterations = config.eval.steps;
  unit.labels = support.count();
  for (const Tensor& t : params) unit.parameters += t.shape().numel();
  begin = Clock::now();
  unit.probabilities = answers(predictor, test.pixels, config.eval.norm);
  unit.predict_seconds = seconds_since(begin);
  if (!pictures.folder.empty()) add_pictures(predictor, test, pictures, unit);
}

}  // namespace innerloop::meta::reproduce
