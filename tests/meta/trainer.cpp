// Whole runs on a small folder of images: what they leave behind, and that stopping changes nothing.
#include "meta/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "fixtures.h"
#include "meta/checkpoint.h"
#include "meta/run_folder.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

using io::TempFolder;
using test::throws_with;

/// A folder with images and room for runs.
class Trainer : public ::testing::Test {
 protected:
  Trainer() { test::write_tiny_folder(data(), {10, 10, 10, 10}); }

  std::string data() const { return folder_.path("images"); }
  TrainOptions options(const std::string& run, const io::Config& config = test::tiny_config()) const {
    TrainOptions o;
    o.config = config;
    o.data = data();
    o.out = folder_.path(run);
    return o;
  }
  std::string bytes(const std::string& file) const { return io::read_file(folder_.path(file)); }
  io::RunHistory log(const std::string& run) const { return io::read_run_log(folder_.path(run + "/log.jsonl")); }

  /// Everything that has to be equal in two runs that did the same.
  void expect_same_run(const std::string& a, const std::string& b) const {
    EXPECT_EQ(bytes(a + "/checkpoint.safetensors"), bytes(b + "/checkpoint.safetensors"));
    EXPECT_EQ(bytes(a + "/best.safetensors"), bytes(b + "/best.safetensors"));
    const io::RunHistory x = log(a), y = log(b);
    ASSERT_EQ(x.steps.size(), y.steps.size());
    for (std::size_t i = 0; i < x.steps.size(); ++i) {
      EXPECT_EQ(x.steps[i].step, y.steps[i].step);
      EXPECT_EQ(x.steps[i].loss, y.steps[i].loss);
      EXPECT_EQ(x.steps[i].accuracy, y.steps[i].accuracy);
      EXPECT_EQ(x.steps[i].inner_loss, y.steps[i].inner_loss);
      EXPECT_EQ(x.steps[i].grad_norm, y.steps[i].grad_norm);
      EXPECT_EQ(x.steps[i].rate, y.steps[i].rate);
    }
    ASSERT_EQ(x.evals.size(), y.evals.size());
    for (std::size_t i = 0; i < x.evals.size(); ++i) {
      EXPECT_EQ(x.evals[i].step, y.evals[i].step);
      EXPECT_EQ(x.evals[i].accuracy, y.evals[i].accuracy);
      EXPECT_EQ(x.evals[i].loss, y.evals[i].loss);
    }
  }

  TempFolder folder_;
};

