// The keys of the command line over those of a problem file, for commands that compute on one.
#pragma once

#include <string>

#include "meta/problem.h"
#include "tools/common_options.h"

namespace innerloop::tools {

/// Puts the command line's keys over the problem's own, and gives the configuration that results. The problem's network is part
/// of its tensors and stays: throws UsageError, which begins with `command`, where a key of [model] is given.
io::Config apply_options(const std::string& command, const CommonOptions& common, const std::string& path,
                         meta::Problem& problem);

}  // namespace innerloop::tools
