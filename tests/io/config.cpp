#include "io/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "io/nearest.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

/// The text of the UsageError that `action` throws; a marker when it throws none.
template <class Action>
std::string usage_error(Action action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "(no UsageError)";
}

std::string toml_error(std::string_view text) {
  return usage_error([&] {
    Config config;
    apply_toml_text(config, text, "c.toml");
  });
}

std::string override_error(std::string_view assignment) {
  return usage_error([&] {
    Config config;
    apply_override(config, assignment);
  });
}

std::string validate_error(void (*spoil)(Config&)) {
  Config config;
  spoil(config);
  return usage_error([&] { validate(config); });
}

/// A config in which every key differs from the defaults and from every preset.
Config unusual() {
  Config c;
  c.model = {{7, 9}, 5, 3, Padding::kSame, Pool::kNone, Head::kMean, false, 0.1 + 0.2};
  c.inner = {3, 1.0 / 3, Order::kFirst, Method::kReverse, LossReduction::kSum};
  c.outer = {Optimizer::kSgd, 1e-17, Schedule::kCosine, 1e22, 2, 77};
  c.task = {Scheme::kGroups, 4, 6, 8};
  c.augment = {Shift{1}, GaussianNoise{0.7}, SaltPepper{0.25, 1.0}, Shift{2}};
  c.data = {96, 3, true, 0.125, Layout::kKermany, "a \"quoted\" \\ path\t.csv", "caché"};
  c.eval = {3, 2, 9, 11, 13, EvalNorm::kSupport, 17};
  c.run = {std::numeric_limits<std::int64_t>::max(), DeviceChoice::kCuda, StepRecords::kKeep, 5, 19};
  c.supervised = {System::kCnnLstm, 0.125, 0.375, Optimizer::kSgd, 0.0625, 3.25, 23, 777, 77, 0.225, 21, 29,
                  ClassWeights::kNone};
  return c;
}

void expect_round_trip(const Config& config, Config base) {
  const std::string text = to_toml(config);
  apply_toml_text(base, text, "resolved");
  EXPECT_EQ(base, config) << text;
  EXPECT_EQ(to_toml(base), text);
}

TEST(Config, ResolvedTomlReadsBackToTheSameValues) {
  expect_round_trip(Config{}, unusual());
  expect_round_trip(unusual(), Config{});
  Config bare = unusual();
  bare.augment.clear();
  expect_round_trip(bare, unusual());
  for (const std::string& name : preset_names()) expect_round_trip(preset(name), unusual());
}

TEST(Config, ResolvedTomlHoldsEveryDocumentedKeyAndNothingElse) {
  // The unusual config changes every key, so its text has to differ from the default's in every line.
  std::set<std::string> lines;
  std::istringstream defaults(to_toml(Config{}));
  for (std::string line; std::getline(defaults, line);) lines.insert(line);
  std::istringstream unusual_text(to_toml(unusual()));
  for (std::string line; std::getline(unusual_text, line);) {
    if (line.find(" = ") != std::string::npos && line.front() != ' ' && line != "augment = [") {
      EXPECT_FALSE(lines.contains(line)) << line;
    }
  }
  std::size_t plain_keys = 0;
  for (const KeyDoc& doc : key_docs()) {
    EXPECT_FALSE(doc.meaning.empty()) << doc.key;
    EXPECT_FALSE(doc.type.empty()) << doc.key;
    if (doc.key.rfind("augment", 0) == 0) continue;
    ++plain_keys;
    Config config = unusual();
    apply_override(config, doc.key + "=" + doc.default_value);
    EXPECT_NE(config, unusual()) << doc.key << ": the printed default must take effect";
  }
  EXPECT_EQ(plain_keys, 8u + 5 + 6 + 4 + 7 + 7 + 13 + 5);
}

TEST(Config, AnUnknownSystemIsToldAllTheNames) {
  const std::string error = override_error("supervised.system=lenet");
  for (const char* word : {"supervised.system", "lenet", "umlf", "lenet5", "alexnet", "vgg19", "covxnet", "cnn_lstm", "cnn_rnn",
                           "emcnet"})
    EXPECT_NE(error.find(word), std::string::npos) << word << " in: " << error;
}

