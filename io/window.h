// From 16-bit samples to bytes: a window, not a clip to the high byte.
//
// Detectors use 10 to 16 bits and rarely all of them; the high byte of such a file is a nearly black picture. A window
// maps [low, high] to [0, 255] linearly and saturates outside:
//   DICOM window   where the metadata gives centre c and width w: the linear function of DICOM PS3.3 C.11.2.1.2.1,
//                  low = c - 0.5 - (w - 1) / 2, high = c - 0.5 + (w - 1) / 2
//   percentiles    else, and where less than half of the samples lie in the DICOM window (then it was written for other
//                  values than these): the 0.5th and the 99.5th percentile of the image's own samples, so that a marker
//                  of lead or a dead pixel does not decide
// An image whose two percentiles are equal keeps the high byte of its samples.
//
// Determinism: percentiles and the percentile window are integer arithmetic; a DICOM window is one rounding in double.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace innerloop::io {

/// In units of stored samples; width >= 1.
struct DicomWindow {
  double center = 0, width = 1;
  friend bool operator==(const DicomWindow&, const DicomWindow&) = default;
};

/// kMonochrome1: low values are bright, as DICOM's MONOCHROME1 means them; the picture is inverted to show air black.
enum class Photometric : std::uint8_t { kMonochrome2, kMonochrome1 };

/// What metadata beside an image says of its samples.
struct DisplayHints {
  std::optional<DicomWindow> window = {};
  Photometric photometric = Photometric::kMonochrome2;
  friend bool operator==(const DisplayHints&, const DisplayHints&) = default;
};

/// The bytes of `samples`, by `window` or by percentiles as above.
std::vector<std::uint8_t> windowed(std::span<const std::uint16_t> samples, const std::optional<DicomWindow>& window);

}  // namespace innerloop::io
