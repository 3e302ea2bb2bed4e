#include "tools/output_check.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "tensor/error.h"

namespace innerloop::tools {

void refuse_to_replace_input(const std::string& option, const std::string& output, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) {
    std::error_code error;  // one of them is not there: then they are not the same
    if (std::filesystem::equivalent(output, input, error) && !error)
      fail_usage("{}: is the input itself; name another file for {}", output, option);
  }
}

void check_writable(const std::string& output) {
  const io::AtomicFile probe(output);  // opened, and taken away again
}

}  // namespace innerloop::tools
