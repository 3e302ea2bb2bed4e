// train: the run folder, Ctrl-C and resume to the same bits, threads, and every refusal.
#include <signal.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "meta/checkpoint.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

Arguments train(const std::string& out, const std::string& more = "") {
  return Arguments{"train", "--data", xrays(), "--out", out} + small_model() + split(more);
}

std::string bytes_of(const Tensor& tensor) { return {static_cast<const char*>(tensor.view().data), tensor.bytes()}; }

TEST(Train, LeavesARunFolder) {
  TempFolder folder;
  const Outcome outcome = innerloop_in(folder.path(), train("run", "--iterations 4 --set eval.every=2 --json"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["outcome"], "finished");
  EXPECT_EQ(json["step"], 4);
  EXPECT_GT(json["tasks_per_second"], 0);
  EXPECT_EQ(json["evaluation"]["protocol"]["episodes"], 4);

  io::Config config;
  io::apply_toml_file(config, folder.path("run/config.toml"));
  EXPECT_EQ(config.outer.iterations, 4);
  EXPECT_EQ(config.eval.ways, 3);
  int steps = 0, evals = 0;
  for (const std::string& line : lines_of(io::read_file(folder.path("run/log.jsonl")))) {
    const Json entry = Json::parse(line);
    (entry["kind"] == "step" ? steps : evals) += 1;
  }
  EXPECT_EQ(steps, 4);
  EXPECT_EQ(evals, 2);
  EXPECT_EQ(meta::load_checkpoint(folder.path("run/checkpoint.safetensors")).step, 4);
  EXPECT_EQ(meta::load_checkpoint(folder.path("run/best.safetensors")).config, config);
  EXPECT_NE(io::read_file(folder.path("run/report.html")).find("</html>"), std::string::npos);
}

TEST(Train, CtrlCSavesAndResumeReachesTheSameBytes) {
  TempFolder folder;
  // More meta-steps than could end before the signal; the resumed run then asks for a few beyond the stop.
  Process endless(folder.path(), train("run", "--iterations 1000000 --set eval.every=3"));
  ASSERT_TRUE(wait_for_log(folder.path("run"), 4));
  endless.signal(SIGINT);
  const Outcome stopped = endless.wait();
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  const std::int64_t step = meta::load_checkpoint(folder.path("run/checkpoint.safetensors")).step;
  EXPECT_GE(step, 3);
  EXPECT_NE(stopped.out.find("--resume"), std::string::npos) << stopped.out;

  const std::string more = "--iterations " + std::to_string(step + 4);
  const Outcome resumed = innerloop_in(folder.path(), split("train --resume --out run --json " + more));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.json()["first_step"], step);
  ASSERT_EQ(innerloop_in(folder.path(), train("straight", more + " --set eval.every=3")).code, 0);
  for (const char* file : {"checkpoint.safetensors", "best.safetensors"}) {
    const meta::Checkpoint a = meta::load_checkpoint(folder.path(std::string("run/") + file));
    const meta::Checkpoint b = meta::load_checkpoint(folder.path(std::string("straight/") + file));
    EXPECT_EQ(a.step, b.step) << file;
    ASSERT_EQ(a.params.size(), b.params.size());
    for (std::size_t i = 0; i < a.params.size(); ++i) EXPECT_EQ(bytes_of(a.params[i]), bytes_of(b.params[i])) << file;
  }
  expect_same_files(folder.path("run"), folder.path("straight"), {"checkpoint.safetensors"});
}

TEST(Train, ASecondSignalEndsAtOnce) {
  TempFolder folder;
  // One meta-step that lasts long, so that the second signal comes while the first is waited for.
  Process slow(folder.path(), train("run", "--iterations 2 --set inner.steps=3000 --tasks 64"));
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  slow.signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  slow.signal(SIGINT);
  EXPECT_EQ(slow.wait().code, 128 + SIGINT);
}

