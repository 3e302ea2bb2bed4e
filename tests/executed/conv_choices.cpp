// The choice among convolution engines with clocks and engines made up for it, and the file that keeps it.
#include "kernels/cuda/conv_choices.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "kernels/cuda/conv_op.h"
#include "tests/support/error_of.h"

namespace innerloop::kernels::cuda {
namespace {

namespace fs = std::filesystem;

constexpr auto kRunning = ConvPhase::kRunning;
constexpr auto kRecording = ConvPhase::kRecording;

class ConvChoices : public testing::Test {
 protected:
  ConvChoices() : folder_(fs::temp_directory_path() / fmt::format("il_conv_choices_{}", getpid())) {
    fs::remove_all(folder_);
  }
  ~ConvChoices() override { fs::remove_all(folder_); }

  fs::path file() const { return folder_ / "deeper" / "conv_choices.txt"; }
  std::string content() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& text) const {
    fs::create_directories(file().parent_path());
    std::ofstream(file()) << text;
  }

  /// Runs note themselves in ran_; the clock reads times_ by the engine that it ran.
  ConvCandidate candidate(ConvEngine engine, std::string why_not = "") {
    return {engine, std::move(why_not), [this, engine] { ran_.push_back(engine); }};
  }
  ConvChooser chooser(const std::string& machine = "H100; driver 1", fs::path where = {}) {
    return {ConvChoiceStore(std::move(where), machine), [this](FunctionRef<void()> run) {
              ++timings_;
              run();
              return times_.at(ran_.back());
            }};
  }

  std::map<ConvEngine, double> times_;
  std::vector<ConvEngine> ran_;
  int timings_ = 0;