TEST(Config, FloatsArePrintedInTheShortestFormThatIsExact) {
  Config config;
  config.inner.rate = 0.1;
  config.outer.rate = 1;
  config.outer.clip = 5e-324;
  const std::string text = to_toml(config);
  EXPECT_NE(text.find("\nrate = 0.1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nrate = 1.0\n"), std::string::npos) << text;
  Config back;
  apply_toml_text(back, text, "resolved");
  EXPECT_EQ(back.outer.clip, 5e-324);
}

TEST(Config, APartialTextChangesOnlyWhatItNames) {
  Config config = unusual();
  apply_toml_text(config, "[model]\nfilters = [16, 32]\npool = \"max\"\n[inner]\nrate = 1\norder = 2\n", "problem");
  Config want = unusual();
  want.model.filters = {16, 32};
  want.model.pool = Pool::kMax;
  want.inner.rate = 1;
  want.inner.order = Order::kSecond;
  EXPECT_EQ(config, want);
}

TEST(Config, AugmentReplacesTheWholeListFromTablesOrInline) {
  const std::vector<Augmentation> want = {SaltPepper{0.3, 0.5}, Shift{4}};
  Config config = unusual();
  apply_toml_text(config,
                  "[[augment]]\nkind = \"salt_pepper\"\nprobability = 0.3\nsalt = 0.5\n"
                  "[[augment]]\nkind = \"shift\"\npixels = 4\n",
                  "c.toml");
  EXPECT_EQ(config.augment, want);
  config = unusual();
  apply_override(config,
                 "augment=[{kind = \"salt_pepper\", probability = 0.3, salt = 0.5}, {kind = \"shift\", pixels = 4}]");
  EXPECT_EQ(config.augment, want);
  apply_override(config, "augment=[]");
  EXPECT_TRUE(config.augment.empty());
}

TEST(Config, UnknownKeysSuggestTheNearest) {
  EXPECT_EQ(toml_error("[inner]\nrat = 1"), "c.toml:2: unknown key 'inner.rat'; did you mean 'inner.rate'?");
  EXPECT_EQ(toml_error("[inner]\ntasks = 1"), "c.toml:2: unknown key 'inner.tasks'; did you mean 'outer.tasks'?");
  EXPECT_EQ(toml_error("[inner]\nwibblewobble = 1"),
            "c.toml:2: unknown key 'inner.wibblewobble'; the keys of [inner] are steps, rate, order, method, loss");
  EXPECT_EQ(toml_error("[modle]\nkernel = 3"), "c.toml:1: unknown section 'modle'; did you mean 'model'?");
  EXPECT_EQ(toml_error("seed = 3"), "c.toml:1: unknown key 'seed'; did you mean 'run.seed'?");
  EXPECT_EQ(override_error("inner.rat=1"), "--set: unknown key 'inner.rat'; did you mean 'inner.rate'?");
  EXPECT_EQ(override_error("inner.rate.x=1"), "--set: unknown key 'inner.rate.x'; did you mean 'inner.rate'?");
  EXPECT_EQ(usage_error([] { preset("papre"); }),
            "--preset: unknown preset 'papre'; the presets are paper, released, omniglot, miniimagenet, demo; did you mean "
            "'paper'?");
}

TEST(Config, TypeErrorsNameFileLineKeyFoundAndExpected) {
  EXPECT_EQ(toml_error("[inner]\n\nrate = \"fast\""),
            "c.toml:3: inner.rate: found the string \"fast\", expected a finite number >= 0");
  EXPECT_EQ(toml_error("[task]\nways = 3.0"),
            "c.toml:2: task.ways: found the number 3.0, expected an integer from 2 to 65535");
  EXPECT_EQ(toml_error("[model]\npool = \"maxx\""),
            "c.toml:2: model.pool: found the string \"maxx\", expected \"max\" | \"none\"; did you mean 'max'?");
  EXPECT_EQ(toml_error("[model]\nfilters = [64, \"x\"]"),
            "c.toml:2: model.filters: found an array, expected an array of 1 to 16 integers, each from 1 to 65536");
  EXPECT_EQ(toml_error("[data]\ninvert = 1"), "c.toml:2: data.invert: found the integer 1, expected true or false");
  EXPECT_EQ(toml_error("[inner]\norder = 3"), "c.toml:2: inner.order: found the integer 3, expected 1 | 2");
  EXPECT_EQ(toml_error("[run]\ndevice = 2020-01-01"),
            "c.toml:2: run.device: found a date or time, expected \"auto\" | \"cpu\" | \"cuda\"");
  EXPECT_EQ(toml_error("inner = 3"),
            "c.toml:1: inner: found the integer 3, expected a table: write [inner] above its keys");
  EXPECT_EQ(override_error("inner.rate=abc"),
            "--set: inner.rate: found the string \"abc\", expected a finite number >= 0");
}

