// train --system, and what eval and predict make of its checkpoints.
#include <signal.h>

#include <filesystem>

#include "meta/system_checkpoint.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

Arguments train_system(const std::string& system, const std::string& out, const std::string& more = "") {
  return split("train --data " + xrays() + " --system " + system + " --out " + out +
               " --set data.size=32 --set data.holdout=0.3 --set supervised.batch=6 --set supervised.validate_every=3 "
               "--set run.checkpoint_every=4 --set supervised.validation=0.2 ") +
         split(more);
}

TEST(TrainSystem, LeavesARunFolderThatEvalAndPredictUnderstand) {
  TempFolder folder;
  const Outcome outcome = innerloop_in(folder.path(), train_system("lenet5", "run", "--iterations 6 --json"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["outcome"], "finished");
  EXPECT_EQ(json["system"], "lenet5");
  EXPECT_EQ(json["step"], 6);
  EXPECT_EQ(json["evaluation"]["images"], 12);
  EXPECT_EQ(json["evaluation"]["classes"].size(), 4u);
  int steps = 0, checks = 0;
  for (const std::string& line : lines_of(io::read_file(folder.path("run/log.jsonl"))))
    (Json::parse(line)["kind"] == "step" ? steps : checks) += 1;
  EXPECT_EQ(steps, 6);
  EXPECT_EQ(checks, 2);
  const std::string page = io::read_file(folder.path("run/report.html"));
  for (const char* word : {"LeNet-5", "LeCun", "iteration", "validation", "</html>"})
    EXPECT_NE(page.find(word), std::string::npos) << word;

  const Outcome held =
      innerloop_in(folder.path(), split("eval run/best.safetensors --data " + xrays() + " --part held-out --json"));
  ASSERT_EQ(held.code, 0) << held.err;
  EXPECT_EQ(held.json()["accuracy"], json["evaluation"]["accuracy"]);
  EXPECT_EQ(held.json()["confusion"], json["evaluation"]["confusion"]);

  const Outcome predicted =
      innerloop_in(folder.path(), split("predict run/best.safetensors --images " + xrays() + "/normal"));
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const std::vector<std::string> lines = lines_of(predicted.out);
  ASSERT_EQ(lines.size(), 10u);
  const Json first = Json::parse(lines[0]);
  EXPECT_EQ(first["probabilities"].size(), 4u);
  EXPECT_TRUE(first["probabilities"].contains(first["class"].get<std::string>()));
}

TEST(TrainSystem, KeepsEmcnetsForests) {
  TempFolder folder;
  const Outcome outcome = innerloop_in(
      folder.path(), train_system("emcnet", "run", "--iterations 4 --set data.size=64 --set supervised.width=0.25 --json"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome held = innerloop_in(
      folder.path(), split("eval run/checkpoint.safetensors --data " + xrays() + " --part held-out --json"));
  ASSERT_EQ(held.code, 0) << held.err;
  EXPECT_EQ(held.json()["roc_auc"], outcome.json()["evaluation"]["roc_auc"]);
  EXPECT_NE(meta::load_system(folder.path("run/best.safetensors")).ensemble, nullptr);
}

TEST(TrainSystem, CtrlCSavesAndResumeReachesTheSameBytes) {
  TempFolder folder;
  Process endless(folder.path(), train_system("cnn_rnn", "run",
                                       "--iterations 1000000 --set supervised.width=0.05 --set supervised.patience=0"));
  ASSERT_TRUE(wait_for_log(folder.path("run"), 5));
  endless.signal(SIGINT);
  const Outcome stopped = endless.wait();
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_NE(stopped.out.find("--resume"), std::string::npos) << stopped.out;
  const std::int64_t step = meta::load_system(folder.path("run/checkpoint.safetensors")).state.step();
  EXPECT_GE(step, 3);
  const std::string more = "--iterations " + std::to_string(step + 5);
  const Outcome resumed = innerloop_in(folder.path(), split("train --resume --out run --threads 1 --json " + more));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.json()["first_step"], step);
  ASSERT_EQ(innerloop_in(folder.path(), train_system("cnn_rnn", "straight",
                                              "--set supervised.width=0.05 --set supervised.patience=0 " + more))
                .code,
            0);
  expect_same_files(folder.path("run"), folder.path("straight"), {"checkpoint.safetensors", "best.safetensors"});
}

TEST(TrainSystem, CanBeGoneOnWithFromItsStart) {
  TempFolder folder;
  const std::string rare = " --set run.checkpoint_every=0 --set supervised.patience=0";
  Process first(folder.path(), train_system("lenet5", "run", "--iterations 1000000" + rare));
  ASSERT_TRUE(wait_for_log(folder.path("run"), 1));
  expect_error(innerloop_in(folder.path(), split("train --resume --out run")), 1, {"run: another innerloop is at work"});
  first.signal(SIGKILL);
  first.wait();
  const Outcome resumed = innerloop_in(folder.path(), split("train --resume --out run --iterations 3 --json"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.json()["first_step"], 0);
  ASSERT_EQ(innerloop_in(folder.path(), train_system("lenet5", "straight", "--iterations 3" + rare)).code, 0);
  expect_same_files(folder.path("run"), folder.path("straight"), {"checkpoint.safetensors", "best.safetensors"});
}

TEST(TrainSystem, RefusesWhatCannotBeMeant) {
  TempFolder folder;
  const auto run = [&](const Arguments& arguments) { return innerloop_in(folder.path(), arguments); };
  expect_error(run(train_system("lenet", "a")), 2, {"lenet", "umlf", "lenet5", "emcnet", "did you mean"});
  expect_error(run(train_system("alexnet", "a")), 1, {"data.size", "alexnet", "63"});
  expect_error(run(train_system("lenet5", "a", "--set supervised.dropout=2")), 2, {"supervised.dropout"});
  expect_error(run(train_system("lenet5", "a", "--ways 3")), 2, {"--ways", "lenet5 does not read it"});
  expect_error(run(train_system("lenet5", "a", "--set inner.rate=0.1")), 2, {"inner.rate=0.1", "lenet5 does not read it"});
  ASSERT_EQ(run(train_system("lenet5", "a", "--iterations 1")).code, 0);
  expect_error(run(train_system("lenet5", "a", "--iterations 1")), 2, {"a", "--resume"});
  expect_error(run(split("train --resume --out a --set supervised.rate=0.5")), 2, {"supervised.rate"});
  expect_error(run(split("train --resume --out a --iterations 0")), 1, {"supervised.iterations", "0", "done 1"});
  std::filesystem::create_directories(folder.path("single"));
  std::filesystem::copy(xrays() + "/normal", folder.path("single/normal"));
  const std::string single = "train --system lenet5 --set data.size=32 --data single --out b";
  EXPECT_NE(run(split(single)).err.find("one class alone"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder.path("b"))) << "what is wrong with the data is found before";
  const std::string whole = io::read_file(folder.path("a/checkpoint.safetensors"));
  folder.write("a/checkpoint.safetensors", whole.substr(0, whole.size() / 2));
  expect_error(run(split("train --resume --out a --iterations 3")), 1, {"a/checkpoint.safetensors", "cut short"});
  folder.write("a/checkpoint.safetensors", whole);
  expect_error(run(split("eval a/best.safetensors --data " + xrays() + " --episodes 5")), 2, {"[eval]", "lenet5"});
  expect_error(run(split("eval a/best.safetensors --data " + xrays() + " --start fresh")), 2, {"--start"});
  expect_error(run(split("predict a/best.safetensors --support " + xrays() + " --images " + xrays())), 2,
               {"--support"});
  expect_error(run(split("eval a/best.safetensors --data " + xrays() + " --set data.size=40")), 2, {"data.size"});
  std::filesystem::create_directories(folder.path("others/stranger"));
  std::filesystem::copy(xrays() + "/normal", folder.path("others/stranger"));
  std::filesystem::create_directories(folder.path("others/normal"));
  std::filesystem::copy(xrays() + "/normal", folder.path("others/normal"));
  expect_error(run(split("eval a/best.safetensors --data others")), 1, {"stranger", "lobar"});
  const std::string report = "eval a/best.safetensors --data " + xrays() + " --report ";
  expect_error(run(split(report + "none/x.html")), 1, {"none/x.html", "does not exist"});
  expect_error(run(split(report + "a/best.safetensors")), 2, {"a/best.safetensors: is the input itself", "--report"});
}

}  // namespace
}  // namespace innerloop::tools
