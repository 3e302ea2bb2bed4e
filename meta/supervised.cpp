#include "meta/supervised.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/reduce.h"
#include "autograd/transforms.h"
#include "meta/class_index.h"
#include "meta/clock.h"
#include "meta/finite.h"
#include "meta/work_phase.h"

namespace innerloop::meta {
namespace {

using autograd::Var;
using autograd::Vars;
/// Images that go through at once when nothing is recorded.
constexpr std::int64_t kPart = 32;

std::vector<Tensor> cloned(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copy;
  for (const Tensor& t : tensors) copy.push_back(t.clone());
  return copy;
}

std::vector<Tensor> in_context(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(t.to_context());
  return out;
}

Weights cloned(const Weights& w) {
  return {cloned(w.params), {cloned(w.running.mean), cloned(w.running.variance), {}}};
}

Weights in_context(const Weights& w) {
  return {in_context(w.params), {in_context(w.running.mean), in_context(w.running.variance), {}}};
}

/// Which image is the i-th of the whole fit: an endless walk through the images, in an order that is drawn anew each
/// time all have been seen.
class Order {
 public:
  Order(std::int64_t images, std::uint64_t seed) : seed_(seed), order_(static_cast<std::size_t>(images)) {}

  std::int64_t operator()(std::int64_t i) {
    const auto n = static_cast<std::int64_t>(order_.size());
    if (i / n != round_) draw(i / n);
    return order_[static_cast<std::size_t>(i % n)];
  }

 private:
  void draw(std::int64_t round) {
    round_ = round;
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    PhiloxSequence random(seed_, Stream::kTask, static_cast<std::uint32_t>(round));
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[random.below(static_cast<std::uint32_t>(i))]);
  }

