#include "tests/io/report_sample.h"

#include <algorithm>
#include <cmath>

#include "io/config.h"
#include "tensor/philox.h"

namespace innerloop::io {
namespace {

/// An 8x8 grey PNG (stored, not compressed), enough to fill the place of an episode sheet.
std::string tiny_png() {
  std::string png("\x89PNG\r\n\x1a\n", 8);
  const auto big_endian = [](std::uint32_t v) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(v >> shift & 0xFFu);
    return bytes;
  };
  const auto crc = [](std::string_view bytes) {
    std::uint32_t c = 0xFFFFFFFFu;
    for (const char byte : bytes) {
      c ^= static_cast<unsigned char>(byte);
      for (int k = 0; k < 8; ++k) c = (c & 1u) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    }
    return ~c;
  };
  const auto chunk = [&](const std::string& type, const std::string& body) {
    png += big_endian(static_cast<std::uint32_t>(body.size())) + type + body + big_endian(crc(type + body));
  };
  constexpr std::uint32_t kWidth = 48, kHeight = 12;
  std::string rows;
  for (std::uint32_t y = 0; y < kHeight; ++y) {
    rows += '\0';  // no filter
    for (std::uint32_t x = 0; x < kWidth; ++x) {
      const bool gap = x % 12 == 11 || y == kHeight - 1;
      rows += static_cast<char>(gap ? 255 : 40 + 150 * (0.5 + 0.5 * std::sin(0.5 * (x % 12) * (1 + x / 12) + 0.4 * y)));
    }
  }
  std::uint32_t a = 1, b = 0;
  for (const char byte : rows) {
    a = (a + static_cast<unsigned char>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<std::uint32_t>(rows.size());
  std::string zlib("\x78\x01\x01", 3);
  for (const std::uint32_t v : {size, ~size}) {
    zlib += static_cast<char>(v & 0xFFu);
    zlib += static_cast<char>(v >> 8 & 0xFFu);
  }
  zlib += rows + big_endian(b << 16 | a);
  chunk("IHDR", big_endian(kWidth) + big_endian(kHeight) + std::string("\x08\x00\x00\x00\x00", 5));
  chunk("IDAT", zlib);
  chunk("IEND", "");
  return png;
}

RunHistory history(PhiloxSequence& random) {
  RunHistory run;
  for (std::int64_t step = 1; step <= 2000; ++step) {
    const double t = static_cast<double>(step) / 2000;
    const double level = 0.32 + 0.85 * std::exp(-5 * t);
    const double noise = random.normal();
    run.steps.push_back({.step = step,
                         .loss = level * (1 + 0.12 * noise),
                         .accuracy = std::clamp(1.05 - 0.55 * level - 0.04 * noise, 0.0, 1.0),
                         .inner_loss = 0.5 * level * (1 + 0.1 * random.normal()),
                         .grad_norm = 2 * level,
                         .rate = 0.001,
                         .seconds = 0.8});
    if (step % 200 == 0) {
      const double held_out = 0.40 + 0.72 * std::exp(-3.6 * t);
      run.evals.push_back({.step = step,
                           .accuracy = 1.02 - 0.5 * held_out + 0.008 * random.normal(),
                           .half_width = 0.012 + 0.02 * std::exp(-2 * t),
                           .loss = held_out,
                           .episodes = 200,
                           .seconds = 31});
    }
  }
  return run;
}

/// ROC (or precision-recall) points of a binormal classifier whose classes lie `distance` apart.
RateCurve curve(std::string name, double distance, bool roc) {
  RateCurve c{.name = std::move(name)};
  const auto upper_tail = [](double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); };
  for (int i = 0; i <= 200; ++i) {
    const double threshold = 5 - 0.05 * i;
    const double fpr = upper_tail(threshold), tpr = upper_tail(threshold - distance);
    c.x.push_back(roc ? fpr : tpr);
    c.y.push_back(roc ? tpr : tpr / (tpr + 2 * fpr));
  }
  for (std::size_t i = 1; i < c.x.size(); ++i) {
    const double trapezium = (c.x[i] - c.x[i - 1]) * (c.y[i] + c.y[i - 1]) / 2;
    c.area = (i == 1 ? 0 : c.area) + trapezium;
  }
  return c;
}

}  // namespace

ReportData sample_report() {
  PhiloxSequence random(7, Stream::kCheck);
  ReportData data;
  data.title = "Three-way chest X-rays, ten shots";
  data.subtitle = "Preset released, 2,000 meta-steps of 32 tasks, evaluated on held-out groups";
  data.headlines = {{"Accuracy", percent_with_interval(0.8914, 0.0121), "200 episodes, 95 % interval"},
                    {"Mean F1", "0.888", "over 3 classes"},
                    {"ROC area", "0.964", "mean, one against the rest"},
                    {"PR area", "0.931", "mean, one against the rest"},
                    {"Trained for", "26m40s", "40.0 tasks/s on the CPU"}};
  data.history = history(random);
  data.chance_accuracy = 1.0 / 3;
  data.episodes = {tiny_png(), "Two tasks: support images on the left, their augmented queries on the right."};
  data.confusion = {{"COVID-19", "normal", "viral pneumonia"}, {1820, 52, 128, 44, 1871, 85, 190, 152, 1658}};
  data.scores = {{"COVID-19", 0.886, 0.910, 0.898, 2000},
                 {"normal", 0.902, 0.936, 0.918, 2000},
                 {"viral pneumonia", 0.886, 0.829, 0.857, 2000}};
  data.roc = {curve("COVID-19", 2.6, true), curve("normal", 3.0, true), curve("viral pneumonia", 2.0, true)};
  data.precision_recall = {curve("COVID-19", 2.6, false), curve("normal", 3.0, false),
                           curve("viral pneumonia", 2.0, false)};
  data.protocol = {{"ways, shots, queries", "3, 10, 10"},
                   {"episodes", "200"},
                   {"inner steps", "200"},
                   {"batch statistics", "query batch"},
                   {"seed", "1"},
                   {"data", "1,027 images, 3 classes"},
                   {"hash of the data", "sha256 6f1ed002ab5595859014ebf0951522d9"}};
  data.config_toml = to_toml(preset("released"));
  data.skipped = {{"covid/IMG_0042.jpg", "not a JPEG: starts with 00 00"},
                  {"normal/scan <3>.png", "truncated after 8192 bytes"}};
  data.cautions = {"12 images occur twice with the same pixels; the first of each was kept."};
  return data;
}

}  // namespace innerloop::io
