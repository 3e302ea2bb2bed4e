// A recording as a Chrome trace, which https://ui.perfetto.dev opens: one track a thread, and one for a device's queue.
//
// Ranges carry the names that NVTX shows; kernels their layer, inner step, derivative order, FLOPs and bytes as arguments.
// Format: "Trace Event Format" of the Chromium project, complete events (ph = "X"), times in microseconds.
#pragma once

#include <string>

#include "meta/profile/recording.h"

namespace innerloop::meta::profile {

/// One JSON object.
std::string chrome_trace(const Recording& recording);

}  // namespace innerloop::meta::profile
