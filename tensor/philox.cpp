#include "tensor/philox.h"

#include <cmath>
#include <numbers>

namespace innerloop {

double PhiloxSequence::normal() {
  const double u = (next() + 1.0) * 0x1p-32;  // (0, 1]: the logarithm stays finite
  const double v = next() * 0x1p-32;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace innerloop
