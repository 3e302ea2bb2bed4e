// The threads of work on files.
#pragma once

#include "tensor/context.h"

namespace innerloop::io {

/// `threads`, or those of the current context where there are none.
inline ThreadPool& threads_or_current(ThreadPool* threads) { return threads != nullptr ? *threads : Context::current().threads(); }

}  // namespace innerloop::io
