// reproduce: a whole comparison in seconds, a kill in the middle, and every refusal.
#include <signal.h>

#include <filesystem>
#include <map>

#include "tools/process.h"

namespace innerloop::tools {
namespace {

using Values = std::map<std::string, std::string>;

/// Three systems, three folds of the small X-rays, a few iterations; `changed` options have other values.
Arguments reproduce(const std::string& out, const Values& changed = {}) {
  Values values = {{"--classes", "normal,lobar,diffuse"},  {"--ways", "3"},  {"--shots", "1,2"},   {"--folds", "3"},
                   {"--systems", "umlf,untrained,lenet5"}, {"--size", "24"}, {"--iterations", "3"}};
  for (const auto& [option, value] : changed) values[option] = value;
  Arguments arguments = {"reproduce", "--data", xrays(), "--out", out, "--json"};
  for (const auto& [option, value] : values) arguments = arguments + Arguments{option, value};
  return arguments + split("--set model.filters=[4,4] --set task.shots=2 --set outer.tasks=2 --set eval.steps=2");
}

std::map<std::string, std::filesystem::file_time_type> units_of(const std::string& run) {
  std::map<std::string, std::filesystem::file_time_type> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run + "/units", error))
    out[entry.path().filename().string()] = entry.last_write_time();
  return out;
}

/// What the answers decide: seconds left out.
Json scores_of(const std::string& run) {
  Json json = Json::parse(io::read_file(run + "/report.json"));
  Json out = Json::array();
  for (Json& system : json["systems"]) {
    system.erase("cost");
    out.push_back(system);
  }
  return out;
}

