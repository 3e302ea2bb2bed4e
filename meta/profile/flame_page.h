// The page around a flame graph: style and script. Internal to the profiler.
#pragma once

#include <string_view>

namespace innerloop::meta::profile {

/// HTML with @TITLE@, @HEADING@ and @TREE@ (JSON of boxes: n name, s seconds, k kind, f FLOPs, b bytes, c children).
std::string_view flame_template();

}  // namespace innerloop::meta::profile
