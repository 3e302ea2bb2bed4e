// docs/cudnn_plans.md: which cuDNN plan each preset's convolutions get on an H100, made without one.
#pragma once

#include <string>

namespace innerloop::kernels::cudnn {

/// "cuDNN 9.19.0", the library that is running; the page names it, because another release plans differently.
std::string cudnn_version_text();

/// The whole page. The same text for the same library.
std::string plan_page();

}  // namespace innerloop::kernels::cudnn