TEST(Config, AugmentErrorsNameTheEntry) {
  EXPECT_EQ(
      toml_error("[[augment]]\nkind = \"shif\""),
      "c.toml:2: augment[0].kind: found the string \"shif\", expected \"salt_pepper\" | \"gaussian\" | \"shift\"; "
      "did you mean 'shift'?");
  EXPECT_EQ(toml_error("[[augment]]\npixels = 3"),
            "c.toml:1: augment[0].kind: missing, expected \"salt_pepper\" | \"gaussian\" | \"shift\"");
  EXPECT_EQ(toml_error("[[augment]]\nkind = \"shift\"\n[[augment]]\nkind = \"salt_pepper\"\npixels = 3"),
            "c.toml:5: unknown key 'augment[1].pixels'; kind \"salt_pepper\" takes probability, salt");
  EXPECT_EQ(toml_error("[[augment]]\nkind = \"salt_pepper\"\nsalt = 1.5"),
            "c.toml:3: augment[0].salt: found 1.5, expected a number in [0, 1]");
  EXPECT_EQ(toml_error("[augment]\nkind = \"shift\""),
            "c.toml:1: augment: found a table, expected an array of tables: write [[augment]], or [] for none");
  EXPECT_EQ(override_error("augment=[3]"),
            "--set: augment[0]: found the integer 3, expected a table with kind = \"salt_pepper\" | \"gaussian\" | "
            "\"shift\"");
}

TEST(Config, RangesAreChecked) {
  const char* bad[] = {
      "task.ways=1",    "task.shots=0",     "task.queries=0",         "outer.tasks=0",      "outer.rate=inf",
      "outer.rate=nan", "inner.rate=-0.1",  "data.holdout=1.0",       "data.holdout=-0.01", "model.kernel=0",
      "model.stride=0", "model.filters=[]", "model.filters=[0]",      "data.channels=0",    "data.size=0",
      "run.seed=-1",    "eval.episodes=0",  "inner.steps=-1",         "outer.clip=-1",      "model.norm_epsilon=0",
      "run.threads=-1", "eval.every=-1",    "run.checkpoint_every=-1",
      "data.channels=2", "data.channels=4", "data.size=4097",         "task.ways=65536",    "eval.shots=65536",
      "supervised.rate=-0.5", "supervised.rate=-2", "supervised.dropout=-0.5", "supervised.dropout=1"};
  for (const char* assignment : bad) {
    const std::string error = override_error(assignment);
    const std::string key(assignment, std::string_view(assignment).find('='));
    EXPECT_EQ(error.rfind("--set: " + key + ": found ", 0), 0u) << assignment << " gave " << error;
    EXPECT_NE(error.find(", expected "), std::string::npos) << error;
  }
  for (const char* assignment : {"inner.rate=0", "inner.steps=0", "data.holdout=0", "task.ways=2", "outer.clip=0",
                                 "data.channels=1", "data.channels=3", "data.size=4096", "supervised.rate=-1",
                                 "supervised.rate=0", "supervised.dropout=-1", "supervised.dropout=0",
                                 "augment=[{kind = \"gaussian\", std = 999999}]"}) {
    EXPECT_EQ(override_error(assignment), "(no UsageError)") << assignment;
  }
}

