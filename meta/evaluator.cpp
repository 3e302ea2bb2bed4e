#include "meta/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>

#include "autograd/op.h"
#include "meta/from_config.h"
#include "meta/named_result.h"

namespace innerloop::meta {
namespace {

/// Episodes that a device adapts as one batch.
constexpr std::int64_t kEpisodesOnDevice = 16;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool stopped(const std::atomic<bool>* stop) { return stop != nullptr && stop->load(std::memory_order_relaxed); }

/// A seed of its own for the random start of one episode; step 1 of the stream, as step 0 is the network's own start.
std::uint64_t start_seed(std::uint64_t seed, std::int64_t episode) {
  const PhiloxBlock b = random_block(seed, Stream::kInit, 1, static_cast<std::uint32_t>(episode), 0);
  return (std::uint64_t{b.word[1]} << 32) | b.word[0];
}

/// Logits [N, ways] of one episode -> probabilities and the mean cross-entropy, in float64.
void softmax_rows(std::span<const float> x, std::size_t ways, std::int64_t queries, EpisodePrediction& out,
                  std::int64_t episode) {
  out.probabilities.resize(x.size());
  double loss = 0;
  for (std::size_t n = 0; n < x.size() / ways; ++n) {
    const float* row = x.data() + n * ways;
    double top = row[0], total = 0;
    for (std::size_t c = 0; c < ways; ++c) {
      IL_CHECK(
          std::isfinite(row[c]),
          "eval: episode {} has outputs that are not finite: the adaptation diverges; lower inner.rate or eval.steps",
          episode);
      top = std::max(top, static_cast<double>(row[c]));
    }
    for (std::size_t c = 0; c < ways; ++c) total += out.probabilities[n * ways + c] = std::exp(row[c] - top);
    for (std::size_t c = 0; c < ways; ++c) out.probabilities[n * ways + c] /= total;
    const auto label = static_cast<std::int64_t>(n) / queries;
    out.labels.push_back(static_cast<int>(label));
    loss += std::log(total) + top - row[label];
  }
  out.loss = loss / static_cast<double>(out.labels.size());
}

/// adapt() one step at a time, so that a stop is seen within a step; empty when it was.
std::vector<Tensor> adapt_until_stopped(const nn::ConvNet& net, std::vector<Tensor> theta, const TaskBatch& task,
                                        InnerOptions inner, const std::atomic<bool>* stop) {
  const int steps = inner.steps;
  inner.steps = 1;
  for (int k = 0; k < steps; ++k) {
    if (stopped(stop)) return {};
    theta = adapt(net, theta, task.support_x, task.support_y, inner);
  }
  return theta;
}

/// Parameters [T, ...] from T lists of [1, ...].
std::vector<Tensor> side_by_side(const std::vector<std::vector<Tensor>>& tasks) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < tasks[0].size(); ++i) {
    const Tensor& like = tasks[0][i];
    Tensor all = Tensor::empty_on_host(like.shape().with(0, static_cast<std::int64_t>(tasks.size())), like.dtype());
    auto to = all.mutable_data<float>().begin();
    for (const auto& params : tasks) to = std::ranges::copy(params[i].to_host().data<float>(), to).out;
    out.push_back(all.to_context());
  }
  return out;
}

/// The parameters that episodes first .. first + count - 1 start from.
std::vector<Tensor> starts(const nn::ConvNet& net, const std::vector<Tensor>& params, const EvalOptions& options,
                           std::int64_t first, std::int64_t count) {
  if (options.fresh_init == FreshInit::kNo) return params;
  std::vector<std::vector<Tensor>> fresh;
  for (std::int64_t i = first; i < first + count; ++i)
    fresh.push_back(net.init(start_seed(options.episode.seed, i)));
  return side_by_side(fresh);
}

/// The predictions of episodes that are adapted as one batch; none when it was stopped.
std::vector<EpisodePrediction> run_episodes(const nn::ConvNet& net, const std::vector<Tensor>& params,
                                            const EpisodeSource& source, const EvalOptions& options,
                                            std::int64_t first, std::int64_t count) {
  const Episodes episodes = source.draw(first, count);
  const std::vector<Tensor> theta = adapt_until_stopped(net, starts(net, params, options, first, count),
                                                        episodes.tasks, options.inner, options.stop);
  if (theta.empty()) return {};
  autograd::RecordScope off(false);
  Tensor logits;
  if (options.norm == EvalNorm::kBatch) {
    logits = net.logits(autograd::Vars(theta.begin(), theta.end()), episodes.tasks.query_x).value();
  } else {
    nn::NormStatistics statistics;
    net.logits_and_statistics(theta, episodes.tasks.support_x, statistics);
    logits = net.logits_with_statistics(theta, episodes.tasks.query_x, statistics);
  }
  const Tensor on_host = logits.to_host();
  const auto ways = static_cast<std::size_t>(logits.shape()[2]);
  const std::size_t each = static_cast<std::size_t>(logits.shape()[1]) * ways;
  std::vector<EpisodePrediction> out;
  for (std::int64_t t = 0; t < count; ++t) {
    out.emplace_back();
    out.back().classes = episodes.classes[static_cast<std::size_t>(t)];
    softmax_rows(on_host.data<float>().subspan(static_cast<std::size_t>(t) * each, each), ways,
                 options.episode.queries, out.back(), first + t);
  }
  return out;
}

