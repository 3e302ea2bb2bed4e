// eval and predict on a small trained run.
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include "io/image.h"
#include "io/safetensors.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

class Trained : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    const Outcome trained = innerloop_in(
        folder_->path(), Arguments{"train", "--data", xrays(), "--out", "run", "--iterations", "3"} + small_model());
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static Outcome run(const std::string& line) { return innerloop_in(folder_->path(), split(line)); }
  static Outcome eval(const std::string& options) {
    return run("eval run/checkpoint.safetensors --data " + xrays() + " " + options);
  }
  static Outcome predict(const std::string& options) { return run("predict run/checkpoint.safetensors " + options); }

  static TempFolder* folder_;
};
TempFolder* Trained::folder_ = nullptr;

TEST_F(Trained, EvalCountsEveryQuery) {
  const Json json = eval("--episodes 6 --queries 3 --shots 2 --steps 1 --norm support --seed 7 --json").json();
  int counted = 0, right = 0;
  ASSERT_EQ(json["classes"].size(), 4u);
  for (std::size_t truth = 0; truth < 4; ++truth) {
    for (const Json& n : json["confusion"][truth]) counted += n.get<int>();
    right += json["confusion"][truth][truth].get<int>();
  }
  EXPECT_EQ(counted, 6 * 3 * 3);
  EXPECT_NEAR(json["accuracy"], static_cast<double>(right) / counted, 1e-12);
  EXPECT_NEAR(json["interval"][1].get<double>() - json["accuracy"].get<double>(), json["half_width"], 1e-12);
  for (const char* share : {"precision", "recall", "f1", "roc_auc", "pr_auc"}) {
    EXPECT_GE(json[share], 0) << share;
    EXPECT_LE(json[share], 1) << share;
  }
  const Json& protocol = json["protocol"];
  EXPECT_EQ(protocol["ways"], 3);
  EXPECT_EQ(protocol["shots"], 2);
  EXPECT_EQ(protocol["queries"], 3);
  EXPECT_EQ(protocol["episodes"], 6);
  EXPECT_EQ(protocol["steps"], 1);
  EXPECT_EQ(protocol["norm"], "support");
  EXPECT_EQ(protocol["seed"], 7);
  EXPECT_EQ(protocol["data_hash"].get<std::string>().size(), 64u);
}

TEST_F(Trained, EvalDependsOnTheSeedAndNotOnThreads) {
  const auto result = [&](const std::string& options) {
    Json json = eval("--episodes 5 --json " + options).json();
    json.erase("seconds");
    json.erase("threads");
    return json;
  };
  const Json one = result("--threads 1 --seed 3");
  EXPECT_EQ(one, result("--threads 2 --seed 3"));
  EXPECT_NE(one["confusion"], result("--threads 2 --seed 4")["confusion"]);
}

TEST_F(Trained, EvalTellsHeldOutImagesFromSeenOnes) {
  const Outcome all = eval("--json");
  EXPECT_NE(all.err.find("--part held-out"), std::string::npos) << all.err;
  const Outcome held_out = eval("--part held-out --json");
  EXPECT_EQ(held_out.err, "");
  EXPECT_EQ(held_out.json()["protocol"]["data_hash"], all.json()["protocol"]["data_hash"]);
  expect_error(run("eval run/checkpoint.safetensors --data synthetic --part held-out"), 1, {"synthetic", "held-out"});
}

