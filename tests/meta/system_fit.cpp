// Whole systems: each learns, is saved and answers as before; CovXNet's two stages; evaluation.
#include "meta/system_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fixtures.h"
#include "io/safetensors.h"
#include "meta/system_checkpoint.h"
#include "meta/system_evaluation.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using io::TempFolder;
using test::throws_with;

/// Settings under which a small set is learned in seconds.
io::Config quick(io::System system) {
  io::Config c;
  c.supervised.system = system;
  c.supervised.width = 1.0 / 8;
  c.supervised.batch = 12;
  c.supervised.iterations = 60;
  c.supervised.pretrain_iterations = 10;
  c.supervised.validate_every = 10;
  c.supervised.validation = 0.2;
  c.supervised.rate = 0.003;
  c.augment = {io::Shift{2}};
  c.data.size = 64;
  c.run.seed = 5;
  switch (system) {
    case io::System::kLenet5:
      c.supervised.width = 1;
      break;
    case io::System::kCovxnet:
      c.supervised.width = 0.25;
      c.data.size = 32;
      break;
    case io::System::kVgg19:
      c.supervised.dropout = 0;
      c.data.size = 32;
      break;
    case io::System::kCnnLstm:
    case io::System::kCnnRnn:
      c.supervised.dropout = 0;
      c.data.size = 32;
      break;
    default:
      break;
  }
  return c;
}

std::vector<float> answers(const TrainedSystem& system, const Tensor& pixels) {
  const Tensor p = probabilities(system, pixels);
  return {p.data<float>().begin(), p.data<float>().end()};
}

class EverySystemLearns : public testing::TestWithParam<io::System> {};

TEST_P(EverySystemLearns, BetterThanChanceAndIsSavedAsItIs) {
  const io::Config config = quick(GetParam());
  const io::ImageSet all = test::tiny_set({24, 24, 24}, config.data.size);
  std::vector<std::int64_t> train, test;
  for (std::int64_t i = 0; i < all.count(); ++i) (i % 24 < 16 ? train : test).push_back(i);
  const SystemFit fitted = fit_system(io::subset(all, train), config);
  const io::ImageSet unseen = io::subset(all, test);
  const EvalResult result = evaluate_system(fitted.system, unseen, "hash");
  EXPECT_GE(result.accuracy.mean, 0.7) << "chance is 0.33";
  EXPECT_EQ(result.accuracy.n, 24);

  TempFolder folder;
  SystemCheckpoint c{config, fitted.system.classes, fitted.state, fitted.system.ensemble, "hash", {{"data", "tiny"}}};
  save_system(folder.path("run.safetensors"), c, Holds::kRun);
  save_system(folder.path("best.safetensors"), c, Holds::kSystem);
  const std::vector<float> before = answers(fitted.system, unseen.pixels);
  for (const char* file : {"run.safetensors", "best.safetensors"}) {
    const std::string path = folder.path(file);
    EXPECT_TRUE(is_system_checkpoint(path));
    const SystemCheckpoint again = load_system(path);
    EXPECT_EQ(again.classes, c.classes);
    EXPECT_EQ(again.config, config);
    EXPECT_TRUE(answers(again.system(path), unseen.pixels) == before) << file;
  }
  const SystemCheckpoint again = load_system(folder.path("run.safetensors"));
  save_system(folder.path("again.safetensors"), again, Holds::kRun);
  EXPECT_EQ(io::read_file(folder.path("run.safetensors")), io::read_file(folder.path("again.safetensors")));
}

std::string label(const testing::TestParamInfo<io::System>& info) { return std::string(io::name_of(info.param)); }
INSTANTIATE_TEST_SUITE_P(Systems, EverySystemLearns,
                         testing::Values(io::System::kLenet5, io::System::kAlexnet, io::System::kVgg19,
                                         io::System::kCovxnet, io::System::kCnnLstm, io::System::kCnnRnn,
                                         io::System::kEmcnet),
                         label);

io::ImageSet named_set(std::vector<std::string> classes, std::int64_t size) {
  io::ImageSet set = test::tiny_set(std::vector<std::int64_t>(classes.size(), 10), size);
  set.classes = std::move(classes);
  return set;
}

TEST(SystemFit, CovxnetIsPretrainedWithoutCovid19) {
  const io::ImageSet set = named_set({"COVID-19", "Normal", "bacterial", "viral"}, 32);
  const PretrainingImages first = pretraining_images(set);
  EXPECT_EQ(first.images.count(), 30);
  EXPECT_EQ(std::ranges::count(first.images.labels, 0), 10);
  EXPECT_EQ(std::ranges::count(first.images.labels, 1), 20);
  EXPECT_NE(first.note.find("bacterial, viral against Normal"), std::string::npos) << first.note;

  io::Config config = quick(io::System::kCovxnet);
  config.supervised.iterations = 4;
  config.supervised.pretrain_iterations = 3;
  std::vector<Stage> stages;
  SystemCallbacks callbacks;
  callbacks.on_iteration = [&](Stage stage, const IterationFigures&) { stages.push_back(stage); };
  const SystemFit fitted = fit_system(set, config, nullptr, callbacks);
  EXPECT_EQ(std::ranges::count(stages, Stage::kPretraining), 3);
  EXPECT_EQ(std::ranges::count(stages, Stage::kTraining), 4);
  EXPECT_EQ(fitted.state.step(), 7);
  EXPECT_EQ(fitted.system.options.ways, 4);
}

