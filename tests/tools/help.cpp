// Help that teaches: every example works, every key is listed, a slip is met with a suggestion.
#include <algorithm>
#include <cstdlib>

#include "io/config.h"
#include "io/safetensors.h"
#include "tools/problem_file.h"
#include "tools/process.h"

namespace innerloop::tools {
namespace {

/// The calls of `innerloop` in the example that ends the help of `command`.
std::vector<Arguments> examples_of(const std::string& folder, const std::string& command) {
  const Outcome help = innerloop_in(folder, split(command + " --help"));
  EXPECT_EQ(help.code, 0);
  const std::vector<std::string> lines = lines_of(help.out);
  std::vector<Arguments> calls;
  for (auto line = std::ranges::find(lines, "Example:"); line != lines.end(); ++line) {
    Arguments words = split(*line);
    if (!words.empty() && words.front() == "innerloop") calls.emplace_back(words.begin() + 1, words.end());
  }
  EXPECT_FALSE(calls.empty()) << help.out;
  return calls;
}

TEST(Help, TheExampleOfEveryCommandWorks) {
  TempFolder folder;
  io::write_safetensors(folder.path("w1.safetensors"), problem_file(DType::kF32));
  folder.write("recipe.toml", "size = 32\n[[source]]\nname = \"ours\"\ntake = {normal = 4, diffuse = 4}\n");
  // In an order in which each finds what it names: a run before its evaluation.
  for (const char* command :
       {"doctor", "help", "check", "data", "data inspect", "data pack", "data synth", "data combine", "episodes",
        "metagrad", "profile", "train", "eval", "predict", "reproduce"}) {
    for (const Arguments& call : examples_of(folder.path(), command)) {
      const Outcome outcome = innerloop_in(folder.path(), call);
      EXPECT_EQ(outcome.code, 0) << command << ": " << outcome.err;
      EXPECT_NE(outcome.out, "") << command;
    }
  }
}

TEST(Help, EveryWorkingCommandKnowsTheCommonOptions) {
  TempFolder folder;
  for (const char* command : {"train", "eval", "predict", "reproduce", "metagrad", "profile", "episodes", "check",
                              "doctor", "data inspect", "data pack", "data synth", "data combine"}) {
    const std::string help = innerloop_in(folder.path(), split(std::string(command) + " --help")).out;
    for (const char* option : {"--seed", "--device", "--threads", "--config", "--set", "--json"})
      EXPECT_NE(help.find(option), std::string::npos) << command << " " << option;
  }
}

TEST(Help, ListsEveryKey) {
  TempFolder folder;
  const std::string keys = innerloop_in(folder.path(), {"help", "keys"}).out;
  for (const io::KeyDoc& doc : io::key_docs()) EXPECT_NE(keys.find(doc.key + "\n"), std::string::npos) << doc.key;
  EXPECT_EQ(innerloop_in(folder.path(), {"train", "--help-keys"}).out, keys);
}

TEST(Help, PrintsAPresetThatReadsBack) {
  TempFolder folder;
  for (const std::string& name : io::preset_names()) {
    io::Config config;
    io::apply_toml_text(config, innerloop_in(folder.path(), {"help", "preset=" + name}).out, name);
    EXPECT_EQ(config, io::preset(name)) << name;
  }
}

TEST(Usage, WrongCallsAreNamedAndSuggestTheNearest) {
  TempFolder folder;
  const auto call = [&](const std::string& line) { return innerloop_in(folder.path(), split(line)); };
  expect_error(call("trian"), 2, {"'trian'", "did you mean 'train'"});
  expect_error(call("data pakc"), 2, {"'pakc'", "did you mean 'pack'"});
  expect_error(call(""), 2, {"innerloop --help"});
  expect_error(call("eval x --data y --episode 3"), 2, {"'--episode'", "did you mean '--episodes'"});
  expect_error(call("train --out x"), 2, {"--data"});
  expect_error(call("train --data synthetic"), 2, {"--out"});
  expect_error(call("eval x"), 2, {"--data"});
  expect_error(call("train --data synthetic --out x --set inner.rat=1"), 2, {"inner.rat", "did you mean 'inner.rate'"});
  expect_error(call("train --data synthetic --out x --preset omnoglot"), 2, {"omnoglot", "did you mean 'omniglot'"});
  expect_error(call("train --data synthetic --out x --ways 1"), 2, {"--ways", "found 1"});
  expect_error(call("train --data synthetic --out x --ways three"), 2, {"--ways", "three"});
  expect_error(call("train --data synthetic --out x --config none.toml"), 2, {"none.toml"});
  expect_error(call("metagrad p --out r --dtype f16"), 2, {"f16"});
  EXPECT_FALSE(std::filesystem::exists(folder.path("x")));
}

TEST(Usage, TheConfigFileIsNamedWithItsLine) {
  TempFolder folder;
  folder.write("run.toml", "[inner]\nsteps = 2\nrat = 0.1\n");
  expect_error(innerloop_in(folder.path(), split("train --data synthetic --out x --config run.toml")), 2,
               {"run.toml", "3", "inner.rat", "did you mean 'inner.rate'"});
}

TEST(Doctor, SaysWhatThereIs) {
  TempFolder folder;
  const Json doctor = innerloop_in(folder.path(), split("doctor --threads 2 --json")).json();
  EXPECT_EQ(doctor["device"], "cpu");
  EXPECT_EQ(doctor["threads"], 2);
  EXPECT_TRUE(doctor["gpu"].is_null());
  EXPECT_NE(doctor["gpu_reason"], "");
  EXPECT_GT(doctor["memory_bytes"], 0);
  EXPECT_EQ(innerloop_in(folder.path(), split("doctor --device auto")).code, 0);
  expect_error(innerloop_in(folder.path(), split("doctor --device cuda")), 1, {"device cuda", "--device cpu"});
}

TEST(Doctor, RefusesWhatAnEnvironmentVariableCannotMean) {
  TempFolder folder;
  for (const char* name : {"IL_SIMD", "IL_WINOGRAD"}) {
    setenv(name, "perhaps", 1);
    expect_error(innerloop_in(folder.path(), split("doctor")), 2, {name, "perhaps"});
    unsetenv(name);
  }
}

TEST(Check, EveryTruthHolds) {
  TempFolder folder;
  const Outcome outcome = innerloop_in(folder.path(), split("check --json"));
  const Json check = outcome.json();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(check["pass"], true);
  EXPECT_GT(check["checks"].size(), 10u);
  for (const Json& one : check["checks"]) EXPECT_LE(one["value"], one["bound"]) << one["name"];
}

}  // namespace
}  // namespace innerloop::tools