TEST(Train, TheNumberOfThreadsDoesNotChangeABit) {
  TempFolder folder;
  ASSERT_EQ(innerloop_in(folder.path(), train("one", "--iterations 3 --threads 1")).code, 0);
  ASSERT_EQ(innerloop_in(folder.path(), train("two", "--iterations 3 --threads 2")).code, 0);
  const meta::Checkpoint a = meta::load_checkpoint(folder.path("one/checkpoint.safetensors"));
  const meta::Checkpoint b = meta::load_checkpoint(folder.path("two/checkpoint.safetensors"));
  for (std::size_t i = 0; i < a.params.size(); ++i) {
    EXPECT_EQ(bytes_of(a.params[i]), bytes_of(b.params[i])) << i;
    EXPECT_EQ(bytes_of(a.optimizer.v[i]), bytes_of(b.optimizer.v[i])) << i;
  }
  EXPECT_EQ(a.best.accuracy, b.best.accuracy);
}

TEST(Train, KeepsAnEarlierRun) {
  TempFolder folder;
  ASSERT_EQ(innerloop_in(folder.path(), train("run", "--iterations 1")).code, 0);
  const std::string before = io::read_file(folder.path("run/checkpoint.safetensors"));
  expect_error(innerloop_in(folder.path(), train("run", "--iterations 2")), 2, {"run", "--resume", "--out"});
  expect_error(innerloop_in(folder.path(), split("train --resume --out run --set inner.rate=0.5")), 2,
               {"inner.rate", "0.5"});
  EXPECT_EQ(io::read_file(folder.path("run/checkpoint.safetensors")), before);
  expect_error(innerloop_in(folder.path(), split("train --resume --out elsewhere")), 1,
               {"elsewhere", "no run to go on with", "--data"});
  folder.write("text", "no data set");
  expect_error(innerloop_in(folder.path(), split("train --data text --out other")), 1,
               {"text", "folder of images", "data pack"});
}

TEST(Train, NamesBadDataBeforeItMakesAFolder) {
  TempFolder folder;
  std::filesystem::create_directory(folder.path("empty"));
  for (int i = 0; i < 4; ++i) {
    folder.write_png("few/a/" + std::to_string(i) + ".png", 16, 16, i);
    if (i < 2) folder.write_png("few/b/" + std::to_string(i) + ".png", 16, 16, 90 + i);
    folder.write_png("few/c/" + std::to_string(i) + ".png", 16, 16, 180 + i);
  }
  const auto on = [&](const std::string& data, const std::string& more) {
    return innerloop_in(folder.path(),
                        Arguments{"train", "--data", data, "--out", "run"} + small_model() + split(more));
  };
  expect_error(on("xray", ""), 1, {"xray", "no such file or folder"});
  expect_error(on("empty", ""), 1, {"empty", "no images"});
  expect_error(on("few", "--shots 3 --set task.scheme=groups --set data.holdout=0"), 1, {"'b'", "3", "2"});
  expect_error(on("few", "--set eval.queries=50"), 1, {"few", "51"});
  for (int i = 0; i < 8; ++i) folder.write_png("flat/" + std::to_string(i) + ".png", 16, 16, 20 * i);
  expect_error(on("flat", ""), 1, {"flat", "no class folders", "data.holdout=0"});
  expect_error(on("few", "--ways 40 --set data.holdout=0"), 1, {"40"});
  EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
}

TEST(Train, NamesBadImagesAndSkipsThemWhenAsked) {
  TempFolder folder;
  std::filesystem::copy(xrays(), folder.path("d"), std::filesystem::copy_options::recursive);
  folder.write("d/normal/note.png", "this is no picture");
  expect_error(innerloop_in(folder.path(), Arguments{"train", "--data", "d", "--out", "run"} + small_model()), 1,
               {"note.png", "not a PNG"});
  const Outcome skipped =
      innerloop_in(folder.path(), Arguments{"train", "--data", "d", "--out", "run", "--skip-bad", "--iterations", "1"} +
                                      small_model());
  EXPECT_EQ(skipped.code, 0) << skipped.err;
  EXPECT_NE(skipped.err.find("note.png"), std::string::npos) << skipped.err;
  // The run remembers what it skipped: resuming says nothing of it.
  EXPECT_EQ(innerloop_in(folder.path(), split("train --resume --out run --iterations 2")).code, 0);
}

