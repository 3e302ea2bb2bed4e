// What every chest has.
#include "io/synthetic_parts.h"

namespace innerloop::io::synthetic {
namespace {

/// The numbers that make one chest differ from the next.
struct Build {
  float body_width, lung_top, lung_bottom, lung_width, lung_inner, dome, air;
  float rib_first, rib_spacing, rib_slope, rib_strength, rib_width;
  float heart_x, heart_y, heart_rx, heart_ry, heart_density, spine_density, abdomen;
  float clavicle_y, clavicle_slope;

  explicit Build(PhiloxSequence& r)
      : body_width(between(r, 0.86f, 0.98f)),
        lung_top(between(r, -0.76f, -0.66f)),
        lung_bottom(between(r, 0.46f, 0.62f)),
        lung_width(between(r, 0.29f, 0.35f)),
        lung_inner(between(r, 0.07f, 0.11f)),
        dome(between(r, 0.10f, 0.20f)),
        air(between(r, 0.36f, 0.46f)),
        rib_first(between(r, -0.72f, -0.62f)),
        rib_spacing(between(r, 0.125f, 0.155f)),
        rib_slope(between(r, 0.15f, 0.40f)),
        rib_strength(between(r, 0.05f, 0.11f)),
        rib_width(between(r, 0.020f, 0.030f)),
        heart_x(between(r, 0.11f, 0.18f)),
        heart_y(between(r, 0.14f, 0.26f)),
        heart_rx(between(r, 0.25f, 0.35f)),
        heart_ry(between(r, 0.20f, 0.28f)),
        heart_density(between(r, 0.24f, 0.36f)),
        spine_density(between(r, 0.10f, 0.18f)),
        abdomen(between(r, 0.08f, 0.18f)),
        clavicle_y(between(r, -0.70f, -0.60f)),
        clavicle_slope(between(r, -0.18f, 0.02f)) {}
};

/// Where a point lies in the lung of one side; `a` is the distance from the midline on that side.
struct LungPoint {
  float mask, height, lateral, below;
};

LungPoint locate(const Build& b, float a, float y, float raise) {
  const float t = (y - b.lung_top) / (b.lung_bottom - b.lung_top);
  const float open = std::clamp(t / 0.72f, 0.0f, 1.0f);
  const float half = b.lung_width * std::sqrt(std::max(0.0f, 1 - (1 - open) * (1 - open)));
  const float middle = b.lung_inner + b.lung_width * (0.86f + 0.14f * std::clamp(t, 0.0f, 1.0f));
  const float off = (a - middle) / b.lung_width;
  // The diaphragm: a dome, highest towards the middle, that falls off into the costophrenic angle.
  const float base = b.lung_bottom - raise - b.dome * (1 - std::min(1.0f, (off + 0.25f) * (off + 0.25f)));
  LungPoint p;
  p.mask = smooth_step((half - std::abs(a - middle)) / 0.05f) * smooth_step((base - y) / 0.05f + 0.5f);
  p.height = std::clamp((y - b.lung_top) / (base - b.lung_top + 1e-3f), 0.0f, 1.0f);
  p.lateral = std::clamp((a - middle + half) / (2 * half + 1e-3f), 0.0f, 1.0f);
  p.below = smooth_step((y - base) / 0.06f + 0.5f);
  return p;
}

float ribs(const Build& b, float a, float y) {
  float sum = 0;
  const float outer = b.lung_inner + 2.1f * b.lung_width;
  const float reach = std::clamp(a / outer, 0.0f, 1.2f);
  if (reach >= 1.2f) return 0;
  const float fade = smooth_step((1.12f - reach) / 0.12f) * smooth_step((0.60f - y) / 0.15f);
  if (fade == 0) return 0;
  // From the spine a rib rises a little and then slopes down; its front half comes back below, fainter.
  const float back = b.rib_slope * reach * reach - 0.30f * reach * (1 - reach);
  const float front = 0.06f + 0.55f * b.rib_slope + 0.45f * (1 - reach) * (1 - reach);
  for (int k = 0; k < 9; ++k) {
    const float at = b.rib_first + b.rib_spacing * static_cast<float>(k);
    const float d = std::abs(y - at - back);
    sum += 0.75f * bell(d, b.rib_width) + 0.45f * bell(d - 1.1f * b.rib_width, 0.5f * b.rib_width);
    if (k < 7 && reach > 0.3f)
      sum += 0.40f * smooth_step((reach - 0.3f) / 0.25f) * bell(y - at - front, 0.9f * b.rib_width);
  }
  return fade * sum;
}

struct Vessel {
  float x0, y0, x1, y1, width, density;
};

/// Branches from each hilum into the lung, tapering.
std::vector<Vessel> grow_vessels(const Build& b, PhiloxSequence& r) {
  std::vector<Vessel> vessels;
  for (int side = 0; side < 2; ++side) {
    const float sign = side == 0 ? -1.0f : 1.0f;
    const float hilum_y = between(r, -0.12f, 0.0f), hilum_x = b.lung_inner + 0.07f;
    for (int k = 0; k < 9; ++k) {
      const float rise = -0.50f + 0.115f * static_cast<float>(k) + between(r, -0.06f, 0.06f);
      const float length = between(r, 0.22f, 0.42f), away = between(r, 0.45f, 1.0f);
      vessels.push_back({sign * hilum_x, hilum_y, sign * (hilum_x + away * length), hilum_y + rise,
                         between(r, 0.014f, 0.026f), between(r, 0.06f, 0.14f)});
    }
  }
  return vessels;
}

float vessel_density(const std::vector<Vessel>& vessels, float x, float y) {
  float sum = 0;
  for (const Vessel& v : vessels) {
    const float dx = v.x1 - v.x0, dy = v.y1 - v.y0;
    const float t = std::clamp(((x - v.x0) * dx + (y - v.y0) * dy) / (dx * dx + dy * dy), 0.0f, 1.0f);
    const float ex = x - v.x0 - t * dx, ey = y - v.y0 - t * dy, d2 = ex * ex + ey * ey;
    if (d2 < 0.01f) sum += v.density * (1 - 0.7f * t) * bell(std::sqrt(d2), v.width * (1.4f - t));
  }
  return std::min(sum, 0.3f);
}

float middle_density(const Build& b, float x, float y, float below) {
  const float column = smooth_step((0.135f - std::abs(x)) / 0.05f);
  const float down = (y - b.rib_first) / b.rib_spacing;
  const float within = 2 * (down - std::floor(down)) - 1;  // -1 .. 1 over one vertebra
  float sum = b.spine_density * column * (0.8f + 0.3f * (1 - within * within));
  sum += 0.10f * smooth_step((0.10f + 0.05f * (y + 0.6f) - std::abs(x - 0.02f)) / 0.06f);
  const float hx = (x - b.heart_x) / b.heart_rx, hy = (y - b.heart_y - 0.25f * (x - b.heart_x)) / b.heart_ry;
  const float heart = b.heart_density * (1 - 0.8f * below) * smooth_step((1 - std::sqrt(hx * hx + hy * hy)) / 0.22f);
  sum += heart;
  const float kx = x - 0.12f, ky = y + 0.24f;  // the aortic knob
  sum += 0.5f * b.heart_density * bell(std::sqrt(kx * kx + ky * ky), 0.05f);
  // Films saturate: where spine and heart lie on each other little is added.
  return sum / (1 + 1.6f * sum);
}

float body_edge(const Build& b, float y) {
  const float shoulder = smooth_step((y + 1.12f) / 0.42f);
  return 0.28f + (b.body_width - 0.28f) * shoulder - 0.05f * std::max(0.0f, y);
}

}  // namespace

NoiseField::NoiseField(PhiloxSequence& random, float pitch)
    : side_(static_cast<std::int64_t>(3.0f / pitch) + 4), per_unit_(1 / pitch) {
  values_.resize(static_cast<std::size_t>(side_ * side_));
  for (float& v : values_) v = 2 * random.uniform() - 1;
}

float NoiseField::at(float x, float y) const {
  const float limit = static_cast<float>(side_ - 2) - 1e-3f;
  const float fx = std::clamp((x + 1.5f) * per_unit_, 0.0f, limit),
              fy = std::clamp((y + 1.5f) * per_unit_, 0.0f, limit);
  const std::int64_t ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
  const float tx = smooth_step(fx - static_cast<float>(ix)), ty = smooth_step(fy - static_cast<float>(iy));
  const float* v = values_.data() + iy * side_ + ix;
  const float top = v[0] + tx * (v[1] - v[0]), bottom = v[side_] + tx * (v[side_ + 1] - v[side_]);
  return top + ty * (bottom - top);
}

Canvas::Canvas(std::int64_t side) : size(side) {
  const std::size_t n = static_cast<std::size_t>(side * side);
  for (std::vector<float>* field : {&x, &y, &density}) field->resize(n);
  for (Lung& lung : lungs) lung.mask.resize(n), lung.height.resize(n), lung.lateral.resize(n);
}

void draw_anatomy(Canvas& canvas, PhiloxSequence& random) {
  const Build build(random);
  const std::vector<Vessel> vessels = grow_vessels(build, random);
  const NoiseField tissue(random, 0.22f);
  const float scale = between(random, 0.88f, 1.12f);
  const float shift_x = between(random, -0.12f, 0.12f), shift_y = between(random, -0.12f, 0.12f);
  const float sine = between(random, -0.09f, 0.09f), cosine = std::sqrt(1 - sine * sine);
  // The two lungs differ: in how high the diaphragm stands, and in air, whole and from top to base and inwards to
  // outwards.
  std::array<float, 2> raise, air, air_height, air_lateral;
  const float lateral_shade = between(random, -0.12f, 0.12f);
  for (std::size_t s = 0; s < 2; ++s) {
    raise[s] = between(random, 0, 0.05f) + (s == 0 ? 0.04f : 0.0f);
    air[s] = build.air + between(random, -0.05f, 0.05f);
    air_height[s] = between(random, -0.12f, 0.12f);
    air_lateral[s] = lateral_shade + between(random, -0.06f, 0.06f);
  }

  const float step = 2.0f / static_cast<float>(canvas.size);
  for (std::size_t i = 0; i < canvas.density.size(); ++i) {
    const std::size_t size = static_cast<std::size_t>(canvas.size);
    const float u = (static_cast<float>(i % size) + 0.5f) * step - 1 - shift_x;
    const float v = (static_cast<float>(i / size) + 0.5f) * step - 1 - shift_y;
    const float x = canvas.x[i] = (cosine * u + sine * v) / scale, y = canvas.y[i] = (cosine * v - sine * u) / scale;
    const float a = std::abs(x), edge = body_edge(build, y);
    const float inside = smooth_step((edge - a) / 0.05f);
    if (inside == 0) {
      canvas.density[i] = 0.02f;
      continue;
    }
    const std::size_t side = x < 0 ? 0 : 1;
    const LungPoint p = locate(build, a, y, raise[side]);
    Canvas::Lung& lung = canvas.lungs[side];
    lung.mask[i] = p.mask, lung.height[i] = p.height, lung.lateral[i] = p.lateral;

    const float across = std::min(1.0f, a / edge);
    float d = 0.30f + 0.28f * std::sqrt(1 - across * across) + 0.03f * tissue.at(x, y);
    d += build.abdomen * p.below * smooth_step((0.75f - a) / 0.3f);
    const float breath = air[side] + air_height[side] * (p.height - 0.5f) + air_lateral[side] * (p.lateral - 0.5f);
    d -= p.mask * breath;
    d += p.mask * vessel_density(vessels, x, y);
    d += build.rib_strength * ribs(build, a, y) + 1.5f * middle_density(build, x, y, p.below);
    const float clavicle = build.clavicle_y + build.clavicle_slope * (a - 0.1f) - 0.25f * (a - 0.1f) * (0.8f - a);
    d += 0.10f * smooth_step((a - 0.07f) / 0.05f) * smooth_step((0.80f - a) / 0.1f) * bell(y - clavicle, 0.03f);
    canvas.density[i] = 0.02f + inside * d;
  }
}

}  // namespace innerloop::io::synthetic