 private:
  fs::path folder_;
};

using test::error_of;
using enum ConvEngine;
using Engines = std::vector<ConvEngine>;

TEST_F(ConvChoices, AutoTakesTheFastestAndTimesOnce) {
  times_ = {{kOwn, 2.0}, {kCudnn, 1.0}, {kGemm, 3.0}};
  const std::vector<ConvCandidate> all{candidate(kOwn), candidate(kCudnn), candidate(kGemm)};
  ConvChooser chooser = this->chooser();
  chooser.run("a", kAuto, kRunning, all);
  EXPECT_EQ(ran_, (Engines{kOwn, kCudnn, kGemm, kCudnn})) << "timed each, then ran the choice";
  ran_.clear();
  chooser.run("a", kAuto, kRunning, all);
  EXPECT_EQ(ran_, Engines{kCudnn});
  EXPECT_EQ(timings_, 3);
  times_[kGemm] = 0.1;
  chooser.run("b", kAuto, kRunning, all);
  EXPECT_EQ(ran_.back(), kGemm) << "each shape for itself";
}

TEST_F(ConvChoices, ALaterEngineMustBeClearlyFaster) {
  const std::vector<ConvCandidate> all{candidate(kOwn), candidate(kCudnn)};
  ConvChooser chooser = this->chooser();
  times_ = {{kOwn, 1.0}, {kCudnn, 0.98}};
  chooser.run("noise", kAuto, kRunning, all);
  EXPECT_EQ(ran_.back(), kOwn);
  times_[kCudnn] = 0.96;
  chooser.run("faster", kAuto, kRunning, all);
  EXPECT_EQ(ran_.back(), kCudnn);
}

TEST_F(ConvChoices, NothingIsTimedWhereOnlyOneServes) {
  ConvChooser chooser = this->chooser("m", file());
  chooser.run("a", kAuto, kRunning, std::vector{candidate(kOwn), candidate(kGemm, "it has 3 groups")});
  EXPECT_EQ(ran_, Engines{kOwn});
  EXPECT_EQ(timings_, 0);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(ConvChoices, AnEngineThatFailsWhenTimedIsLeftOut) {
  times_ = {{kOwn, 2.0}};
  ConvCandidate broken{kCudnn, "", [] { fail("no plan ran"); }};
  ConvChooser chooser = this->chooser("m", file());
  chooser.run("a", kAuto, kRunning, std::vector{candidate(kOwn), broken});
  EXPECT_EQ(ran_.back(), kOwn);
  EXPECT_NE(content().find("cudnn failed"), std::string::npos) << content();
  ConvCandidate also_broken{kOwn, "", [] { fail("this neither"); }};
  EXPECT_EQ(error_of([&] { chooser.run("b", kAuto, kRunning, std::vector{also_broken, broken}); }), "no plan ran");
}

TEST_F(ConvChoices, AnEngineByNameServesOrSaysWhyNot) {
  ConvChooser chooser = this->chooser();
  const std::vector<ConvCandidate> all{candidate(kOwn), candidate(kGemm, "it has 3 groups and this serves one")};
  chooser.run("a", kOwn, kRunning, all);
  EXPECT_EQ(ran_, Engines{kOwn});
  const std::string refused = error_of([&] { chooser.run("conv of a", kGemm, kRunning, all); });
  EXPECT_NE(refused.find("engine gemm does not serve conv of a: it has 3 groups"), std::string::npos) << refused;
  const std::string absent = error_of([&] { chooser.run("a", kCudnn, kRunning, all); });
  EXPECT_NE(absent.find("engine cudnn: this program was built without it"), std::string::npos) << absent;
  EXPECT_EQ(ran_, Engines{kOwn}) << "nothing takes its place";
}

TEST_F(ConvChoices, ARecordingRunsOnlyWhatHasRunBefore) {
  times_ = {{kOwn, 2.0}, {kCudnn, 1.0}};
  const std::vector<ConvCandidate> all{candidate(kOwn), candidate(kCudnn)};
  {
    ConvChooser chooser = this->chooser("m", file());
    const std::string refused = error_of([&] { chooser.run("a", kAuto, kRecording, all); });
    EXPECT_NE(refused.find("run the step once before"), std::string::npos) << refused;
    EXPECT_NE(error_of([&] { chooser.run("a", kCudnn, kRecording, all); }).find("once before"), std::string::npos);
    EXPECT_EQ(timings_, 0);
    EXPECT_TRUE(ran_.empty());
    chooser.run("a", kOwn, kRecording, all);
    chooser.run("a", kAuto, kRunning, all);
    ran_.clear();
    chooser.run("a", kAuto, kRecording, all);
    chooser.run("a", kCudnn, kRecording, all);
    EXPECT_EQ(ran_, (Engines{kCudnn, kCudnn}));
  }
  ConvChooser next = chooser("m", file());
  EXPECT_NE(error_of([&] { next.run("a", kAuto, kRecording, all); }).find("once before"), std::string::npos)
      << "the choice is known from the file, but its plans are not made";
  next.run("a", kAuto, kRunning, all);
  next.run("a", kAuto, kRecording, all);
  EXPECT_EQ(timings_, 2) << "once for both processes";
}

TEST_F(ConvChoices, TheFileOutlivesTheProcessForThisMachineAlone) {
  times_ = {{kOwn, 2.0}, {kCudnn, 1.0}};
  const std::vector<ConvCandidate> all{candidate(kOwn), candidate(kCudnn)};
  chooser("H100; cudnn 9.19.0", file()).run("a", kAuto, kRunning, all);
  chooser("H100; cudnn 9.19.0", file()).run("b", kAuto, kRunning, all);
  EXPECT_EQ(timings_, 4);
  EXPECT_NE(content().find("H100; cudnn 9.19.0\ta\tcudnn\town 2.0000 ms, cudnn 1.0000 ms\n"), std::string::npos)
      << content();
  EXPECT_EQ(content().find("# innerloop"), 0u);
  EXPECT_EQ(content().find("# innerloop", 1), std::string::npos) << "one title";

  times_[kOwn] = 0.5;
  ConvChooser later = chooser("H100; cudnn 9.19.0", file());
  later.run("a", kAuto, kRunning, all);
  later.run("b", kAuto, kRunning, all);
  EXPECT_EQ(timings_, 4);
  EXPECT_EQ(ran_.back(), kCudnn);
  chooser("H100; cudnn 9.20.0", file()).run("a", kAuto, kRunning, all);
  EXPECT_EQ(timings_, 6) << "another version is another machine";
  EXPECT_EQ(ran_.back(), kOwn);
}

TEST_F(ConvChoices, AStoredChoiceThatNoLongerServesIsMeasuredAgain) {
  write("m\ta\tgemm\t\nm\tb\tcudnn\t\n");
  times_ = {{kOwn, 2.0}, {kGemm, 3.0}};
  ConvChooser chooser = this->chooser("m", file());
  chooser.run("a", kAuto, kRunning, std::vector{candidate(kOwn), candidate(kGemm)});
  EXPECT_EQ(ran_.back(), kGemm);
  EXPECT_EQ(timings_, 0);
  chooser.run("b", kAuto, kRunning, std::vector{candidate(kOwn), candidate(kGemm)});
  EXPECT_EQ(timings_, 2) << "cudnn is not built in";
  chooser.run("c", kAuto, kRunning, std::vector{candidate(kOwn), candidate(kGemm)});
  EXPECT_EQ(ran_.back(), kOwn);
}

TEST_F(ConvChoices, LinesThatCannotBeReadAreSkipped) {
  write(
      "# a "
      "title\n\nm\nm\ta\nm\ta\twinograd\tx\nm\ta\tauto\t\nm\tb\tcudnn\nm\ta\tgemm\told\nm\ta\tcudnn\tnew\n\xff\t\t\t\nm"
      "\tc\tcud");
  const ConvChoiceStore store(file(), "m");
  EXPECT_EQ(store.find("a"), kCudnn) << "the latest line";
  EXPECT_EQ(store.find("b"), kCudnn) << "what was measured may be missing";
  EXPECT_EQ(store.find("c"), std::nullopt) << "cut off";
}

TEST_F(ConvChoices, AFileThatCannotBeWrittenCostsAMeasurementOnly) {
  ConvChoiceStore store("/proc/innerloop/conv_choices.txt", "m");
  store.put("a", kGemm, "");
  EXPECT_EQ(store.find("a"), kGemm);
  EXPECT_EQ(ConvChoiceStore("/proc/innerloop/conv_choices.txt", "m").find("a"), std::nullopt);
}

TEST(ConvChoiceFile, FollowsTheEnvironment) {
  const auto saved = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
  const auto xdg = saved("XDG_CACHE_HOME"), home = saved("HOME");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(conv_choice_file(), "/x/innerloop/conv_choices.txt");
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(conv_choice_file(), "/home/someone/.cache/innerloop/conv_choices.txt");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(conv_choice_file(), "/home/someone/.cache/innerloop/conv_choices.txt");
  unsetenv("HOME");
  EXPECT_EQ(conv_choice_file(), "");
  if (xdg) setenv("XDG_CACHE_HOME", xdg->c_str(), 1);
  if (home) setenv("HOME", home->c_str(), 1);
}

TEST(ConvKey, TellsApartWhatIsDifferentWorkAndNothingElse) {
  alignas(64) static float memory[64];
  const auto view = [](const Shape& shape, std::size_t offset = 0, DType dtype = DType::kF32) {
    return View{memory + offset, dtype, shape};
  };
  const auto key = [](const auto& op, std::string_view math = "fp32") { return conv_key(&op, math); };
  const ConvForward base{
      {.pad_top = 1, .pad_left = 1}, {view({2, 5, 7, 7, 3}), {}}, {view({2, 3, 3, 3, 4}), {}}, view({2, 5, 7, 7, 4})};
  EXPECT_EQ(key(base),
            "conv_forward f32 fp32 [2, 5, 7, 7, 3] [2, 3, 3, 3, 4] [2, 5, 7, 7, 4] stride 1x1 pad 1,1 dilation 1x1 "
            "groups 1 aligned 16");
  std::vector<ConvForward> others(10, base);
  others[0].geometry.stride_w = 2;
  others[1].geometry.pad_top = 0;
  others[2].geometry.dilation_h = 2;
  others[3].geometry.groups = 3;
  others[4].x[0] = view({1, 5, 7, 7, 3});
  others[5].w[0] = view({1, 3, 3, 3, 4});
  others[6].x[0] = view({2, 5, 7, 7, 3}, 2);  // 8 bytes off
  others[7].x[1] = others[7].x[0], others[7].w[1] = others[7].w[0];
  others[8] = others[7], others[8].w[1] = view({1, 3, 3, 3, 4});
  others[9].y = view({2, 5, 7, 7, 4}, 0, DType::kF64), others[9].x[0].dtype = DType::kF64;
  std::set<std::string> keys{key(base), key(base, "tf32")};
  for (const ConvForward& other : others) keys.insert(key(other));
  keys.insert(key(ConvInputGrad{base.geometry, {base.y, {}}, {base.w[0], {}}, view({2, 5, 7, 7, 3})}));
  keys.insert(key(ConvWeightGrad{base.geometry, {base.x[0], {}}, {base.y, {}}, view({2, 3, 3, 3, 4})}));
  EXPECT_EQ(keys.size(), 14u) << "all different";
  ConvForward moved = base;
  moved.x[0] = view({2, 5, 7, 7, 3}, 4);
  EXPECT_EQ(key(moved), key(base)) << "other addresses, as well aligned";
}

}  // namespace
}  // namespace innerloop::kernels::cuda