TEST(Reproduce, ComparesAllOnTheSameImages) {
  TempFolder folder;
  const Outcome outcome = innerloop_in(folder.path(), reproduce("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["outcome"], "finished");
  EXPECT_EQ(json["parts_left"], 0);
  EXPECT_EQ(json["parts_failed"], 0);
  // Three folds of three systems at two shots, and the two of the shortcut test.
  EXPECT_EQ(json["units"], 3 * (3 * 2 + 2));
  std::map<std::string, Json> images;
  for (const auto& [name, time] : units_of(folder.path("run"))) {
    const Json unit = Json::parse(io::read_file(folder.path("run/units/" + name)));
    const std::string fold = unit["fold"].dump();
    if (!images.contains(fold)) images[fold] = unit["images"];
    EXPECT_EQ(unit["images"], images[fold]) << name;
    EXPECT_EQ(unit["probabilities"].size(), 3 * unit["truth"].size());
  }
  for (const char* file : {"report.html", "report.json", "tables.csv", "tables.md", "plan.json"})
    EXPECT_TRUE(std::filesystem::exists(folder.path(std::string("run/") + file))) << file;
  EXPECT_NE(io::read_file(folder.path("run/report.html")).find("data:image/png;base64,"), std::string::npos);

  // --report-only writes the same pages again.
  const std::string html = io::read_file(folder.path("run/report.html"));
  std::filesystem::remove(folder.path("run/report.html"));
  ASSERT_EQ(innerloop_in(folder.path(), split("reproduce --out run --report-only")).code, 0);
  EXPECT_EQ(io::read_file(folder.path("run/report.html")), html);
  // More shots join what is there; another seed does not.
  const Outcome more = innerloop_in(folder.path(), reproduce("run", {{"--shots", "3"}}));
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(more.json()["units"], 3 * (3 * 3 + 2));
  expect_error(innerloop_in(folder.path(), reproduce("run", {{"--seed", "2"}})), 2, {"--seed", "another folder"});
}

TEST(Reproduce, ASystemMayHaveASideOfItsOwn) {
  TempFolder folder;
  const Values few = {{"--systems", "untrained,lenet5"}, {"--shots", "1"}, {"--folds", "2"}};
  Values sized = few;
  sized["--size-of"] = "lenet5=32";
  ASSERT_EQ(innerloop_in(folder.path(), reproduce("plain", few)).code, 0);
  const Outcome outcome = innerloop_in(folder.path(), reproduce("run", sized));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto plan = [&](const char* run) { return Json::parse(io::read_file(folder.path(run) + "/plan.json")); };
  EXPECT_EQ(plan("run")["sizes"], (Json{{"lenet5", 32}}));
  EXPECT_FALSE(plan("plain").contains("sizes"));
  EXPECT_NE(plan("run")["hash"], plan("plain")["hash"]);
  EXPECT_EQ(plan("run")["data"]["hash"], plan("plain")["data"]["hash"]);
  // Other pixels, the same images; the others, and the shortcut test, answer as without it.
  for (const auto& [name, time] : units_of(folder.path("run"))) {
    const Json a = Json::parse(io::read_file(folder.path("run/units/" + name))),
               b = Json::parse(io::read_file(folder.path("plain/units/" + name)));
    EXPECT_EQ(a["images"], b["images"]) << name;
    if (a["system"] == "lenet5") {
      EXPECT_GT(a["parameters"], b["parameters"]) << name;
    } else {
      EXPECT_EQ(a["probabilities"], b["probabilities"]) << name;
    }
  }
  EXPECT_NE(io::read_file(folder.path("run/tables.md")).find("| LeNet-5 (32x32) |"), std::string::npos);
  EXPECT_NE(io::read_file(folder.path("run/report.html")).find("LeNet-5 (32x32)"), std::string::npos);
  EXPECT_EQ(Json::parse(io::read_file(folder.path("run/report.json")))["sizes"], (Json{{"lenet5", 32}}));

  const Outcome again = innerloop_in(folder.path(), reproduce("run", sized));
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.json()["parts_done"], 0);
  expect_error(innerloop_in(folder.path(), reproduce("run", few)), 2, {"--size-of", "lenet5=32", "none"});
  // The side that all have is none of one's own.
  sized["--size-of"] = "lenet5=24";
  EXPECT_EQ(innerloop_in(folder.path(), reproduce("plain", sized)).json()["parts_done"], 0);
}

TEST(Reproduce, AKillInTheMiddleRepeatsNothingAndChangesNothing) {
  TempFolder folder;
  const Values longer = {{"--iterations", "20"}};
  ASSERT_EQ(innerloop_in(folder.path(), reproduce("straight", longer)).code, 0);
  {
    Process killed(folder.path(), reproduce("run", longer));
    ASSERT_TRUE(wait_until([&] { return units_of(folder.path("run")).size() >= 4; }));
    killed.signal(SIGKILL);
    killed.wait();
  }
  const auto before = units_of(folder.path("run"));
  ASSERT_GE(before.size(), 4u);
  ASSERT_LT(before.size(), 24u) << "it was over before the kill";
  const Outcome resumed = innerloop_in(folder.path(), reproduce("run", longer));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_GE(resumed.json()["parts_reused"].get<int>(), 4);
  const auto after = units_of(folder.path("run"));
  for (const auto& [name, time] : before) {
    if (name.ends_with(".json")) {
      EXPECT_EQ(after.at(name), time) << name << " was done twice";
    }
  }
  EXPECT_EQ(scores_of(folder.path("run")), scores_of(folder.path("straight")));
}

TEST(Reproduce, CtrlCSavesAndReports) {
  TempFolder folder;
  Process running(folder.path(), reproduce("run", {{"--iterations", "20"}}));
  ASSERT_TRUE(wait_until([&] { return units_of(folder.path("run")).size() >= 3; }));
  running.signal(SIGINT);
  const Outcome stopped = running.wait();
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_EQ(stopped.json()["outcome"], "stopped");
  EXPECT_GT(stopped.json()["parts_left"].get<int>(), 0);
  EXPECT_NE(io::read_file(folder.path("run/report.html")).find("not done yet"), std::string::npos);
}

TEST(Reproduce, ABudgetScalesEveryoneAlike) {
  TempFolder folder;
  const Values values = {
      {"--iterations", "20000"}, {"--budget", "3s"}, {"--systems", "untrained,lenet5"}, {"--shots", "1"}};
  const Outcome outcome = innerloop_in(folder.path(), reproduce("run", values));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const double scale = outcome.json()["scale"];
  EXPECT_LT(scale, 0.5);
  EXPECT_EQ(Json::parse(io::read_file(folder.path("run/plan.json")))["scale"], scale);
  for (const auto& [name, time] : units_of(folder.path("run"))) {
    const Json unit = Json::parse(io::read_file(folder.path("run/units/" + name)));
    EXPECT_LE(unit["iterations"].get<double>(), 20000 * scale + 1) << name;
  }
  EXPECT_NE(io::read_file(folder.path("run/report.html")).find("% of its configured iterations"), std::string::npos);
}

TEST(Reproduce, OneProcessAtATimeWorksInAFolder) {
  TempFolder folder;
  const Values endless = {{"--systems", "lenet5"}, {"--iterations", "1000000"}};
  Process first(folder.path(), reproduce("run", endless));
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(folder.path("run/.lock")); }));
  expect_error(innerloop_in(folder.path(), reproduce("run", endless)), 1, {"run: another innerloop is at work", "another folder"});
  const Arguments training = Arguments{"train", "--data", xrays(), "--out", "run"} + small_model();
  expect_error(innerloop_in(folder.path(), training), 1, {"run: another innerloop is at work"});
  first.signal(SIGKILL);
  first.wait();
  const Outcome after = innerloop_in(folder.path(), reproduce("run", {{"--systems", "lenet5"}, {"--seed", "2"}}));
  EXPECT_EQ(after.err.find("another innerloop"), std::string::npos) << after.err;
}