TEST(Train, StopsWhenItDiverges) {
  TempFolder folder;
  const Outcome outcome = innerloop_in(folder.path(), train("run", "--iterations 3 --set inner.rate=1e30"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("innerloop: error: "), std::string::npos);
  EXPECT_NE(outcome.err.find("meta-step 1"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("inner.rate"), std::string::npos) << outcome.err;
  EXPECT_EQ(meta::load_checkpoint(folder.path("run/checkpoint.safetensors")).step, 0);
}

TEST(Train, OneProcessAtATimeWorksInAFolder) {
  TempFolder folder;
  const std::string rare = " --set eval.every=0 --set run.checkpoint_every=0";
  Process first(folder.path(), train("run", "--iterations 1000000" + rare));
  ASSERT_TRUE(wait_for_log(folder.path("run"), 1));
  for (const Arguments& second : {train("run"), split("train --resume --out run")})
    expect_error(innerloop_in(folder.path(), second), 1, {"run: another innerloop is at work", "another folder"});
  // A kill sets the folder free; and the run had saved its start.
  first.signal(SIGKILL);
  first.wait();
  const Outcome resumed = innerloop_in(folder.path(), split("train --resume --out run --iterations 2 --json"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.json()["first_step"], 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path("run/.lock")));
  ASSERT_EQ(innerloop_in(folder.path(), train("straight", "--iterations 2" + rare)).code, 0);
  expect_same_files(folder.path("run"), folder.path("straight"), {"checkpoint.safetensors", "best.safetensors"});
}

TEST(Train, NamesNothingThatIsNotThere) {
  TempFolder folder;
  const Outcome none = innerloop_in(folder.path(), train("run", "--iterations 0"));
  ASSERT_EQ(none.code, 0) << none.err;
  EXPECT_NE(none.out.find("held-out accuracy"), std::string::npos) << none.out;
  EXPECT_EQ(none.out.find("best"), std::string::npos) << none.out;
  EXPECT_TRUE(std::filesystem::exists(folder.path("run/checkpoint.safetensors")));
  const auto resume = [&](const std::string& more) {
    return innerloop_in(folder.path(), split("train --resume --out run --json " + more)).json();
  };
  const Json again = resume("");
  for (const char* key : {"best", "best_accuracy", "best_step"}) EXPECT_TRUE(again[key].is_null()) << key;
  EXPECT_EQ(resume("--iterations 1")["best"], "run/best.safetensors");
  std::filesystem::remove(folder.path("run/best.safetensors"));
  EXPECT_TRUE(resume("--iterations 1")["best"].is_null());
}

TEST(Train, FromAnotherFolderGoesOnWithTheDataThatAreNamedThere) {
  TempFolder folder;
  std::filesystem::copy(xrays(), folder.path("few"), std::filesystem::copy_options::recursive);
  std::filesystem::create_directory(folder.path("elsewhere"));
  const auto begin = [&](const std::string& out, const std::string& more) {
    return innerloop_in(folder.path(), Arguments{"train", "--data", "few", "--out", out} + small_model() + split(more));
  };
  ASSERT_EQ(begin("run", "--iterations 1 --set eval.every=0").code, 0);
  const auto resume = [&](const std::string& more) {
    return innerloop_in(folder.path("elsewhere"), split("train --resume --out ../run " + more));
  };
  expect_error(resume("--iterations 2"), 1, {"few: no such file or folder", "../run", "give it by --data"});
  const Outcome named = resume("--iterations 2 --data ../few");
  EXPECT_EQ(named.code, 0) << named.err;
}

}  // namespace
}  // namespace innerloop::tools
