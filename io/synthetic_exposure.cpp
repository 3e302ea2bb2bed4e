// From density to bytes. Whatever is drawn here is drawn alike for every finding.
#include "io/synthetic_parts.h"

namespace innerloop::io::synthetic {
namespace {

/// Nearly normal, mean 0 and deviation 1: the sum of four uniforms, which needs no logarithm.
float grain_of(std::uint32_t a, std::uint32_t b) {
  const float sum = static_cast<float>(a & 0xFFFF) + static_cast<float>(a >> 16) + static_cast<float>(b & 0xFFFF) +
                    static_cast<float>(b >> 16);
  return (sum / 65536.0f - 2.0f) * 1.7320508f;
}

struct Moments {
  double mean, deviation;
};

Moments moments_of(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float v : values) sum += v, squares += double{v} * v;
  const double n = static_cast<double>(values.size()), mean = sum / n;
  return {mean, std::sqrt(std::max(1e-12, squares / n - mean * mean))};
}

/// Beam, scatter and positioning: a quadric over the film.
void shade(std::vector<float>& density, std::int64_t size, PhiloxSequence& random) {
  const float x1 = between(random, -0.08f, 0.08f), y1 = between(random, -0.08f, 0.08f);
  const float x2 = between(random, -0.10f, 0.10f), y2 = between(random, -0.10f, 0.10f);
  const float xy = between(random, -0.06f, 0.06f);
  const float step = 2.0f / static_cast<float>(size);
  for (std::size_t i = 0; i < density.size(); ++i) {
    const float x = (static_cast<float>(i % static_cast<std::size_t>(size)) + 0.5f) * step - 1;
    const float y = (static_cast<float>(i / static_cast<std::size_t>(size)) + 0.5f) * step - 1;
    // Air outside the body stays black: the shading scales with what the beam met.
    const float met = std::min(1.0f, density[i] * 4);
    density[i] += met * (x1 * x + y1 * y + x2 * x * x + y2 * y * y + xy * x * y);
  }
}

/// A lead letter in an upper corner, on half of the films.
void mark(std::vector<float>& density, std::int64_t size, PhiloxSequence& random) {
  const bool present = random.below(2) == 1;
  const std::uint32_t corner = random.below(2);
  const float cx = (corner == 0 ? -1.0f : 1.0f) * between(random, 0.78f, 0.90f), cy = between(random, -0.92f, -0.75f);
  if (!present) return;
  const float step = 2.0f / static_cast<float>(size);
  for (std::size_t i = 0; i < density.size(); ++i) {
    const float x = (static_cast<float>(i % static_cast<std::size_t>(size)) + 0.5f) * step - 1 - cx;
    const float y = (static_cast<float>(i / static_cast<std::size_t>(size)) + 0.5f) * step - 1 - cy;
    const bool upright = std::abs(x + 0.03f) < 0.016f && std::abs(y) < 0.065f;
    const bool foot = std::abs(y - 0.05f) < 0.016f && std::abs(x) < 0.045f;
    if (upright || foot) density[i] = 0.95f;
  }
}

}  // namespace

std::vector<std::uint8_t> expose(Canvas& canvas, PhiloxSequence& random) {
  std::vector<float>& d = canvas.density;
  shade(d, canvas.size, random);
  const float grain = between(random, 0.008f, 0.020f);
  for (float& v : d) {
    const std::uint32_t a = random.next(), b = random.next();
    v += grain * grain_of(a, b);
  }
  mark(d, canvas.size, random);
  const float bend = between(random, -0.45f, 0.45f);  // the film's curve: through (0, 0) and (1, 1)
  for (float& v : d) v += bend * v * (1 - v);

  const double mean = between(random, 0.38f, 0.52f), deviation = between(random, 0.17f, 0.23f);
  // Clamping moves the moments a little; a second round brings them back.
  for (int round = 0; round < 3; ++round) {
    const Moments m = moments_of(d);
    const double gain = deviation / m.deviation;
    for (float& v : d) v = static_cast<float>(std::clamp((v - m.mean) * gain + mean, 0.0, 1.0));
  }
  std::vector<std::uint8_t> bytes(d.size());
  for (std::size_t i = 0; i < d.size(); ++i) bytes[i] = static_cast<std::uint8_t>(d[i] * 255.0f + 0.5f);
  return bytes;
}

}  // namespace innerloop::io::synthetic
