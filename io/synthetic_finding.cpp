// What tells the four classes apart. Each finding is a field over the lungs; in every strip from apex to base its mean
// is taken away, so that only its form remains. With the mean of the whole lung taken away instead, a linear model told
// bilateral_peripheral from the rest by its lighter edges (0.90 of them, against 0.25 by chance).
#include "io/synthetic_parts.h"

namespace innerloop::io::synthetic {
namespace {

using Field = std::array<std::vector<float>, 2>;  // one a lung, [size * size]

void lobar(const Canvas& canvas, PhiloxSequence& random, Field& field) {
  const std::size_t side = random.below(2);
  const std::uint32_t lobe = random.below(3);
  static constexpr float kFrom[] = {-0.2f, 0.34f, 0.60f}, kTo[] = {0.44f, 0.70f, 1.2f};
  const float from = kFrom[lobe] + between(random, -0.05f, 0.05f), to = kTo[lobe] + between(random, -0.05f, 0.05f);
  const float tilt = between(random, -0.18f, 0.18f), strength = between(random, 0.18f, 0.30f);
  const NoiseField grain(random, 0.12f);
  const Canvas::Lung& lung = canvas.lungs[side];
  for (std::size_t i = 0; i < lung.mask.size(); ++i) {
    if (lung.mask[i] == 0) continue;
    const float h = lung.height[i] + tilt * (lung.lateral[i] - 0.5f);
    const float solid = smooth_step((h - from) / 0.05f + 0.5f) * smooth_step((to - h) / 0.05f + 0.5f);
    field[side][i] = strength * solid * (1 + 0.15f * grain.at(canvas.x[i], canvas.y[i]));
  }
}

void diffuse(const Canvas& canvas, PhiloxSequence& random, Field& field) {
  const NoiseField coarse(random, 0.105f), fine(random, 0.06f), where(random, 0.5f);
  const float strength = between(random, 0.14f, 0.22f);
  for (std::size_t side = 0; side < 2; ++side) {
    const Canvas::Lung& lung = canvas.lungs[side];
    for (std::size_t i = 0; i < lung.mask.size(); ++i) {
      if (lung.mask[i] == 0) continue;
      const float x = canvas.x[i], y = canvas.y[i];
      // Ridges where a smooth field crosses zero make the net; the finer field the grains in it.
      const float net = 1 - 2.5f * std::min(0.4f, std::abs(coarse.at(x, y)));
      field[side][i] = strength * (0.85f + 0.4f * where.at(x, y)) * (net - 0.4f + 0.6f * fine.at(x, y));
    }
  }
}

void bilateral_peripheral(const Canvas& canvas, PhiloxSequence& random, Field& field) {
  const NoiseField cloud(random, 0.09f);
  for (std::size_t side = 0; side < 2; ++side) {
    struct Patch {
      float height, lateral, rh, rl, strength;
    };
    std::array<Patch, 5> patches;
    const std::size_t count = 3 + random.below(3);
    const float jitter = between(random, -0.16f, 0.16f);
    for (std::size_t k = 0; k < patches.size(); ++k) {
      // Spread from the upper zone to the base, with clear lung between.
      const float slot = (static_cast<float>(k) + 0.5f) / static_cast<float>(count);
      patches[k] = {0.14f + 0.80f * slot + 0.5f * jitter, between(random, 0.80f, 1.0f), between(random, 0.07f, 0.11f),
                    between(random, 0.17f, 0.30f), between(random, 0.30f, 0.46f)};
    }
    const Canvas::Lung& lung = canvas.lungs[side];
    for (std::size_t i = 0; i < lung.mask.size(); ++i) {
      if (lung.mask[i] == 0) continue;
      float sum = 0;
      for (std::size_t k = 0; k < count; ++k) {
        const Patch& p = patches[k];
        const float dh = (lung.height[i] - p.height) / p.rh, dl = (lung.lateral[i] - p.lateral) / p.rl;
        const float d2 = dh * dh + dl * dl;
        if (d2 < 4) sum = std::max(sum, p.strength * bell(std::sqrt(d2), 1));
      }
      field[side][i] = sum * (1 + 0.5f * cloud.at(canvas.x[i], canvas.y[i]));
    }
  }
}

/// Adds `field` to `density`, less its mean over the strip of equal `lateral` around each point.
void balance(const Canvas::Lung& lung, const std::vector<float>& field, std::vector<float>& density) {
  constexpr std::size_t kStrips = 12;
  std::array<double, kStrips> sum{}, area{};
  const auto strip_of = [&](std::size_t i) {
    return std::min(kStrips - 1, static_cast<std::size_t>(lung.lateral[i] * static_cast<float>(kStrips)));
  };
  for (std::size_t i = 0; i < field.size(); ++i) {
    sum[strip_of(i)] += 1.0 * lung.mask[i] * field[i];
    area[strip_of(i)] += lung.mask[i];
  }
  const auto mean = [&](std::size_t strip) {
    return area[strip] > 0 ? static_cast<float>(sum[strip] / area[strip]) : 0;
  };
  for (std::size_t i = 0; i < field.size(); ++i)
    if (lung.mask[i] > 0) density[i] += lung.mask[i] * (field[i] - mean(strip_of(i)));
}

}  // namespace

void draw_finding(Canvas& canvas, Finding finding, PhiloxSequence& random) {
  Field field;
  for (std::vector<float>& f : field) f.resize(canvas.density.size());
  switch (finding) {
    case Finding::kNormal:
      return;
    case Finding::kLobar:
      lobar(canvas, random, field);
      break;
    case Finding::kDiffuse:
      diffuse(canvas, random, field);
      break;
    case Finding::kBilateralPeripheral:
      bilateral_peripheral(canvas, random, field);
      break;
  }
  for (std::size_t side = 0; side < 2; ++side) balance(canvas.lungs[side], field[side], canvas.density);
}

}  // namespace innerloop::io::synthetic
