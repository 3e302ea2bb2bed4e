// What the kernels cost, counted on the host executor.
//
//   kernel_table write PAGE OBJECTS COMPILER   writes docs/kernels.md; OBJECTS lists the engine's objects (resources.h)
//   kernel_table check PAGE                    fails when the traffic has grown beyond what the page says
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "page.h"

namespace innerloop::executed {
namespace {

int write(const std::string& page, const std::string& objects, const std::string& compiler) {
  const std::string text = kernel_page(traffic_rows(), read_resources(objects), compiler);
  std::ofstream file(page, std::ios::binary);
  file << text;
  file.close();
  IL_CHECK(file.good(), "{}: cannot be written", page);
  return 0;
}

int check(const std::string& page) {
  std::ifstream file(page, std::ios::binary);
  IL_CHECK(file.good(), "{}: cannot be read", page);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<std::string> worse = compare_traffic(text, traffic_rows());
  for (const std::string& line : worse) std::printf("%s\n", line.c_str());
  if (worse.empty()) return 0;
  std::printf("The traffic of kernels is not what %s says. If it must be so, accept it: ninja kernels_page\n",
              page.c_str());
  return 1;
}

}  // namespace
}  // namespace innerloop::executed

int main(int count, char** arguments) {
  using namespace innerloop::executed;
  const std::vector<std::string> words(arguments + 1, arguments + count);
  try {
    if (words.size() == 4 && words[0] == "write") return write(words[1], words[2], words[3]);
    if (words.size() == 2 && words[0] == "check") return check(words[1]);
    std::fprintf(stderr, "usage: kernel_table write PAGE OBJECTS COMPILER | kernel_table check PAGE\n");
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kernel_table: error: %s\n", e.what());
    return 1;
  }
}
