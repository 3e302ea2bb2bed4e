// A recording as a flame graph: one HTML file with all that it needs, for any browser, in its light or dark scheme, on a desk
// or a phone.
//
// The width of a box is the time of a range or kernel, summed over lanes, below the ranges that it was in. A click
// makes a box as wide as the page.
#pragma once

#include <string>

#include "meta/profile/recording.h"

namespace innerloop::meta::profile {

/// `title` is plain text.
std::string flame_page(const Recording& recording, const std::string& title);

}  // namespace innerloop::meta::profile