TEST_F(Trainer, LeavesTheRunFolder) {
  std::vector<std::int64_t> steps, evals;
  TrainOptions o = options("run");
  o.callbacks.on_step = [&](const io::StepEntry& e) { steps.push_back(e.step); };
  o.callbacks.on_eval = [&](const io::EvalEntry& e) { evals.push_back(e.step); };
  const TrainResult r = train(o);
  EXPECT_EQ(r.outcome, TrainOutcome::kFinished);
  EXPECT_EQ(r.step, 7);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(evals, (std::vector<std::int64_t>{2, 4, 6, 7}));
  EXPECT_TRUE(r.evaluated);
  EXPECT_GT(r.tasks_per_second, 0);

  io::Config config;
  io::apply_toml_file(config, folder_.path("run/config.toml"));
  EXPECT_EQ(config, o.config);
  const Checkpoint last = load_checkpoint(r.checkpoint), best = load_checkpoint(r.best);
  EXPECT_EQ(last.step, 7);
  EXPECT_EQ(best.step, r.best_step);
  EXPECT_EQ(best.best.accuracy, r.best_accuracy);
  double top = 0;
  for (const io::EvalEntry& e : log("run").evals) top = std::max(top, e.accuracy);
  EXPECT_EQ(r.best_accuracy, top);
  EXPECT_EQ(last.protocol.at("data"), data());

  const std::string page = bytes("run/report.html");
  for (const char* part : {"data:image/png;base64,", "held out", "c03", "Accuracy", "scheme = &quot;groups"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST_F(Trainer, LossFallsAndHeldOutAccuracyRises) {
  io::Config c = test::tiny_config();
  c.outer.iterations = 60;
  c.outer.rate = 0.02;
  c.outer.tasks = 4;
  c.eval.episodes = 20;
  c.eval.every = 60;
  const TrainResult r = train(options("run", c));
  const auto steps = log("run").steps;
  const auto mean = [&](std::size_t begin) {
    double total = 0;
    for (std::size_t i = begin; i < begin + 10; ++i) total += steps[i].loss / 10;
    return total;
  };
  EXPECT_LT(mean(50), 0.5 * mean(0));
  EXPECT_GT(r.evaluation.accuracy.mean, 0.8);
}

TEST_F(Trainer, ResumesToTheSameBitsWhereverItWasStopped) {
  train(options("whole"));
  // 0: before the first step; 4 and 5: between two checkpoints, with and without an evaluation due.
  for (const std::int64_t at : {0, 4, 5}) {
    const std::string run = fmt::format("stopped{}", at);
    std::atomic<bool> stop{at == 0};
    TrainOptions o = options(run);
    o.stop = &stop;
    o.callbacks.on_step = [&](const io::StepEntry& e) { stop = e.step >= at; };
    const TrainResult first = train(o);
    EXPECT_EQ(first.outcome, TrainOutcome::kStopped);
    // A device looks up after a burst of steps.
    EXPECT_GE(first.step, at);
    EXPECT_LE(first.step, at + (Context::current().device() != nullptr && at > 0 ? 1 : 0));
    EXPECT_EQ(load_checkpoint(first.checkpoint).step, first.step);
    stop = false;
    o.callbacks.on_step = {};
    o.start = RunStart::kResume;
    o.data.clear();  // the run knows its data
    const TrainResult second = train(o);
    EXPECT_EQ(second.outcome, TrainOutcome::kFinished);
    EXPECT_EQ(second.first_step, first.step);
    expect_same_run("whole", run);
  }
}

TEST_F(Trainer, AStopWithinAnEvaluationIsMadeUpForOnResume) {
  train(options("whole"));
  for (const std::int64_t at : {2, 7}) {
    const std::string run = fmt::format("stopped{}", at);
    std::atomic<bool> stop{false};
    std::int64_t step = 0;
    TrainOptions o = options(run);
    o.stop = &stop;
    o.callbacks.on_step = [&](const io::StepEntry& e) { step = e.step; };
    o.callbacks.on_eval_progress = [&](std::int64_t, std::int64_t) { stop = step == at; };
    EXPECT_EQ(train(o).step, at);
    // A device has an evaluation as small as this one done before it can be stopped.
    if (Context::current().device() == nullptr) {
      for (const io::EvalEntry& e : log(run).evals) EXPECT_LT(e.step, at);
    }
    stop = false;
    o.callbacks = {};
    o.start = RunStart::kResume;
    EXPECT_EQ(train(o).outcome, TrainOutcome::kFinished);
    expect_same_run("whole", run);
  }
}

/// A crash leaves a log that runs ahead of the checkpoint, and half a line.
TEST_F(Trainer, ResumesAfterACrash) {
  train(options("whole"));
  std::atomic<bool> stop{false};
  TrainOptions o = options("crashed");
  o.stop = &stop;
  std::string saved;
  o.callbacks.on_step = [&](const io::StepEntry& e) {
    if (e.step == 5) saved = bytes("crashed/checkpoint.safetensors");  // that of step 3
    stop = e.step == 5;
  };
  train(o);
  io::write_file(folder_.path("crashed/checkpoint.safetensors"), saved);
  io::write_file(folder_.path("crashed/log.jsonl"), bytes("crashed/log.jsonl") + "{\"kind\":\"step\",\"st");
  stop = false;
  o.callbacks = {};
  o.start = RunStart::kResume;
  EXPECT_EQ(train(o).first_step, 3);
  expect_same_run("whole", "crashed");
}

TEST_F(Trainer, ResumingAFinishedRunChangesNothing) {
  train(options("run"));
  const std::string checkpoint = bytes("run/checkpoint.safetensors"), report = bytes("run/report.html");
  TrainOptions o = options("run");
  o.start = RunStart::kResume;
  const TrainResult r = train(o);
  EXPECT_EQ(r.outcome, TrainOutcome::kFinished);
  EXPECT_EQ(r.step, 7);
  EXPECT_EQ(bytes("run/checkpoint.safetensors"), checkpoint);
  EXPECT_EQ(bytes("run/report.html"), report);
}

TEST_F(Trainer, ALongerRunGoesOnFromAShorterOne) {
  io::Config c = test::tiny_config();
  c.eval.every = 0;
  c.outer.iterations = 5;
  train(options("run", c));
  c.outer.iterations = 7;
  TrainOptions o = options("run", c);
  o.start = RunStart::kResume;
  train(o);
  train(options("whole", c));
  EXPECT_TRUE(test::same_bits(load_checkpoint(folder_.path("run/checkpoint.safetensors")).params,
                              load_checkpoint(folder_.path("whole/checkpoint.safetensors")).params));
  c.outer.iterations = 6;
  o.config = c;
  EXPECT_TRUE(throws_with([&] { train(o); }, {"outer.iterations", "6", "7"}));
}

TEST_F(Trainer, TheNumberOfThreadsDoesNotShow) {
  for (const int threads : {1, 2}) {
    Context context(threads, Context::current().target());
    ContextScope scope(context);
    io::Config c = test::tiny_config();
    c.run.threads = threads;
    train(options(fmt::format("threads{}", threads), c));
  }
  expect_same_run("threads1", "threads2");
}

TEST_F(Trainer, SgdWithCosineAndClipResumesToo) {
  io::Config c = test::tiny_config();
  c.outer.optimizer = io::Optimizer::kSgd;
  c.outer.schedule = io::Schedule::kCosine;
  c.outer.clip = 0.05;
  c.task.scheme = io::Scheme::kInstances;
  c.task.shots = 2;
  train(options("whole", c));
  std::atomic<bool> stop{false};
  TrainOptions o = options("part", c);
  o.stop = &stop;
  o.callbacks.on_step = [&](const io::StepEntry& e) { stop = e.step == 4; };
  train(o);
  stop = false;
  o.callbacks = {};
  o.start = RunStart::kResume;
  train(o);
  expect_same_run("whole", "part");
  const auto steps = log("whole").steps;
  EXPECT_EQ(steps[0].rate, c.outer.rate);
  EXPECT_LT(steps[6].rate, 0.1 * c.outer.rate);
}

TEST_F(Trainer, DivergenceStopsTheRunAndKeepsTheLastGoodCheckpoint) {
  io::Config c = test::tiny_config();
  c.outer.optimizer = io::Optimizer::kSgd;
  c.outer.rate = 1e30;
  c.run.checkpoint_every = 1;
  c.eval.every = 0;
  c.outer.iterations = 50;
  std::int64_t last = 0;
  TrainOptions o = options("run", c);
  o.callbacks.on_step = [&](const io::StepEntry& e) { last = e.step; };
  EXPECT_TRUE(throws_with([&] { train(o); }, {"train", "meta-step 2", "not finite", "outer.rate"}));
  ASSERT_EQ(last, 1);
  EXPECT_EQ(load_checkpoint(folder_.path("run/checkpoint.safetensors")).step, last);

  c.outer.rate = 0.01;
  c.inner.rate = 1e30;
  EXPECT_TRUE(throws_with([&] { train(options("second", c)); }, {"meta-step 1", "not finite", "another folder"}));
  EXPECT_EQ(load_checkpoint(folder_.path("second/checkpoint.safetensors")).step, 0);
}

TEST_F(Trainer, ARunOfNoStepsHasItsStartAndNoBest) {
  io::Config c = test::tiny_config();
  c.outer.iterations = 0;
  TrainOptions o = options("run", c);
  const TrainResult r = train(o);
  EXPECT_EQ(load_checkpoint(r.checkpoint).step, 0);
  EXPECT_TRUE(r.evaluated);
  EXPECT_TRUE(r.best.empty());
  const std::string checkpoint = bytes("run/checkpoint.safetensors"), report = bytes("run/report.html");
  o.start = RunStart::kResume;
  EXPECT_TRUE(train(o).best.empty());
  EXPECT_EQ(bytes("run/checkpoint.safetensors"), checkpoint);
  EXPECT_EQ(bytes("run/report.html"), report);
  // It is where any run begins.
  o.config = test::tiny_config();
  train(o);
  train(options("whole"));
  expect_same_run("whole", "run");
  std::filesystem::remove(folder_.path("run/best.safetensors"));
  EXPECT_TRUE(train(o).best.empty()) << "it is gone";
}

TEST_F(Trainer, NeverOverwritesARun) {
  TrainOptions first = options("run");
  first.callbacks.on_step = [&](const io::StepEntry&) {
    TrainOptions second = options("run");
    for (const RunStart start : {RunStart::kNew, RunStart::kResume}) {
      second.start = start;
      EXPECT_TRUE(throws_with([&] { train(second); }, {"run: another innerloop is at work"}));
    }
  };
  train(first);
  const std::string before = bytes("run/checkpoint.safetensors");
  EXPECT_TRUE(throws_with([&] { train(options("run")); }, {"run", "--resume", "--out"}));
  EXPECT_EQ(bytes("run/checkpoint.safetensors"), before);
}

TEST_F(Trainer, RefusesToResumeUnderAnotherConfigOrOtherData) {
  train(options("run"));
  const auto refuses = [&](const std::function<void(io::Config&)>& change, std::vector<std::string> words) {
    TrainOptions o = options("run");
    change(o.config);
    o.start = RunStart::kResume;
    EXPECT_TRUE(throws_with([&] { train(o); }, words));
  };
  refuses([](io::Config& c) { c.inner.rate = 0.2; }, {"inner.rate", "0.1", "0.2"});
  refuses([](io::Config& c) { c.run.seed = 2; }, {"run.seed", "1", "2"});
  refuses([](io::Config& c) { c.model.filters = {4, 5}; }, {"model.filters", "[4, 4]", "[4, 5]"});
  refuses([](io::Config& c) { c.augment.pop_back(); }, {"augment = { kind = ", " }, but no more is asked for"});
  refuses([](io::Config& c) { c.augment.clear(); }, {"augment = { kind = ", " }, but [] is asked for"});
  TrainOptions o = options("run");
  o.start = RunStart::kResume;
  o.config.run.threads = 2;
  o.config.run.checkpoint_every = 1;
  EXPECT_NO_THROW(train(o));
  test::write_tiny_folder(folder_.path("others"), {10, 10, 10, 11});
  o.data = folder_.path("others");
  EXPECT_TRUE(throws_with([&] { train(o); }, {"others", "not the one"}));
}

TEST_F(Trainer, SaysBeforeTheFirstStepThatEvaluationIsImpossible) {
  io::Config c = test::tiny_config();
  c.eval.queries = 30;
  TrainOptions o = options("run", c);
  o.callbacks.on_step = [](const io::StepEntry&) { FAIL() << "a step ran"; };
  EXPECT_TRUE(throws_with([&] { train(o); }, {"eval", "'c00'", "31", "data.holdout"}));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("run"))) << "a run that could not begin may not block the next";
}

TEST_F(Trainer, WithoutHoldoutNothingIsEvaluated) {
  io::Config c = test::tiny_config();
  c.data.holdout = 0;
  std::vector<std::string> messages;
  TrainOptions o = options("run", c);
  o.callbacks.on_message = [&](const std::string& text) { messages.push_back(text); };
  const TrainResult r = train(o);
  EXPECT_FALSE(r.evaluated);
  EXPECT_TRUE(r.best.empty());
  EXPECT_TRUE(std::isnan(r.best_accuracy));
  EXPECT_TRUE(log("run").evals.empty());
  const std::string all = std::accumulate(messages.begin(), messages.end(), std::string());
  EXPECT_NE(all.find("nothing is held out"), std::string::npos) << all;
}

}  // namespace
}  // namespace innerloop::meta