TEST(Reproduce, NamesADamagedFileOfTheFolder) {
  TempFolder folder;
  const Values values = {{"--systems", "umlf"}, {"--shots", "2"}, {"--folds", "2"}};
  ASSERT_EQ(innerloop_in(folder.path(), reproduce("whole", values)).code, 0);
  int copies = 0;
  const auto damaged = [&](const std::string& file, const std::string& content, const std::vector<std::string>& parts) {
    const std::string run = "run" + std::to_string(copies++);
    std::filesystem::copy(folder.path("whole"), folder.path(run), std::filesystem::copy_options::recursive);
    folder.write(run + "/" + file, content);
    std::vector<std::string> all = {run + "/" + file};
    all.insert(all.end(), parts.begin(), parts.end());
    expect_error(innerloop_in(folder.path(), split("reproduce --report-only --out " + run)), 1, all);
  };
  const std::string unit = io::read_file(folder.path("whole/units/w3_f01_umlf_k02.json"));
  const auto changed = [](std::string text, const std::string& from, const std::string& to) {
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return text.replace(text.find(from), from.size(), to);
  };
  damaged("units/w3_f01_umlf_k02.json", unit.substr(0, 100), {"no JSON", "delete"});
  damaged("units/w3_f01_umlf_k02.json", changed(unit, "\"umlf\"", "\"lenet9\""), {"no system", "delete"});
  damaged("units/copy.json", unit, {"w3_f01_umlf_k02", "another file", "delete"});
  damaged("meta/w3_f01_groups_k02.safetensors", "no checkpoint", {"delete the file and run again"});
  const std::string plan = io::read_file(folder.path("whole/plan.json"));
  damaged("plan.json", plan.substr(0, 200), {"cut short", "another folder"});
  damaged("plan.json", changed(plan, "\"version\": 1", "\"version\": \"one\""), {"damaged"});
  damaged("plan.json", changed(plan, "\"umlf\"", "\"lenet9\""), {"lenet9"});
}

TEST(Reproduce, SaysWhatCannotBeMeant) {
  TempFolder folder;
  const auto refused = [&](const Values& values, int code, const std::vector<std::string>& parts) {
    expect_error(innerloop_in(folder.path(), reproduce("run", values)), code, parts);
  };
  refused({{"--systems", "lenet6"}}, 2, {"--systems", "lenet6", "umlf_instances", "did you mean 'lenet5'"});
  refused({{"--classes", "normal,nothing"}}, 2, {"--classes", "nothing", "bilateral_peripheral"});
  refused({{"--size-of", "vgg=32"}}, 2, {"--size-of", "vgg", "did you mean 'vgg19'"});
  refused({{"--size-of", "vgg19=0"}}, 2, {"--size-of", "vgg19=0"});
  refused({{"--size-of", "vgg19=1"}}, 2, {"--size-of", "VGG19", "is the least"});
  refused({{"--iterations", "0"}}, 2, {"--iterations", "1 is the least"});
  refused({{"--ways", "1"}}, 2, {"--ways", "2 is the least"});
  refused({{"--folds", "1"}}, 2, {"--folds"});
  refused({{"--budget", "soon"}}, 2, {"--budget", "soon", "1h30m"});
  refused({{"--budget", ""}}, 2, {"--budget", "empty"});
  refused({{"--systems", "untrained"}, {"--size-of", "lenet5=32"}}, 2, {"--size-of", "lenet5 is not compared", "--systems"});
  expect_error(innerloop_in(folder.path(), split("reproduce --out run --report-only --data none")), 2,
               {"--report-only", "leave --data out"});
  refused({{"--ways", "5"}}, 1, {"5-way", "--classes"});
  refused({{"--folds", "50"}}, 1, {"class"});
  expect_error(innerloop_in(folder.path(), split("reproduce --out run")), 2, {"--data"});
  expect_error(innerloop_in(folder.path(), split("reproduce --data synthetic")), 2, {"--out"});
  expect_error(innerloop_in(folder.path(), split("reproduce --out none --report-only")), 2, {"none", "plan.json"});
  EXPECT_FALSE(std::filesystem::exists(folder.path("run/plan.json")));
  folder.write("run/report.html", "of a training");
  refused({}, 2, {"--out", "training run", "another folder"});
  EXPECT_EQ(io::read_file(folder.path("run/report.html")), "of a training");
}

}  // namespace
}  // namespace innerloop::tools
