// The parts of a synthetic X-ray (synthetic.h): geometry, anatomy, finding, exposure. Not for use outside of it.
//
// Lengths are in units of half the image's side; x to the right, y down, the chest's middle at the origin. A lung's own
// coordinates: `height` 0 at its apex to 1 at its base, `lateral` 0 at the mediastinum to 1 at the chest wall. Density
// is what a film shows: 0 black (air) to about 1 white (bone). All formulas are sums, products and square roots: no
// library function whose last bit may differ between machines.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "io/synthetic.h"
#include "tensor/philox.h"

namespace innerloop::io::synthetic {

/// Uniform in [low, high).
inline float between(PhiloxSequence& random, float low, float high) { return low + (high - low) * random.uniform(); }

/// 0 below 0, 1 above 1, smooth between.
inline float smooth_step(float t) {
  t = std::clamp(t, 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

/// A bell of height 1 and half-width about `width`, zero from 2 * width on.
inline float bell(float distance, float width) {
  const float q = distance / (2 * width), s = std::max(0.0f, 1 - q * q);
  return s * s;
}

/// Smooth noise on a square lattice over [-1.5, 1.5]^2: mean 0, values within about [-1, 1].
class NoiseField {
 public:
  /// `pitch`: the distance of lattice points.
  NoiseField(PhiloxSequence& random, float pitch);
  float at(float x, float y) const;

 private:
  std::int64_t side_;
  float per_unit_;
  std::vector<float> values_;
};

/// One image while it is made; vectors are [size * size].
struct Canvas {
  explicit Canvas(std::int64_t side);

  std::int64_t size;
  std::vector<float> x, y;  ///< chest coordinates of each pixel
  std::vector<float> density;
  struct Lung {
    std::vector<float> mask, height, lateral;
  };
  std::array<Lung, 2> lungs;  ///< image left, image right
};

/// Pose, body, lungs, bones, heart and vessels; fills every field of the canvas.
void draw_anatomy(Canvas& canvas, PhiloxSequence& random);
/// Adds the finding, balanced so that no strip of a lung changes its mean density.
void draw_finding(Canvas& canvas, Finding finding, PhiloxSequence& random);
/// Shading, grain, tone curve, mean and contrast, none of which knows the finding; to bytes.
std::vector<std::uint8_t> expose(Canvas& canvas, PhiloxSequence& random);

}  // namespace innerloop::io::synthetic
