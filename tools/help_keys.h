// The list of configuration keys, for `help keys` and `train --help-keys`.
#pragma once

namespace innerloop::tools {

/// Every key with its meaning, type and default, on stdout.
void print_keys();

}  // namespace innerloop::tools
