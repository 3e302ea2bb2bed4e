// Configuration: every choice of a run as plain structs, one a section of the TOML file.
//
// The order of precedence is the caller's: start from a preset, apply a file, apply overrides, then validate(). Each
// step names what is wrong in one line (file, line, key, found, expected) as a UsageError. A text that has only some
// sections changes only these: the metadata of a meta-gradient problem carries [model] and [inner] and nothing else.
//
// to_toml() prints every value in a fixed order; applying its text to any Config gives the same bits back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/layout.h"

namespace innerloop::io {

/// kSymmetric: (kernel - 1) / 2 on each side. kSame: TensorFlow's SAME; an odd total puts the extra pixel at the end.
enum class Padding { kSymmetric, kSame };
/// kMax: 2x2, stride 2, floor.
enum class Pool { kMax, kNone };
/// What the dense classifier sees: all features in the order H, W, C, or their mean over H and W.
enum class Head { kFlatten, kMean };
/// kSecond differentiates through the inner steps; kFirst treats the adapted parameters' Jacobian as the identity.
enum class Order { kFirst, kSecond };
/// How Hessian-vector products are made: forward over reverse, or reverse over reverse (the oracle).
enum class Method { kMixed, kReverse };
/// How the cross-entropies of one task's images become its loss.
enum class LossReduction { kMean, kSum };
enum class Optimizer { kAdam, kSgd };
/// kCosine falls from outer.rate to 0 over outer.iterations.
enum class Schedule { kConstant, kCosine };
/// kGroups: images of one class (or patient) share an artificial label. kInstances: each drawn image is its own class.
enum class Scheme { kGroups, kInstances };
/// Whose statistics batch norm uses on an evaluation query: the query batch's own, or those of the support set.
enum class EvalNorm { kBatch, kSupport };
enum class DeviceChoice { kAuto, kCpu, kCuda };
/// What `train` trains: umlf meta-trains [model]; the others are the comparison systems, trained with labels.
enum class System { kUmlf, kLenet5, kAlexnet, kVgg19, kCovxnet, kCnnLstm, kCnnRnn, kEmcnet };
/// kBalanced: every class weighs the same in the loss, whatever its number of images.
enum class ClassWeights { kNone, kBalanced };
/// What becomes of the record of an inner step until its Hessian-vector product. The bits are the same.
enum class StepRecords { kAuto, kKeep, kRecompute };

std::string_view name_of(Padding value);
std::string_view name_of(Pool value);
std::string_view name_of(Head value);
std::string_view name_of(Order value);
std::string_view name_of(Method value);
std::string_view name_of(LossReduction value);
std::string_view name_of(Optimizer value);
std::string_view name_of(Schedule value);
std::string_view name_of(Scheme value);
std::string_view name_of(EvalNorm value);
std::string_view name_of(DeviceChoice value);
std::string_view name_of(StepRecords value);
std::string_view name_of(System value);
std::string_view name_of(ClassWeights value);

/// Blocks of conv (no bias: it is dead under batch norm), batch norm, ReLU, pool; then a dense classifier.
struct ModelConfig {
  std::vector<std::int64_t> filters = {64, 64, 64, 64};  ///< channels of each block, first to last
  std::int64_t kernel = 3;                               ///< side of the filters in pixels
  std::int64_t stride = 1;                               ///< of the convolutions, in pixels
  Padding padding = Padding::kSymmetric;
  Pool pool = Pool::kMax;  ///< after each block
  Head head = Head::kFlatten;
  bool norm_scale = true;      ///< batch norm has a learned scale beside its shift
  double norm_epsilon = 1e-5;  ///< added to the batch variance

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

struct InnerConfig {
  std::int64_t steps = 5;  ///< SGD steps on the support set; 0 adapts nothing
  double rate = 0.01;      ///< step size of inner SGD
  Order order = Order::kSecond;
  Method method = Method::kMixed;
  LossReduction loss = LossReduction::kMean;  ///< over the images of one task; the mean over tasks is fixed

  friend bool operator==(const InnerConfig&, const InnerConfig&) = default;
};

struct OuterConfig {
  Optimizer optimizer = Optimizer::kAdam;
  double rate = 0.001;  ///< step size of the meta-update, before the schedule
  Schedule schedule = Schedule::kConstant;
  double clip = 0;                 ///< bound on each value of the meta-gradient; 0 = off
  std::int64_t tasks = 32;         ///< tasks a meta-step (the meta-batch)
  std::int64_t iterations = 1000;  ///< meta-steps of a whole run

  friend bool operator==(const OuterConfig&, const OuterConfig&) = default;
};

struct TaskConfig {
  Scheme scheme = Scheme::kInstances;
  std::int64_t ways = 5;     ///< classes a training task
  std::int64_t shots = 1;    ///< support images a class
  std::int64_t queries = 1;  ///< augmented query images a class