TEST(Config, HelpStatesTheRangesThatHold) {
  const auto type_of = [](std::string_view key) {
    for (const KeyDoc& doc : key_docs())
      if (doc.key == key) return doc.type;
    return std::string("(no such key)");
  };
  EXPECT_EQ(type_of("data.size"), "an integer from 1 to 4096");
  EXPECT_EQ(type_of("data.channels"), "1 | 3");
  EXPECT_EQ(type_of("augment.gaussian.std"), "a number in [0, 1000000)");
  EXPECT_EQ(type_of("supervised.rate"), "-1 or a finite number >= 0");
  EXPECT_EQ(type_of("supervised.dropout"), "-1 or a number in [0, 1)");
  EXPECT_EQ(override_error("data.channels=2"), "--set: data.channels: found 2, expected 1 | 3");
  EXPECT_EQ(toml_error("[[augment]]\nkind = \"gaussian\"\nstd = 1e300"),
            "c.toml:3: augment[0].std: found 1e+300, expected a number in [0, 1000000)");
}

TEST(Config, ANumberInQuotesOrTooLargeIsToldAsSuch) {
  EXPECT_EQ(override_error("inner.order=\"2\""),
            "--set: inner.order: found the string \"2\", expected 1 | 2; write it without quotes");
  EXPECT_EQ(override_error("inner.order=\"3\""), "--set: inner.order: found the string \"3\", expected 1 | 2");
  EXPECT_EQ(toml_error("[inner]\nrate = \"0.5\""),
            "c.toml:2: inner.rate: found the string \"0.5\", expected a finite number >= 0; write it without quotes");
  EXPECT_EQ(toml_error("[data]\ninvert = \"true\""),
            "c.toml:2: data.invert: found the string \"true\", expected true or false; write it without quotes");
  EXPECT_EQ(override_error("run.seed=18446744073709551615"),
            "--set: run.seed: found 18446744073709551615, which is too large, expected an integer >= 0");
  EXPECT_EQ(override_error("inner.rate=1e999"),
            "--set: inner.rate: found 1e999, which is too large, expected a finite number >= 0");
  EXPECT_EQ(override_error("inner.order=1e999"), "--set: inner.order: found 1e999, which is too large, expected 1 | 2");
  EXPECT_EQ(override_error("inner.rate=12.x"),
            "--set: inner.rate: found the string \"12.x\", expected a finite number >= 0");
}

TEST(Config, AnOverrideWithoutAKeyIsToldWhatItNeeds) {
  const std::string remedy = ": names no key; write section.key=value, as in --set inner.rate=0.01";
  for (const char* assignment : {"=1", " =1", ".rate=1"})
    EXPECT_EQ(override_error(assignment), "--set " + std::string(assignment) + remedy);
  EXPECT_EQ(toml_error("wibblewobblewibble = 1"),
            "c.toml:1: unknown key 'wibblewobblewibble'; the sections are model, inner, outer, task, augment, data, eval, "
            "supervised, run");
}

