// What the parts of a comparison cost: measured in a short calibration, and again by every part that is done.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "meta/reproduce/budget.h"
#include "meta/reproduce/work.h"
#include "meta/reproduce/worker.h"

namespace innerloop::meta::reproduce {

/// Seconds of work. A unit's cost grows with the images of a batch: min(supervised.batch, its labelled images).
class Costs {
 public:
  explicit Costs(io::Config config) : config_(std::move(config)) {}

  /// Measures `work` (of the most shots) at one and at three iterations, unscaled; nothing when `stop` turns true.
  void calibrate(const Work& work, const SizedImages& images, const std::atomic<bool>* stop);

  /// At scale 1, from the calibration of the same contestant and kind.
  UnitCost of(const Work& work) const;

  /// `work` has taken `seconds`: later estimates of its kind use the mean of what was measured.
  void measured(const Work& work, double seconds);
  /// What was measured of the same contestant, ways and shots, else the calibration at `scale`.
  double estimate(const Work& work, double scale) const;

 private:
  struct Calibrated {
    UnitCost cost;
    std::int64_t batch = 1;  ///< images of a batch when it was measured
  };
  struct Mean {
    double sum = 0;
    std::int64_t n = 0;
  };
  static std::string kind_of(const Work& work);
  std::int64_t batch_of(const Work& work) const;

  io::Config config_;
  std::map<std::string, Calibrated> calibrated_;
  std::map<std::string, Mean> measured_;
};

/// One part of each kind and contestant, of the most ways and shots: what a calibration measures.
std::vector<Work> calibration_work(const std::vector<Work>& all);

}  // namespace innerloop::meta::reproduce
