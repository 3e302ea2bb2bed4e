#include "io/config_schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <type_traits>

namespace innerloop::io {
namespace schema {
namespace {

using Name = std::string_view;
constexpr Name kPaddings[] = {"symmetric", "same"};
constexpr Name kLayouts[] = {"auto", "folders", "bimcv", "kermany", "cc_cxri", "mapped"};
constexpr Name kPools[] = {"max", "none"};
constexpr Name kHeads[] = {"flatten", "mean"};
constexpr Name kOrders[] = {"1", "2"};
constexpr Name kMethods[] = {"mixed", "reverse"};
constexpr Name kReductions[] = {"mean", "sum"};
constexpr Name kOptimizers[] = {"adam", "sgd"};
constexpr Name kSchedules[] = {"constant", "cosine"};
constexpr Name kSchemes[] = {"groups", "instances"};
constexpr Name kEvalNorms[] = {"batch", "support"};
constexpr Name kDevices[] = {"auto", "cpu", "cuda"};
constexpr Name kRecords[] = {"auto", "keep", "recompute"};
constexpr Name kSystems[] = {"umlf", "lenet5", "alexnet", "vgg19", "covxnet", "cnn_lstm", "cnn_rnn", "emcnet"};
constexpr Name kClassWeights[] = {"none", "balanced"};
constexpr Name kAugmentations[] = {"salt_pepper", "gaussian", "shift"};
constexpr Name kSections[] = {"model", "inner", "outer", "task", "augment", "data", "eval", "supervised", "run"};

constexpr RealRange kNotNegative{};
constexpr RealRange kPositive{.min = 0, .low = End::kOpen};
constexpr RealRange kShare{.min = 0, .max = 1, .high = End::kClosed};
constexpr RealRange kProperShare{.min = 0, .max = 1, .high = End::kOpen};

// The upper ends keep products of a few keys inside 64 bits; no run comes near them.
constexpr std::int64_t kMany = 1'000'000'000;

template <auto... Path>
constexpr auto at = access<Config, Path...>();

template <auto... Path>
Choice<Config> pick(std::span<const Name> names, Spelling spelling = Spelling::kWord) {
  using Enum = std::remove_cvref_t<decltype((std::declval<Config&>() .* ... .* Path))>;
  return {[](const Config& root) { return static_cast<std::size_t>((root .* ... .* Path)); },
          [](Config& root, std::size_t index) { (root .* ... .* Path) = static_cast<Enum>(index); }, names, spelling};
}

const std::vector<Key<Config>>& table() {
  using C = Config;
  static const std::vector<Key<Config>> keys = {
      {"model", "filters", "channels of each block, first to last",
       Integers<C>{at<&C::model, &ModelConfig::filters>, {1, 65536}, 16}},
      {"model", "kernel", "side of the convolution filters, pixels",
       Integer<C>{at<&C::model, &ModelConfig::kernel>, {1, 63}}},
      {"model", "stride", "stride of the convolutions, pixels",
       Integer<C>{at<&C::model, &ModelConfig::stride>, {1, 16}}},
      {"model", "padding", "symmetric: (kernel - 1) / 2 on each side; same: TensorFlow's SAME",
       pick<&C::model, &ModelConfig::padding>(kPaddings)},
      {"model", "pool", "after each block: 2x2 maximum at stride 2, or nothing",
       pick<&C::model, &ModelConfig::pool>(kPools)},
      {"model", "head", "what the classifier sees: every feature, or their mean over the image",
       pick<&C::model, &ModelConfig::head>(kHeads)},
      {"model", "norm_scale", "batch norm has a learned scale beside its shift",
       Flag<C>{at<&C::model, &ModelConfig::norm_scale>}},
      {"model", "norm_epsilon", "added to the batch variance",
       Real<C>{at<&C::model, &ModelConfig::norm_epsilon>, kPositive}},

      {"inner", "steps", "gradient steps on the support set",
       Integer<C>{at<&C::inner, &InnerConfig::steps>, {0, 100000}}},
      {"inner", "rate", "step size of the inner steps", Real<C>{at<&C::inner, &InnerConfig::rate>, kNotNegative}},
      {"inner", "order", "2: differentiate through the inner steps; 1: first-order approximation",
       pick<&C::inner, &InnerConfig::order>(kOrders, Spelling::kInteger)},
      {"inner", "method", "Hessian-vector products by forward over reverse, or by reverse over reverse",
       pick<&C::inner, &InnerConfig::method>(kMethods)},
      {"inner", "loss", "how the cross-entropies of a task's images become its loss",
       pick<&C::inner, &InnerConfig::loss>(kReductions)},

      {"outer", "optimizer", "rule of the meta-update", pick<&C::outer, &OuterConfig::optimizer>(kOptimizers)},
      {"outer", "rate", "step size of the meta-update, before the schedule",
       Real<C>{at<&C::outer, &OuterConfig::rate>, kNotNegative}},
      {"outer", "schedule", "constant, or a cosine that falls to 0 over outer.iterations",
       pick<&C::outer, &OuterConfig::schedule>(kSchedules)},
      {"outer", "clip", "bound on each value of the meta-gradient; 0 = off",
       Real<C>{at<&C::outer, &OuterConfig::clip>, kNotNegative}},
      {"outer", "tasks", "tasks a meta-step (the meta-batch)",
       Integer<C>{at<&C::outer, &OuterConfig::tasks>, {1, 65536}}},
      {"outer", "iterations", "meta-steps of the whole run",
       Integer<C>{at<&C::outer, &OuterConfig::iterations>, {0, kMany}}},

      {"task", "scheme", "groups: images of a group share an artificial label; instances: each image is its own class",
       pick<&C::task, &TaskConfig::scheme>(kSchemes)},
      {"task", "ways", "classes of a training task", Integer<C>{at<&C::task, &TaskConfig::ways>, {2, 65535}}},
      {"task", "shots", "support images a class", Integer<C>{at<&C::task, &TaskConfig::shots>, {1, 65535}}},
      {"task", "queries", "augmented query images a class", Integer<C>{at<&C::task, &TaskConfig::queries>, {1, 65536}}},

      {"data", "size", "side of the square images, pixels", Integer<C>{at<&C::data, &DataConfig::size>, {1, 4096}}},
      {"data", "channels", "1 = grey, 3 = RGB", Integer<C>{at<&C::data, &DataConfig::channels>, {.min = 1, .max = 3, .step = 2}}},
      {"data", "invert", "pixel = 1 - v / 255 in place of v / 255", Flag<C>{at<&C::data, &DataConfig::invert>}},
      {"data", "holdout", "share of the groups kept for evaluation",
       Real<C>{at<&C::data, &DataConfig::holdout>, kProperShare}},
      {"data", "layout", "how a folder of images is laid out; auto looks (docs/data.md)",
       pick<&C::data, &DataConfig::layout>(kLayouts)},
      {"data", "groups", "CSV that says which images belong to one patient; empty = as the layout tells",
       Text<C>{at<&C::data, &DataConfig::groups>}},
      {"data", "cache", "packed file that keeps decoded images for the next run; empty = decode every time",
       Text<C>{at<&C::data, &DataConfig::cache>}},

      {"eval", "ways", "classes of an evaluation episode", Integer<C>{at<&C::eval, &EvalConfig::ways>, {2, 65535}}},
      {"eval", "shots", "labelled support images a class", Integer<C>{at<&C::eval, &EvalConfig::shots>, {1, 65535}}},
      {"eval", "queries", "labelled query images a class", Integer<C>{at<&C::eval, &EvalConfig::queries>, {1, 65536}}},
      {"eval", "episodes", "drawn tasks an evaluation", Integer<C>{at<&C::eval, &EvalConfig::episodes>, {1, kMany}}},
      {"eval", "steps", "inner steps at evaluation", Integer<C>{at<&C::eval, &EvalConfig::steps>, {0, 100000}}},
      {"eval", "norm", "whose statistics batch norm uses on a query: the query batch's, or the support set's",
       pick<&C::eval, &EvalConfig::norm>(kEvalNorms)},
      {"eval", "every", "meta-steps between evaluations; 0 = only after the last",
       Integer<C>{at<&C::eval, &EvalConfig::every>, {0, kMany}}},

      {"supervised", "system", "umlf: meta-train [model]; else a comparison system, trained with labels",
       pick<&C::supervised, &SupervisedConfig::system>(kSystems)},
      {"supervised", "width", "factor on the channels and units of every hidden layer; 1 = the publication's net",
       Real<C>{at<&C::supervised, &SupervisedConfig::width>, {.low = End::kOpen, .max = 4, .high = End::kClosed}}},
      {"supervised", "dropout", "rate of every dropout layer; -1 = the publication's own",
       Real<C>{at<&C::supervised, &SupervisedConfig::dropout>, {.min = 0, .max = 1, .high = End::kOpen, .or_own = true}}},
      {"supervised", "optimizer", "rule of the update", pick<&C::supervised, &SupervisedConfig::optimizer>(kOptimizers)},
      {"supervised", "rate", "step size; -1 = the system's own, for Adam",
       Real<C>{at<&C::supervised, &SupervisedConfig::rate>, {.min = 0, .or_own = true}}},
      {"supervised", "clip", "bound on each value of the gradient; 0 = off",
       Real<C>{at<&C::supervised, &SupervisedConfig::clip>, kNotNegative}},
      {"supervised", "batch", "images an iteration", Integer<C>{at<&C::supervised, &SupervisedConfig::batch>, {1, 2048}}},
      {"supervised", "iterations", "updates of the whole run, at most",
       Integer<C>{at<&C::supervised, &SupervisedConfig::iterations>, {0, kMany}}},
      {"supervised", "pretrain_iterations", "CovXNet: updates of pneumonia against normal before the training; 0 = none",
       Integer<C>{at<&C::supervised, &SupervisedConfig::pretrain_iterations>, {0, kMany}}},
      {"supervised", "validation", "share of the training images that early stopping watches; 0 = none",
       Real<C>{at<&C::supervised, &SupervisedConfig::validation>, kProperShare}},
      {"supervised", "validate_every", "iterations between two checks of the validation images",
       Integer<C>{at<&C::supervised, &SupervisedConfig::validate_every>, {1, kMany}}},
      {"supervised", "patience", "checks without a better validation loss before the end; 0 = never",
       Integer<C>{at<&C::supervised, &SupervisedConfig::patience>, {0, kMany}}},
      {"supervised", "class_weights", "balanced: every class weighs the same in the loss; none: every image does",
       pick<&C::supervised, &SupervisedConfig::class_weights>(kClassWeights)},

      {"run", "seed", "fixes every random number of the run", Integer<C>{at<&C::run, &RunConfig::seed>, {}}},
      {"run", "device", "where the kernels run", pick<&C::run, &RunConfig::device>(kDevices)},
      {"run", "records", "of inner steps: keep them (faster), compute them again (less memory), or auto: keep where memory allows",
       pick<&C::run, &RunConfig::records>(kRecords)},
      {"run", "threads", "CPU threads; 0 = one a core", Integer<C>{at<&C::run, &RunConfig::threads>, {0, 4096}}},
      {"run", "checkpoint_every", "meta-steps between checkpoints; 0 = only after the last",
       Integer<C>{at<&C::run, &RunConfig::checkpoint_every>, {0, kMany}}},
  };
  return keys;
}

}  // namespace

std::span<const Key<Config>> config_keys() { return table(); }
std::span<const std::string_view> sections() { return kSections; }
std::span<const std::string_view> augmentation_kinds() { return kAugmentations; }

template <>
std::span<const Key<SaltPepper>> augmentation_keys<SaltPepper>() {
  using S = SaltPepper;
  static const std::array<Key<S>, 2> keys = {{
      {"salt_pepper", "probability", "chance of each pixel to be hit", Real<S>{access<S, &S::probability>(), kShare}},
      {"salt_pepper", "salt", "share of the hit pixels set to 1, the rest to 0",
       Real<S>{access<S, &S::salt>(), kShare}},
  }};
  return keys;
}

template <>
std::span<const Key<GaussianNoise>> augmentation_keys<GaussianNoise>() {
  using G = GaussianNoise;
  static const std::array<Key<G>, 1> keys = {{
      {"gaussian", "std", "standard deviation of the noise; images lie in [0, 1]",
       Real<G>{access<G, &G::std>(), {.min = 0, .max = 1e6, .high = End::kOpen}}},
  }};
  return keys;
}

template <>
std::span<const Key<Shift>> augmentation_keys<Shift>() {
  static const std::array<Key<Shift>, 1> keys = {{
      {"shift", "pixels", "farthest move in x and in y, pixels",
       Integer<Shift>{access<Shift, &Shift::pixels>(), {0, 16384}}},
  }};
  return keys;
}

Augmentation make_augmentation(std::size_t index) {
  static_assert(std::variant_size_v<Augmentation> == std::size(kAugmentations));
  switch (index) {
    case 0: return SaltPepper{};
    case 1: return GaussianNoise{};
    default: return Shift{};
  }
}

}  // namespace schema

namespace {

template <class Enum>
std::string_view spell(std::span<const std::string_view> names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

}  // namespace

std::string_view name_of(Padding value) { return spell(schema::kPaddings, value); }
std::string_view name_of(Pool value) { return spell(schema::kPools, value); }
std::string_view name_of(Head value) { return spell(schema::kHeads, value); }
std::string_view name_of(Order value) { return spell(schema::kOrders, value); }
std::string_view name_of(Method value) { return spell(schema::kMethods, value); }
std::string_view name_of(LossReduction value) { return spell(schema::kReductions, value); }
std::string_view name_of(Optimizer value) { return spell(schema::kOptimizers, value); }
std::string_view name_of(Schedule value) { return spell(schema::kSchedules, value); }
std::string_view name_of(Scheme value) { return spell(schema::kSchemes, value); }
std::string_view name_of(EvalNorm value) { return spell(schema::kEvalNorms, value); }
std::string_view name_of(DeviceChoice value) { return spell(schema::kDevices, value); }
std::string_view name_of(StepRecords value) { return spell(schema::kRecords, value); }
std::string_view name_of(System value) { return spell(schema::kSystems, value); }
std::string_view name_of(ClassWeights value) { return spell(schema::kClassWeights, value); }
std::string_view name_of(const Augmentation& step) { return schema::kAugmentations[step.index()]; }

}  // namespace innerloop::io