  std::uint64_t seed_;
  std::vector<std::int64_t> order_;
  std::int64_t round_ = -1;
};

void check_images(const nn::Classifier& network, const LabelledImages& images, const char* what) {
  if (images.count() == 0) return;
  const Shape& s = images.pixels.shape();
  IL_CHECK(s.rank() == 4 && s[0] == images.count() && s[1] == network.height() && s[2] == network.width() &&
               s[3] == network.channels(),
           "{}: {} images of shape {} with {} labels for a network of {}x{}x{}", network.name(), what, s.to_string(),
           images.count(), network.height(), network.width(), network.channels());
  for (const std::int32_t y : images.labels)
    IL_CHECK(y >= 0 && y < network.ways(), "{}: a {} label of {}; the network has {} classes", network.name(), what, y,
             network.ways());
}

/// Logits on the host, f32 [N, ways]; or the features, f32 [N, F].
enum class Reading { kLogits, kFeatures };

Tensor read_all(const nn::Classifier& network, const Weights& weights, const Tensor& pixels, Reading reading) {
  const autograd::RecordScope off(false);
  const Weights here = in_context(weights);
  const Vars params(here.params.begin(), here.params.end());
  const Tensor images = pixels.to_context();
  const std::int64_t n = images.shape()[0];
  std::vector<float> all;
  std::int64_t columns = 0;
  for (std::int64_t begin = 0; begin < n; begin += kPart) {
    const std::int64_t count = std::min(kPart, n - begin);
    std::vector<std::int64_t> index(static_cast<std::size_t>(count));
    std::iota(index.begin(), index.end(), begin);
    const Tensor x = gather_images(images, Tensor::from({1, count}, index));
    const nn::ClassifierOutput out = network.forward(params, here.running, x, {});
    const Tensor rows = (reading == Reading::kLogits ? out.logits : out.features).value().to_host();
    columns = rows.shape()[2];
    const auto values = rows.data<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  Tensor out = Tensor::empty_on_host({n, columns}, DType::kF32);
  std::ranges::copy(all, out.mutable_data<float>().begin());
  return out;
}

class Fit {
 public:
  Fit(const nn::Classifier& network, const LabelledImages& train, const LabelledImages& validation,
      const SupervisedOptions& options, FitState start, const FitCallbacks& callbacks)
      : network_(network),
        train_(train),
        validation_(validation),
        options_(options),
        callbacks_(callbacks),
        state_(std::move(start)),
        order_(train.count(), options.seed) {
    check();
    pixels_ = train_.pixels.to_context();
    // The update writes in place; the caller keeps what it handed in.
    state_.weights = in_context(cloned(state_.weights));
    state_.optimizer.m = in_context(cloned(state_.optimizer.m));
    state_.optimizer.v = in_context(cloned(state_.optimizer.v));
    batch_ = std::min(options_.batch, train_.count());
    count_classes();
  }

  FitResult go() {
    FitEnd end = FitEnd::kIterations;
    while (true) {
      if (out_of_patience()) {
        end = FitEnd::kPatience;
        break;
      }
      if (state_.iteration >= options_.optimizer.iterations) break;
      if (callbacks_.stop != nullptr && callbacks_.stop->load()) {
        end = FitEnd::kStopped;
        break;
      }
      iterate();
      if (check_is_due()) check_validation();
      if (callbacks_.on_state) callbacks_.on_state(state_);
    }
    return {end, std::move(state_)};
  }

 private:
  void check() const {
    IL_CHECK(train_.count() > 0, "{}: no image to train on", network_.name());
    check_images(network_, train_, "training");
    check_images(network_, validation_, "validation");
    IL_CHECK(options_.batch >= 1 && options_.batch <= kernels::kMaxImagesPerTask,
             "supervised.batch: {} images; 1 to {} are possible", options_.batch, kernels::kMaxImagesPerTask);
    IL_CHECK(options_.validate_every >= 1, "supervised.validate_every: {}; it starts at 1", options_.validate_every);
    IL_CHECK(state_.weights.params.size() == network_.parameters().size(),
             "{}: a start with {} parameters for a network with {}", network_.name(), state_.weights.params.size(),
             network_.parameters().size());
    IL_CHECK(options_.optimizer.iterations <= std::numeric_limits<std::uint32_t>::max(),
             "supervised.iterations: {} have no address", options_.optimizer.iterations);
  }

  void count_classes() {
    class_weight_.assign(static_cast<std::size_t>(network_.ways()), 1);
    if (options_.class_weights == ClassWeights::kNone) return;
    std::vector<std::int64_t> images(class_weight_.size(), 0);
    for (const std::int32_t y : train_.labels) ++images[static_cast<std::size_t>(y)];
    const auto present = static_cast<double>(std::ranges::count_if(images, [](std::int64_t n) { return n > 0; }));
    for (std::size_t c = 0; c < images.size(); ++c)
      if (images[c] > 0)
        class_weight_[c] = static_cast<double>(train_.count()) / (present * static_cast<double>(images[c]));
  }

  bool out_of_patience() const { return options_.patience > 0 && state_.checks_without_gain >= options_.patience; }
  bool check_is_due() const {
    return validation_.count() > 0 &&
           (state_.iteration % options_.validate_every == 0 || state_.iteration == options_.optimizer.iterations);
  }

  struct Batch {
    Tensor x, labels, weights;  ///< [1, B, H, W, C], i64 [B, 1], f32 [B] that sum to 1
  };

  Batch draw() {
    const WorkPhase phase("draw batch");
    std::vector<std::int64_t> index, labels;
    std::vector<float> weights;
    double sum = 0;
    for (std::int64_t i = 0; i < batch_; ++i) {
      index.push_back(order_(state_.iteration * batch_ + i));
      labels.push_back(train_.labels[static_cast<std::size_t>(index.back())]);
      sum += class_weight_[static_cast<std::size_t>(labels.back())];
    }
    for (const std::int64_t y : labels)
      weights.push_back(static_cast<float>(class_weight_[static_cast<std::size_t>(y)] / sum));
    const Shape& p = pixels_.shape();
    const Tensor where = Tensor::from({1, batch_}, index);
    Tensor x = Tensor::empty({1, batch_, p[1], p[2], p[3]}, DType::kF32);
    kernels::GatherAugment gather;
    gather.images = pixels_.view();
    gather.index = where.view();
    gather.augmentations = options_.augment;
    gather.seed = options_.seed;
    gather.step = static_cast<std::uint32_t>(state_.iteration);
    gather.out = x.mutable_view();
    kernels::run(gather, Context::current());
    return {x, Tensor::from({batch_, 1}, labels), Tensor::from({batch_}, weights)};
  }

  void iterate() {
    const auto begin = Clock::now();
    const Batch batch = draw();
    IterationFigures figures;
    std::vector<Tensor> gradient;
    nn::NormMoments moments;
    {
      const WorkPhase phase("gradient");
      Vars params;
      for (const Tensor& p : state_.weights.params) params.push_back(autograd::variable(p));
      const nn::Pass pass{nn::Phase::kTrain, {options_.seed, static_cast<std::uint32_t>(state_.iteration), 0}};
      nn::ClassifierOutput out = network_.forward(params, state_.weights.running, batch.x, pass);
      // Each image as a task of its own: then the cross-entropy of each stands alone, and can be weighted.
      const Var logits = autograd::reshape(out.logits, {batch_, 1, network_.ways()});
      const Var each = autograd::softmax_cross_entropy(logits, batch.labels, autograd::LossReduction::kMean);
      const Var loss = autograd::sum_all(each * Var(batch.weights));
      gradient = autograd::values(autograd::grad(loss, params, autograd::Record::kValues));
      moments = std::move(out.batch);
      figures.loss = loss.value().to_host().item();
      const Tensor row = out.logits.value();
      figures.accuracy = autograd::accuracy(row, batch.labels.reshape({1, batch_})).to_host().item();
    }
    state_.iteration += 1;
    figures.iteration = state_.iteration;
    double squares = 0;
    for (const Tensor& g : gradient) squares += sum_of_squares(g);
    figures.gradient_norm = std::sqrt(squares);
    check_finite("loss", figures.loss);
    check_finite("gradient", figures.gradient_norm);
    figures.rate = rate_at(options_.optimizer, state_.iteration);
    update(options_.optimizer, schedule_row(options_.optimizer, state_.iteration), state_.weights.params,
           state_.optimizer, gradient);
    state_.optimizer.step = state_.iteration;
    if (!moments.mean.empty())
      state_.weights.running = nn::updated_moments(state_.weights.running, moments, options_.norm_momentum);
    figures.seconds = seconds_since(begin);
    if (callbacks_.on_iteration) callbacks_.on_iteration(figures);
  }

  void check_finite(const char* what, double value) const {
    IL_CHECK(std::isfinite(value),
             "{}: the {} of iteration {} is not finite: the training has diverged; lower supervised.rate, or set "
             "supervised.clip",
             network_.name(), what, state_.iteration);
  }

  void check_validation() {
    const WorkPhase phase("validation");
    const auto begin = Clock::now();
    const Tensor logits = read_all(network_, state_.weights, validation_.pixels, Reading::kLogits);
    CheckFigures figures{state_.iteration, validation_.count(), 0, 0, 0};
    const auto ways = static_cast<std::size_t>(network_.ways());
    for (std::size_t i = 0; i < validation_.labels.size(); ++i) {
      const auto row = logits.data<float>().subspan(i * ways, ways);
      const auto truth = static_cast<std::size_t>(validation_.labels[i]);
      const auto best = std::ranges::max_element(row);
      double sum = 0;
      for (const float v : row) sum += std::exp(static_cast<double>(v) - *best);
      figures.loss += std::log(sum) + *best - row[truth];
      figures.accuracy += static_cast<std::size_t>(best - row.begin()) == truth ? 1 : 0;
    }
    figures.loss /= static_cast<double>(figures.images);
    figures.accuracy /= static_cast<double>(figures.images);
    check_finite("validation loss", figures.loss);
    state_.checks_without_gain += 1;
    if (figures.loss < state_.best.loss) {
      state_.best = {figures.loss, figures.accuracy, state_.iteration, cloned(state_.weights)};
      state_.checks_without_gain = 0;
    }
    figures.seconds = seconds_since(begin);
    if (callbacks_.on_check) callbacks_.on_check(figures);
  }

  const nn::Classifier& network_;
  const LabelledImages &train_, &validation_;
  const SupervisedOptions& options_;
  const FitCallbacks& callbacks_;
  FitState state_;
  Order order_;
  Tensor pixels_;
  std::int64_t batch_ = 1;
  std::vector<double> class_weight_;
};

}  // namespace

FitState start_fit(const nn::Classifier& network, const SupervisedOptions& options) {
  return start_fit({network.init(options.seed), network.init_moments()}, options);
}

FitState start_fit(Weights weights, const SupervisedOptions& options) {
  FitState state;
  state.optimizer = init_optimizer(options.optimizer, weights.params);
  state.weights = std::move(weights);
  return state;
}

FitResult fit(const nn::Classifier& network, const LabelledImages& train, const LabelledImages& validation,
              const SupervisedOptions& options, FitState start, const FitCallbacks& callbacks) {
  return Fit(network, train, validation, options, std::move(start), callbacks).go();
}

Tensor classify(const nn::Classifier& network, const Weights& weights, const Tensor& pixels) {
  const Tensor logits = read_all(network, weights, pixels, Reading::kLogits);
  const autograd::RecordScope off(false);
  const Tensor here = logits.reshape({1, logits.shape()[0], logits.shape()[1]}).to_context();
  return autograd::softmax(here).value().to_host().reshape(logits.shape());
}

Tensor features_of(const nn::Classifier& network, const Weights& weights, const Tensor& pixels) {
  return read_all(network, weights, pixels, Reading::kFeatures);
}

}  // namespace innerloop::meta
