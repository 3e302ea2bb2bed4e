// What can be wrong with a file that a command is to write, found before the work and not after it.
#pragma once

#include <string>
#include <vector>

namespace innerloop::tools {

/// Throws UsageError where `output`, the file that `option` names, is one of `inputs`, by whatever name: it would be written
/// over. Empty names, and words that are no files, are no inputs.
void refuse_to_replace_input(const std::string& option, const std::string& output, const std::vector<std::string>& inputs);

/// Throws Error where `output` cannot be written: its folder is missing or takes no files, or it is a folder, a device, a pipe.
void check_writable(const std::string& output);

}  // namespace innerloop::tools