  friend bool operator==(const TaskConfig&, const TaskConfig&) = default;
};

/// Each pixel is hit with `probability`; the share `salt` of the hit ones becomes 1, the rest 0.
struct SaltPepper {
  double probability = 0.5;
  double salt = 0;
  friend bool operator==(const SaltPepper&, const SaltPepper&) = default;
};
/// Adds normal noise of standard deviation `std`, in units of pixel value (images lie in [0, 1]).
struct GaussianNoise {
  double std = 0.1;
  friend bool operator==(const GaussianNoise&, const GaussianNoise&) = default;
};
/// Moves the image by up to `pixels` in x and in y, each uniform and whole; zero fill.
struct Shift {
  std::int64_t pixels = 6;
  friend bool operator==(const Shift&, const Shift&) = default;
};
using Augmentation = std::variant<SaltPepper, GaussianNoise, Shift>;

/// "salt_pepper", "gaussian" or "shift", as the key `kind` spells it.
std::string_view name_of(const Augmentation& step);

struct DataConfig {
  std::int64_t size = 28;     ///< side of the square images in pixels, after resizing
  std::int64_t channels = 1;  ///< 1 = grey, 3 = RGB
  bool invert = false;        ///< pixel = 1 - v / 255 in place of v / 255
  double holdout = 0.2;       ///< share of the groups kept for evaluation, in [0, 1)
  Layout layout = Layout::kAuto;  ///< of a folder of images (layout.h)
  std::string groups;         ///< CSV that says which images belong to one patient; empty = as the layout tells
  std::string cache;          ///< packed file that keeps decoded images for the next run; empty = decode every time

  friend bool operator==(const DataConfig&, const DataConfig&) = default;
};

struct EvalConfig {
  std::int64_t ways = 5;
  std::int64_t shots = 1;
  std::int64_t queries = 15;    ///< labelled query images a class
  std::int64_t episodes = 600;  ///< drawn tasks an evaluation
  std::int64_t steps = 10;      ///< inner steps at evaluation
  EvalNorm norm = EvalNorm::kBatch;
  std::int64_t every = 100;  ///< meta-steps between evaluations; 0 = only after the last

  friend bool operator==(const EvalConfig&, const EvalConfig&) = default;
};

/// Training with labels: the comparison systems. [data], [augment] and [run] hold for them too; [model], [inner], [outer],
/// [task] and [eval] do not.
struct SupervisedConfig {
  System system = System::kUmlf;
  double width = 1;     ///< factor on the channels and units of every hidden layer
  double dropout = -1;  ///< rate of every dropout layer; -1 = the publication's
  Optimizer optimizer = Optimizer::kAdam;
  double rate = -1;                        ///< step size; -1 = the system's own (nn::adam_rate)
  double clip = 0;                         ///< bound on each value of the gradient; 0 = off
  std::int64_t batch = 16;                 ///< images an iteration
  std::int64_t iterations = 1000;          ///< at most; early stopping may end before
  std::int64_t pretrain_iterations = 300;  ///< of CovXNet's first stage; 0 leaves it out
  double validation = 0.15;                ///< share of the training images for early stopping; 0 = none
  std::int64_t validate_every = 20;        ///< iterations between two checks
  std::int64_t patience = 15;              ///< checks without a better loss before the end; 0 = never
  ClassWeights class_weights = ClassWeights::kBalanced;

  friend bool operator==(const SupervisedConfig&, const SupervisedConfig&) = default;
};

struct RunConfig {
  std::int64_t seed = 1;  ///< >= 0; fixes every random number of the run
  DeviceChoice device = DeviceChoice::kAuto;
  StepRecords records = StepRecords::kAuto;  ///< auto keeps them on a GPU, and on a CPU where they fit a quarter of its memory
  std::int64_t threads = 0;             ///< 0 = one a core; the bits do not depend on it
  std::int64_t checkpoint_every = 100;  ///< meta-steps between checkpoints; 0 = only after the last

  friend bool operator==(const RunConfig&, const RunConfig&) = default;
};

struct Config {
  /// Declared so that Config{} runs a constructor: as an aggregate it makes g++ 12 warn of uninitialised filters.
  Config() = default;

  ModelConfig model;
  InnerConfig inner;
  OuterConfig outer;
  TaskConfig task;
  std::vector<Augmentation> augment = {SaltPepper{}, Shift{}};  ///< makes a query of a support image, in this order
  DataConfig data;
  EvalConfig eval;
  SupervisedConfig supervised;
  RunConfig run;

  friend bool operator==(const Config&, const Config&) = default;
};

/// "paper", "released", "omniglot", "miniimagenet" or "demo". An unknown name lists them all and suggests the nearest.
Config preset(std::string_view name);
std::vector<std::string> preset_names();

/// Applies a TOML file. Throws UsageError when it cannot be read, does not parse, names an unknown key or holds a value
/// of the wrong type or out of its range. `config` is unchanged when it throws.
void apply_toml_file(Config& config, const std::filesystem::path& path);
/// The same for a text; `source` stands where the file's name would in error texts.
void apply_toml_text(Config& config, std::string_view text, std::string_view source);
/// Applies "section.key=value", the value as TOML; a bare word stands for a string. `augment=[{kind = "shift", pixels =
/// 6}]` replaces the whole list.
void apply_override(Config& config, std::string_view assignment);

/// Every value, in schema order, floats in the shortest form that reads back to the same bits.
std::string to_toml(const Config& config);

/// Checks every range and what ties keys together: where [model] is what is trained, the image must survive the pools and
/// strides, and kernels must be odd under symmetric padding. Throws UsageError naming the key.
void validate(const Config& config);

/// One line of help.
struct KeyDoc {
  std::string key;            ///< "inner.rate", or "augment.shift.pixels"
  std::string type;           ///< "number in [0, 1)", "\"max\" | \"none\""
  std::string default_value;  ///< as TOML
  std::string meaning;
};
/// Every key in schema order.
std::vector<KeyDoc> key_docs();

}  // namespace innerloop::io