TEST(SystemFit, SaysWhyThereIsNoPretraining) {
  EXPECT_EQ(pretraining_images(named_set({"covid19", "normal"}, 12)).images.count(), 0);
  const PretrainingImages none = pretraining_images(named_set({"nodule", "lobar"}, 12));
  EXPECT_EQ(none.images.count(), 0);
  EXPECT_NE(none.note.find("no pretraining"), std::string::npos);
}

TEST(SystemFit, GoesOnFromEveryStageToTheSameBytes) {
  const io::ImageSet set = named_set({"covid19", "normal", "viral"}, 32);
  io::Config config = quick(io::System::kCovxnet);
  config.supervised.width = 1.0 / 16;
  config.supervised.iterations = 6;
  config.supervised.pretrain_iterations = 5;
  config.supervised.validate_every = 2;
  TempFolder folder;
  const auto save = [&](const SystemState& state, const std::string& name) {
    save_system(folder.path(name), {config, set.classes, state, nullptr, "", {}}, Holds::kRun);
  };
  save(fit_system(set, config).state, "straight");
  for (const std::int64_t stop_at : {0, 3, 5, 8}) {
    std::atomic<bool> stop = false;
    SystemCallbacks callbacks;
    callbacks.stop = &stop;
    callbacks.on_state = [&](const SystemState& s) { stop = s.step() == stop_at; };
    const SystemFit first = fit_system(set, config, nullptr, callbacks);
    EXPECT_EQ(first.end, FitEnd::kStopped);
    save(first.state, "middle");
    const SystemState middle = load_system(folder.path("middle")).state;
    save(fit_system(set, config, &middle).state, "resumed");
    EXPECT_EQ(io::read_file(folder.path("straight")), io::read_file(folder.path("resumed")))
        << "stopped after " << stop_at;
  }
}

TEST(SystemFit, AStepSizeThatIsNotGivenIsTheSystemsOwn) {
  io::Config c;
  c.supervised.system = io::System::kVgg19;
  EXPECT_EQ(supervised_options(c).optimizer.rate, nn::adam_rate(nn::System::kVgg19));
  c.supervised.system = io::System::kLenet5;
  EXPECT_EQ(supervised_options(c).optimizer.rate, nn::adam_rate(nn::System::kLenet5));
  EXPECT_NE(nn::adam_rate(nn::System::kLenet5), nn::adam_rate(nn::System::kVgg19));
  c.supervised.rate = 0;
  EXPECT_EQ(supervised_options(c).optimizer.rate, 0);
  c.supervised.optimizer = io::Optimizer::kSgd;
  c.supervised.rate = -1;
  EXPECT_TRUE(throws_with([&] { supervised_options(c); }, {"supervised.rate", "sgd", "--set"}));
}

TEST(SystemFit, NamesWhatItCannotUse) {
  const io::Config config = quick(io::System::kLenet5);
  EXPECT_TRUE(throws_with([&] { fit_system(named_set({"one"}, 64), config); }, {"tiny", "one class alone"}));
  io::ImageSet hollow = test::tiny_set({3, 3}, 64);
  hollow.classes.push_back("empty");
  EXPECT_TRUE(throws_with([&] { fit_system(hollow, config); }, {"class 'empty'", "no image"}));
  io::Config meta = config;
  meta.supervised.system = io::System::kUmlf;
  EXPECT_TRUE(throws_with([&] { fit_system(test::tiny_set({3, 3}, 64), meta); }, {"umlf"}));
}

TEST(SystemEvaluation, RefusesAClassThatTheSystemDoesNotKnow) {
  io::Config config = quick(io::System::kLenet5);
  config.supervised.iterations = 1;
  const TrainedSystem system = fit_system(test::tiny_set({4, 4}, 64), config).system;
  EXPECT_TRUE(throws_with(
      [&] {
        evaluate_system(system, named_set({"c00", "stranger"}, 64), "");
      },
      {"class 'stranger'", "c00, c01"}));
  // A set with its classes in another order means the same.
  io::ImageSet turned = test::tiny_set({4, 4}, 64);
  std::swap(turned.classes[0], turned.classes[1]);
  for (std::int32_t& y : turned.labels) y = 1 - y;
  EXPECT_EQ(evaluate_system(system, turned, "").accuracies,
            evaluate_system(system, test::tiny_set({4, 4}, 64), "").accuracies);
}

TEST(SystemCheckpoint, NamesWhatIsDamaged) {
  io::Config config = quick(io::System::kEmcnet);
  config.supervised.iterations = 2;
  const io::ImageSet set = test::tiny_set({4, 4}, 64);
  const SystemFit fitted = fit_system(set, config);
  TempFolder folder;
  const std::string path = folder.path("c.safetensors");
  SystemCheckpoint c{config, set.classes, fitted.state, nullptr, "", {}};
  save_system(path, c, Holds::kRun);
  EXPECT_TRUE(throws_with([&] { load_system(path).system(path); }, {path, "classifiers", "--resume"}));
  io::TensorFile file = io::read_safetensors(path);
  file.metadata["class.1"] = "c01";
  file.tensors.pop_back();
  io::write_safetensors(path, file);
  EXPECT_TRUE(throws_with([&] { load_system(path); }, {path, "optimizer.v."}));
  c.state.fit.weights.params[0] = Tensor::full(c.state.fit.weights.params[0].shape(), DType::kF32, NAN);
  EXPECT_TRUE(throws_with([&] { save_system(path, c, Holds::kRun); }, {"conv1.weight", "not finite"}));
  EXPECT_FALSE(is_system_checkpoint(folder.path("missing")));
}

}  // namespace
}  // namespace innerloop::meta
