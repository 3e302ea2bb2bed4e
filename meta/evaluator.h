// Evaluation on labelled episodes: adapt on the support, predict the query, count.
//
// Episodes run side by side, one a thread. Determinism: results are joined in the order of the episodes, so the same
// bits come out at any number of threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "io/config.h"
#include "meta/episode_source.h"
#include "meta/inner_loop.h"
#include "meta/metrics.h"
#include "nn/conv_net.h"

namespace innerloop::meta {

/// Whose statistics batch norm uses when it predicts a query image.
enum class EvalNorm : std::uint8_t {
  kBatch,    ///< those of the whole query batch: an image's answer depends on its neighbours (the usual protocol)
  kSupport,  ///< those of the support images at the adapted parameters: each image is answered alone
};

enum class FreshInit : std::uint8_t {
  kNo,          ///< every episode starts at the given parameters
  kPerEpisode,  ///< from new random parameters an episode: the baseline "trained from scratch on the support alone"
};

struct EvalOptions {
  EpisodeOptions episode;
  std::int64_t episodes = 600;
  InnerOptions inner;  ///< steps and rate of the adaptation
  EvalNorm norm = EvalNorm::kBatch;
  FreshInit fresh_init = FreshInit::kNo;
  /// With at most so many classes in the set, queries are also counted by their true class: confusion matrix, scores,
  /// curves.
  std::int64_t named_classes = 20;
  std::string data_hash;  ///< of the set, for the protocol; computed when empty, which costs a pass over the pixels
  const std::atomic<bool>* stop = nullptr;  ///< when it turns true, the evaluation ends early (EvalOutcome::kStopped)
  /// Called with (done, episodes) from the working threads, one call at a time, `done` rising.
  std::function<void(std::int64_t, std::int64_t)> progress;
};

/// The [eval] section with inner.rate and inner.loss; the seed is run.seed.
EvalOptions eval_options(const io::Config& config);

enum class EvalOutcome : std::uint8_t { kDone, kStopped };

/// The queries of all episodes, counted by the true classes of the set. An episode's probabilities are those of its own
/// `ways` classes; a class is ranked (ROC, PR) over the queries of the episodes that contain it.
struct NamedResult {
  std::vector<std::string> classes;  ///< those that occurred, in the set's order
  ConfusionMatrix confusion{1};      ///< over `classes`
  std::vector<ClassScores> per_class;
  ClassScores macro;
  std::vector<double> roc_auc, average_precision;  ///< one-vs-rest; NaN where undefined
  double macro_roc_auc = 0, macro_average_precision = 0;
  std::vector<Curve> roc, precision_recall;
};

struct EvalResult {
  EvalOutcome outcome = EvalOutcome::kDone;  ///< the rest is empty when stopped
  std::vector<double> accuracies;            ///< [episodes]
  Estimate accuracy;                         ///< over episodes
  std::string unit = "episodes";             ///< what an accuracy is of: "episodes", or "images" (meta/system_evaluation.h)
  double query_loss = 0;                     ///< mean cross-entropy a query image
  /// Means over episodes of the macro scores of the episode's own classes, and of its one-vs-rest areas.
  double precision = 0, recall = 0, f1 = 0, roc_auc = 0, average_precision = 0;
  bool has_named = false;
  NamedResult named;  ///< when the set has few classes
  std::vector<LeftOutClass> left_out;
  double seconds = 0;
  /// What the figures rest on, in print order: ways, shots, queries, episodes, steps, rate, norm, seed, start, data,
  /// data hash.
  std::vector<std::pair<std::string, std::string>> protocol;
};

/// `params` [1, ...] float32. Throws Error when the head's width is not `ways`, the images do not fit the network, or
/// the set cannot supply the episodes (see EpisodeSource).
EvalResult evaluate(const nn::ConvNet& net, const std::vector<Tensor>& params, const io::ImageSet& set,
                    const EvalOptions& options);

/// Throws what evaluate() would throw about the set and the network, without running an episode.
void check_evaluation(const nn::ConvNet& net, const io::ImageSet& set, const EvalOptions& options);

}  // namespace innerloop::meta