TEST_F(Trained, EvalWithOtherWaysStartsTheHeadFromZero) {
  const Outcome outcome = eval("--ways 4 --json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("3-way"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.json()["protocol"]["ways"], 4);
}

TEST_F(Trained, EvalWritesAReport) {
  ASSERT_EQ(eval("--report eval.html").code, 0);
  EXPECT_NE(io::read_file(folder_->path("eval.html")).find("</html>"), std::string::npos);
}

TEST_F(Trained, EvalFindsOutBeforeTheWorkWhereNoReportCanBe) {
  const std::string before = io::read_file(folder_->path("run/checkpoint.safetensors"));
  // More episodes than anybody waits for.
  const std::string endless = "--episodes 10000000 --report ";
  expect_error(eval(endless + "none/x.html"), 1, {"none/x.html", "does not exist"});
  expect_error(eval(endless + "run"), 1, {"run: is a folder"});
  std::filesystem::create_hard_link(folder_->path("run/checkpoint.safetensors"), folder_->path("same"));
  for (const char* same : {"run/checkpoint.safetensors", "./run/../run/checkpoint.safetensors", "same"})
    expect_error(eval(endless + same), 2, {std::string(same) + ": is the input itself", "--report"});
  EXPECT_EQ(io::read_file(folder_->path("run/checkpoint.safetensors")), before);
}

TEST_F(Trained, EvalKnowsItsWordsAlone) {
  expect_error(eval("--small-classes leave"), 2, {"--small-classes", "leave not in {error,leave-out}", "eval --help"});
  expect_error(eval("--part 1"), 2, {"--part", "1 not in {all,held-out}"});
  expect_error(eval("--start 2"), 2, {"--start", "2 not in {checkpoint,untrained,fresh}"});
  const std::string help = run("eval --help").out;
  EXPECT_EQ(help.find('\0'), std::string::npos);
  EXPECT_EQ(help.find("->"), std::string::npos) << help;
}

TEST_F(Trained, EvalRefuses) {
  expect_error(eval("--queries 30"), 1, {"31", "10"});
  expect_error(eval("--ways 9"), 1, {"9", "4"});
  expect_error(eval("--set data.size=32"), 2, {"data.size"});
  expect_error(run("eval none.safetensors --data " + xrays()), 1, {"none.safetensors"});

  io::TensorFile file = io::read_safetensors(folder_->path("run/checkpoint.safetensors"));
  file.metadata["version"] = "999";
  io::write_safetensors(folder_->path("future.safetensors"), file);
  expect_error(run("eval future.safetensors --data " + xrays()), 1, {"future.safetensors", "999"});
  file.metadata["version"] = "1";
  for (auto& [name, tensor] : file.tensors)
    if (name == "head.weight") tensor = Tensor::zeros({7, 3}, DType::kF32);
  io::write_safetensors(folder_->path("shape.safetensors"), file);
  expect_error(run("eval shape.safetensors --data " + xrays()), 1, {"shape.safetensors", "head.weight", "[7, 3]"});
}

TEST_F(Trained, EvalLeavesSmallClassesOutWhenAsked) {
  TempFolder data;
  for (const char* name : {"a", "b", "c", "d"})
    for (int i = 0; i < (*name == 'd' ? 2 : 5); ++i)
      data.write_png(std::string("d/") + name + "/" + std::to_string(i) + ".png", 16, 16, 40 * i + *name);
  const std::string call = "eval run/checkpoint.safetensors --episodes 3 --data " + data.path("d");
  expect_error(run(call), 1, {"'d'", "2", "3"});
  const Outcome outcome = run(call + " --small-classes leave-out --json");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["left_out"][0]["class"], "d");
  EXPECT_NE(outcome.err.find("'d'"), std::string::npos);
}

TEST_F(Trained, PredictPrintsALineAnImage) {
  const Outcome outcome =
      predict("--support " + xrays() + " --images " + xrays() + "/lobar " + xrays() + "/normal/normal_0003.png");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<std::string> lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 11u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json line = Json::parse(lines[i]);
    EXPECT_EQ(line["image"],
              xrays() + (i < 10 ? "/lobar/lobar_000" + std::to_string(i) : "/normal/normal_0003") + ".png");
    double total = 0, best = 0;
    for (const auto& [name, p] : line["probabilities"].items()) {
      total += p.get<double>();
      best = std::max(best, p.get<double>());
    }
    EXPECT_EQ(line["probabilities"].size(), 4u);
    EXPECT_NEAR(total, 1, 1e-5);
    EXPECT_EQ(line["probabilities"][line["class"].get<std::string>()], best);
  }
}

