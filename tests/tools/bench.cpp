// bench: hands its words to tools/bench.sh as they were typed.
#include "tools/process.h"

namespace innerloop::tools {
namespace {

TEST(Bench, HandsItsWordsOnInTheirOrder) {
  if (std::system("python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null") != 0)
    GTEST_SKIP() << "tools/bench.sh needs Python 3.10";
  TempFolder folder;
  if (innerloop_in(folder.path(), split("bench compare")).err.find("no tools/bench.sh") != std::string::npos)
    GTEST_SKIP() << "built outside of the sources, from where the command does not find them";
  folder.write("a.json", "{}");
  const auto refused = [&](const std::string& words, int code, const std::string& part) {
    const Outcome outcome = innerloop_in(folder.path(), split("bench " + words));
    EXPECT_EQ(outcome.code, code) << words << ": " << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << words << ": " << outcome.err;
  };
  refused("--workloads nosuch --out b", 2, "nosuch");
  refused("--out b --quick --workloads nosuch", 2, "nosuch");
  refused("compare a.json missing.json", 1, "a.json: no bench.json");
  refused("compare --nonsense a.json a.json", 2, "--nonsense");
}

}  // namespace
}  // namespace innerloop::tools