/// Means over episodes. A measure that is undefined in an episode is left out of its mean.
void summarise(const std::vector<EpisodePrediction>& predictions, int ways, EvalResult& result) {
  double defined = 0, roc = 0, pr = 0;
  const auto n = static_cast<double>(predictions.size());
  for (const EpisodePrediction& p : predictions) {
    const ClassificationReport report = classification_report(p.labels, p.probabilities, ways);
    result.accuracies.push_back(report.confusion.accuracy());
    result.query_loss += p.loss / n;
    result.precision += report.macro.precision / n;
    result.recall += report.macro.recall / n;
    result.f1 += report.macro.f1 / n;
    if (std::isnan(report.macro_roc_auc)) continue;
    defined += 1;
    roc += report.macro_roc_auc;
    pr += report.macro_average_precision;
  }
  result.roc_auc = defined > 0 ? roc / defined : kNaN;
  result.average_precision = defined > 0 ? pr / defined : kNaN;
  result.accuracy = mean_with_interval(result.accuracies);
}

std::vector<std::pair<std::string, std::string>> protocol_of(const io::ImageSet& set, const EvalOptions& o) {
  const EpisodeOptions& e = o.episode;
  return {{"data", set.name},
          {"data hash", o.data_hash.empty() ? set.hash() : o.data_hash},
          {"ways", fmt::format("{}", e.ways)},
          {"shots", fmt::format("{} a class", e.shots)},
          {"queries", fmt::format("{} a class", e.queries)},
          {"episodes", fmt::format("{}", o.episodes)},
          {"inner steps", fmt::format("{}", o.inner.steps)},
          {"inner rate", fmt::format("{}", o.inner.rate)},
          {"norm", o.norm == EvalNorm::kBatch ? "batch (statistics of the query batch)"
                                              : "support (statistics of the support set)"},
          {"start", o.fresh_init == FreshInit::kNo ? "given parameters" : "new random parameters for each episode"},
          {"seed", fmt::format("{}", e.seed)}};
}

void check_fits(const nn::ConvNet& net, const io::ImageSet& set, const EvalOptions& o) {
  const nn::ConvNetOptions& n = net.options();
  IL_CHECK(o.episodes >= 1, "eval.episodes: {} episodes; at least one is needed", o.episodes);
  IL_CHECK(o.episode.ways == n.ways,
           "eval.ways: {} ways, but the network was trained for task.ways = {}; set eval.ways = {}", o.episode.ways,
           n.ways, n.ways);
  IL_CHECK(set.height == n.height && set.width == n.width && set.channels == n.channels,
           "eval: images of {}x{}x{} for a network of {}x{}x{}; load them with data.size = {} and data.channels = {}",
           set.height, set.width, set.channels, n.height, n.width, n.channels, n.height, n.channels);
}

}  // namespace

EvalOptions eval_options(const io::Config& config) {
  EvalOptions o;
  o.episode.ways = config.eval.ways;
  o.episode.shots = config.eval.shots;
  o.episode.queries = config.eval.queries;
  o.episode.seed = static_cast<std::uint64_t>(config.run.seed);
  o.episodes = config.eval.episodes;
  o.inner = inner_options(config);
  o.inner.steps = static_cast<int>(config.eval.steps);
  o.norm = config.eval.norm == io::EvalNorm::kBatch ? EvalNorm::kBatch : EvalNorm::kSupport;
  return o;
}

void check_evaluation(const nn::ConvNet& net, const io::ImageSet& set, const EvalOptions& options) {
  check_fits(net, set, options);
  const EpisodeSource source(set, options.episode);
}

EvalResult evaluate(const nn::ConvNet& net, const std::vector<Tensor>& given, const io::ImageSet& set,
                    const EvalOptions& options) {
  std::vector<Tensor> params;
  for (const Tensor& p : given) params.push_back(p.to_context());
  const auto begin = std::chrono::steady_clock::now();
  check_fits(net, set, options);
  const EpisodeSource source(set, options.episode);
  std::vector<EpisodePrediction> predictions(static_cast<std::size_t>(options.episodes));
  std::mutex progress;
  std::int64_t done = 0;
  Context& context = Context::current();
  // A CPU has an episode on each thread; a device needs many side by side to be filled.
  const std::int64_t batch = context.device() != nullptr ? kEpisodesOnDevice : 1;
  context.threads().parallel_for((options.episodes + batch - 1) / batch, [&](std::int64_t i) {
    if (stopped(options.stop)) return;
    ContextScope scope(context);
    const std::int64_t first = i * batch, count = std::min(batch, options.episodes - first);
    std::vector<EpisodePrediction> some = run_episodes(net, params, source, options, first, count);
    std::ranges::move(some, predictions.begin() + first);
    if (!options.progress || some.empty()) return;
    const std::scoped_lock lock(progress);
    done += count;
    options.progress(done, options.episodes);
  });

  EvalResult result;
  // A stop that comes after the last episode changes nothing.
  for (const EpisodePrediction& p : predictions)
    if (p.probabilities.empty()) {
      result.outcome = EvalOutcome::kStopped;
      return result;
    }
  summarise(predictions, static_cast<int>(options.episode.ways), result);
  std::int64_t classes = 0;
  for (const auto& members : set.by_class()) classes += members.empty() ? 0 : 1;
  if (classes <= options.named_classes) {
    result.has_named = true;
    result.named = named_result(predictions, set.classes);
  }
  result.left_out = source.left_out();
  result.protocol = protocol_of(set, options);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace innerloop::meta