TEST_F(Trained, PredictAnswersEachImageAloneUnderTheSupportsStatistics) {
  const std::string support = "--support " + xrays() + " --images ";
  const std::string together = predict(support + xrays() + "/lobar").out;
  EXPECT_EQ(predict(support + xrays() + "/lobar/lobar_0004.png").out, lines_of(together)[4] + "\n");
  const std::string batch = predict(support + xrays() + "/lobar --norm batch").out;
  EXPECT_NE(predict(support + xrays() + "/lobar/lobar_0004.png --norm batch").out, lines_of(batch)[4] + "\n");
}

TEST_F(Trained, PredictTakesAFlatSupportFolderOfAnyNumberOfClasses) {
  const Outcome outcome =
      predict("--support " + xrays() + "/lobar --images " + xrays() + "/lobar --steps 30 --set inner.rate=0.2");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("10 classes"), std::string::npos) << outcome.err;
  // Ten classes of one image each, and these very images: after many steps most have to be recognised.
  int right = 0;
  for (const std::string& text : lines_of(outcome.out)) {
    const Json line = Json::parse(text);
    EXPECT_EQ(line["probabilities"].size(), 10u);
    right += line["image"].get<std::string>().ends_with(line["class"].get<std::string>() + ".png") ? 1 : 0;
  }
  EXPECT_GE(right, 6);
}

TEST_F(Trained, PredictExplainsWithAPictureAnImage) {
  TempFolder out;
  std::filesystem::create_directories(out.path("other"));
  std::filesystem::copy(xrays() + "/lobar/lobar_0001.png", out.path("other/lobar_0001.png"));
  const std::string images = " --images " + xrays() + "/lobar " + out.path("other");
  const Outcome plain = predict("--support " + xrays() + images);
  const Outcome explained = predict("--support " + xrays() + images + " --explain " + out.path("why"));
  ASSERT_EQ(explained.code, 0) << explained.err;
  const auto lines = lines_of(explained.out), without = lines_of(plain.out);
  ASSERT_EQ(lines.size(), 11u);
  std::set<std::string> pictures;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Json line = Json::parse(lines[i]);
    const std::string picture = line["explanation"];
    EXPECT_TRUE(pictures.insert(picture).second) << picture;
    const io::Image overlay = io::decode_image(picture, 3);
    EXPECT_EQ(overlay.width, 2 * overlay.height);
    EXPECT_EQ(line["explained_at"], "block1");  // the finest: 16x16 leaves no deeper block of 7 cells a side
    line.erase("explanation");
    line.erase("explained_at");
    EXPECT_EQ(line, Json::parse(without[i]));  // an explanation changes no answer
  }
  EXPECT_TRUE(pictures.contains(out.path("why/lobar_0001.png")));
  EXPECT_TRUE(pictures.contains(out.path("why/lobar_0001_2.png")));
  expect_error(predict("--support " + xrays() + images + " --explain " + out.path("other/lobar_0001.png")), 1,
               {"lobar_0001.png", "--explain"});
}

TEST_F(Trained, PredictRefuses) {
  TempFolder data;
  data.write_png("one/a/0.png", 16, 16, 1);
  data.write_png("twice/x.png", 16, 16, 1);
  std::filesystem::copy(data.path("twice/x.png"), data.path("twice/x.PNG"));
  data.write("bad/x.png", "no picture");
  std::filesystem::create_directory(data.path("empty"));
  const std::string ok = " --images " + xrays() + "/lobar";
  expect_error(predict("--support " + data.path("one") + ok), 1, {"one", "'a'", "two or more"});
  expect_error(predict("--support " + data.path("twice") + ok), 1, {"x.png", "x.PNG"});
  expect_error(predict("--support " + data.path("none") + ok), 1, {"none"});
  expect_error(predict("--support " + xrays() + " --images " + data.path("empty")), 1, {"empty", "no images"});
  expect_error(predict("--support " + xrays() + " --images " + data.path("bad")), 1, {"x.png"});
  const Outcome skipped =
      predict("--support " + xrays() + " --skip-bad --images " + data.path("bad") + " " + xrays() + "/lobar");
  EXPECT_EQ(skipped.code, 0);
  EXPECT_EQ(lines_of(skipped.out).size(), 10u);
  EXPECT_NE(skipped.err.find("x.png"), std::string::npos);
}

}  // namespace
}  // namespace innerloop::tools