std::string repeated(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

TEST(Config, AKeyOfManyDotsIsRefusedBeforeItIsParsed) {
  const std::string refused = "a key of more than 16 dots; no key has so many";
  for (const char* part : {"a.", "a . ", "\"a\".", "'a'.", "\"a\\\"\".", "é."}) {
    const std::string key = repeated(part, 50000) + "b";
    EXPECT_EQ(toml_error("\n" + key + " = 1"), "c.toml:2: " + refused) << part;
    EXPECT_EQ(toml_error("[" + key + "]"), "c.toml:1: " + refused) << part;
    EXPECT_EQ(toml_error("x = '''\n'''\nt = {" + key + " = 1}"), "c.toml:3: " + refused) << part;
    EXPECT_EQ(override_error("inner.rate={" + key + " = 1}").rfind("--set: inner.rate: found the string ", 0), 0u) << part;
  }
  // As deep as the two bounds together let it be.
  const std::string deep = repeated(repeated("a.", 16) + "b = {", 250) + repeated("}", 250);
  EXPECT_NE(toml_error(deep), "(no UsageError)");
}

TEST(Config, DotsThatAreNoneOfAKeyAreFree) {
  const std::string dots(1000, '.'), name = "a" + repeated(".b", 40);
  Config config;
  apply_toml_text(config,
                  "# " + dots + "\n[data]\ngroups = \"" + dots + "\"\ncache = '" + dots + "' # it's " + dots +
                      "\n[run]\nseed = 5",
                  "c.toml");
  EXPECT_EQ(config.data.groups, dots);
  EXPECT_EQ(config.data.cache, dots);
  EXPECT_EQ(config.run.seed, 5);
  apply_override(config, "data.cache=" + name);
  EXPECT_EQ(config.data.cache, name);
  EXPECT_NE(toml_error("[model]\nfilters = [" + repeated("0.5, ", 40) + "]").find("model.filters: found an array"),
            std::string::npos);
  EXPECT_EQ(toml_error(std::string(5'000'000, '\n')),
            "c.toml: is larger than 4 MB, which no TOML of ours is; name another file");
}

TEST(Config, ControlCharactersAreRefusedByKey) {
  EXPECT_EQ(toml_error("[data]\ncache = \"a\\u0000b\""), "c.toml:2: data.cache holds a control character; leave it out");
  EXPECT_EQ(toml_error("[data]\n\"ca\\u0000che\" = 1"), "c.toml:2: a key of data holds a control character; leave it out");
  EXPECT_EQ(toml_error("\n\"da\\nta\".x = 1"), "c.toml:2: a key holds a control character; leave it out");
  EXPECT_EQ(toml_error("[[augment]]\nkind = \"a\\u001bb\""),
            "c.toml:2: augment.kind holds a control character; leave it out");
  EXPECT_EQ(override_error("data.cache=\"a\\u0000b\""),
            "--set: data.cache: found \"a\\u0000b\", expected a string of UTF-8 without control characters");
  EXPECT_EQ(validate_error([](Config& c) { c.data.groups = "a\nb"; }),
            "data.groups: found \"a\\u000Ab\", expected a string of UTF-8 without control characters");
}

TEST(Config, OverridesTakeBareWordsWhereTextIsMeant) {
  Config config;
  apply_override(config, "model.pool=none");
  apply_override(config, "model.head=\"mean\"");
  apply_override(config, "data.groups = /data/patients of 2020.csv ");
  apply_override(config, "data.cache=2024");
  apply_override(config, "inner.order=1");
  apply_override(config, "model.filters=[8, 16]");
  apply_override(config, "outer.clip=10");
  EXPECT_EQ(config.model.pool, Pool::kNone);
  EXPECT_EQ(config.model.head, Head::kMean);
  EXPECT_EQ(config.data.groups, "/data/patients of 2020.csv");
  EXPECT_EQ(config.data.cache, "2024");
  EXPECT_EQ(config.inner.order, Order::kFirst);
  EXPECT_EQ(config.model.filters, (std::vector<std::int64_t>{8, 16}));
  EXPECT_EQ(config.outer.clip, 10);
  apply_override(config, "data.cache=");
  EXPECT_EQ(config.data.cache, "");
  // What TOML cannot hold is refused at once, not when the resolved file is read back.
  EXPECT_EQ(override_error("data.cache=a\xff").rfind("--set: data.cache: found ", 0), 0u);
  // An override is one value: a line break cannot smuggle in another key.
  EXPECT_NE(override_error("inner.rate=1\nw = 2"), "(no UsageError)");
  EXPECT_NE(override_error("inner.rate"), "(no UsageError)");
  EXPECT_NE(override_error("=3"), "(no UsageError)");
}

TEST(Config, AFailedTextChangesNothing) {
  Config config;
  EXPECT_THROW(apply_toml_text(config, "[inner]\nrate = 0.5\n[task]\nways = 1", "c.toml"), UsageError);
  EXPECT_EQ(config, Config{});
}

TEST(Config, FilesThatCannotBeReadOrParsedAreNamed) {
  Config config;
  const auto apply = [&](const char* path) { return usage_error([&] { apply_toml_file(config, path); }); };
  EXPECT_EQ(apply("/nowhere/c.toml"),
            "/nowhere/c.toml: cannot be read (No such file or directory); give the path of a TOML file");
  EXPECT_EQ(apply("/"), "/: is a folder; give the path of a TOML file");
  EXPECT_EQ(toml_error("[inner]\nrate = = 3").rfind("c.toml:2: not TOML: ", 0), 0u)
      << toml_error("[inner]\nrate = = 3");

  const auto path = std::filesystem::path(testing::TempDir()) / "innerloop_config_test.toml";
  std::ofstream(path) << "[run]\nseed = 42\n";
  apply_toml_file(config, path);
  EXPECT_EQ(config.run.seed, 42);
  std::ofstream(path) << "[run]\nsede = 42\n";
  EXPECT_EQ(apply(path.c_str()), path.string() + ":2: unknown key 'run.sede'; did you mean 'run.seed'?");
  std::filesystem::remove(path);
}

TEST(Config, ValidateTiesKeysTogether) {
  EXPECT_EQ(validate_error([](Config& c) { c.model.kernel = 4; }).rfind("model.kernel: found 4, expected an odd", 0),
            0u);
  EXPECT_EQ(validate_error([](Config& c) { c.model.kernel = 4, c.model.padding = Padding::kSame; }), "(no UsageError)");
  EXPECT_EQ(validate_error([](Config& c) { c.data.size = 16; }), "(no UsageError)");
  EXPECT_EQ(validate_error([](Config& c) {
              c.data.size = 15;
            }).rfind("data.size: images of 15x15 pixels shrink to nothing at block 4 of 4", 0),
            0u);
  // The comparison systems have nets of their own; [model] does not hold for them.
  EXPECT_EQ(validate_error([](Config& c) { c.data.size = 8, c.supervised.system = System::kLenet5; }), "(no UsageError)");
  EXPECT_EQ(validate_error([](Config& c) { c.inner.rate = NAN; }),
            "inner.rate: found nan, expected a finite number >= 0");
  EXPECT_EQ(validate_error([](Config& c) { c.augment = {Shift{-1}}; }),
            "augment[0].pixels: found -1, expected an integer from 0 to 16384");
  EXPECT_EQ(validate_error([](Config& c) { c.augment.assign(9, Shift{1}); }),
            "augment: found 9 tables, expected at most 8");
}

TEST(Config, PresetsAreValidAndFollowTheirSources) {
  for (const std::string& name : preset_names()) EXPECT_NO_THROW(validate(preset(name))) << name;
  const Config text = preset("paper");
  EXPECT_EQ(text.model.filters, (std::vector<std::int64_t>{16, 32, 64, 64}));
  EXPECT_EQ(text.outer.optimizer, Optimizer::kSgd);
  EXPECT_EQ(text.augment.size(), 3u);
  EXPECT_EQ(text.task.scheme, Scheme::kGroups);
  EXPECT_LT(text.inner.rate, 0.01) << "the flat features explode at 0.01";
  const Config code = preset("released");
  EXPECT_EQ(code.model, (ModelConfig{{128, 64, 64, 64}, 3, 2, Padding::kSame, Pool::kNone, Head::kMean, false, 1e-3}));
  EXPECT_EQ(code.inner, (InnerConfig{5, 0.01, Order::kSecond, Method::kMixed, LossReduction::kSum}));
  EXPECT_EQ(code.outer.clip, 10);
  EXPECT_EQ(code.augment, (std::vector<Augmentation>{SaltPepper{0.5, 0}, Shift{6}}));
  EXPECT_TRUE(code.data.invert);
  for (const Config* c : {&text, &code}) {
    EXPECT_EQ(c->data.size, 500);
    EXPECT_EQ(c->data.channels, 1);
    EXPECT_EQ(c->task.ways, 3);
  }
  EXPECT_EQ(preset("miniimagenet").data.channels, 3);
  EXPECT_EQ(preset("omniglot").data.size, 28);
}

TEST(Nearest, EditDistanceCountsSwapsAsOne) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("rate", "raet"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("ca", "abc"), 3);  // optimal string alignment, not the unrestricted distance
  const std::string_view words[] = {"max", "none"};
  EXPECT_EQ(nearest("nnoe", words), "none");
  EXPECT_EQ(nearest("qqqqq", words), "");
}

}  // namespace
}  // namespace innerloop::io
