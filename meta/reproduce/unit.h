// A unit of a comparison: one system, one number of shots, one held-out fold; and what it answered.
//
// A unit's file is JSON, written whole or not at all: units/w3_f01_umlf_k05.json. It holds the answers, not scores:
// every table and figure is made from the answers when the report is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "meta/reproduce/plan.h"

namespace innerloop::meta::reproduce {

/// `shots` of a unit that learns from every label of the training folds.
inline constexpr std::int64_t kAllShots = 0;

struct UnitKey {
  std::int64_t ways = 0, fold = 0;  ///< folds count from 0
  std::string system;               ///< Contestant::key
  std::int64_t shots = 0;

  friend auto operator<=>(const UnitKey&, const UnitKey&) = default;
};

/// "w3_f01_umlf_k05"; folds count from 1 there; "kall" for kAllShots.
std::string name_of(const UnitKey& key);

/// A point of a training curve.
struct CurvePoint {
  std::int64_t iteration = 0;
  double loss = 0, accuracy = 0;
};

/// An image with what in it spoke for its answer laid over it; a PNG file in the run folder.
struct Picture {
  std::string file, caption;
};

struct UnitResult {
  UnitKey key;
  std::string plan;                   ///< the hash of the plan that it belongs to
  std::vector<std::string> classes;   ///< [ways]
  std::vector<std::string> images;    ///< [n] test images, by their files
  std::vector<int> truth;             ///< [n] in [0, ways)
  std::vector<double> probabilities;  ///< [n, ways]
  std::int64_t parameters = 0;        ///< learned values of the network
  std::int64_t iterations = 0;        ///< of training on the labelled images: updates, or inner steps
  std::int64_t labels = 0;            ///< labelled images that it has seen
  double train_seconds = 0, predict_seconds = 0;
  double shared_seconds = 0;       ///< of the meta-training or pretraining behind it, which the shots of a fold share
  std::vector<std::string> notes;  ///< what a reader should know: nothing could be set aside for early stopping, ..
  std::vector<Picture> pictures;
};

std::string to_json(const UnitResult& unit);
/// Throws Error naming `source` and the field when it is no unit, or its lists do not fit each other.
UnitResult unit_from_json(const std::string& text, const std::string& source);

/// The units of a run folder. Not thread-safe.
class UnitStore {
 public:
  /// RUN/units, made when it is missing.
  explicit UnitStore(std::string run_folder);

  bool has(const UnitKey& key) const;
  void save(const UnitResult& unit) const;
  /// Why a unit could not be done; forgotten when it is.
  void save_failure(const UnitKey& key, const Exclusion& failure) const;
  std::vector<Exclusion> failures() const;
  /// Every unit, in the order of their keys. Throws Error for a file that is none, or one of another plan than `plan`.
  std::vector<UnitResult> load_all(const std::string& plan) const;

 private:
  std::string path_of(const UnitKey& key, const char* extension = ".json") const;
  std::string folder_;
};

}  // namespace innerloop::meta::reproduce
