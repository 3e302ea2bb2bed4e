// What of an image a system of the shortcut test may see.
//
// The border of a chest X-ray shows no lung: letters, collimation, padding, exposure. A classifier that does well on it
// alone has learnt where an image comes from (DeGrave, Janizek, Lee, Nature Machine Intelligence 3:610, 2021).
#pragma once

#include "io/dataset.h"

namespace innerloop::meta::reproduce {

/// Share of each side, around the middle, that is blanked: 0.8 leaves a frame of a tenth of the side, 36 % of the
/// pixels.
inline constexpr double kBlankShare = 0.8;

/// `set` with pixels of its own: those within the inner kBlankShare of both sides are 0.
io::ImageSet border_alone(const io::ImageSet& set);

}  // namespace innerloop::meta::reproduce
