// The parts of `innerloop data` that have files of their own.
#pragma once

#include "tools/command.h"

namespace innerloop::tools {

void add_combine(CommandLine& line, CLI::App& data);

}  // namespace innerloop::tools
