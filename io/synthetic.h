// Procedural chest X-rays: a data set without files, for tests, benchmarks and first steps. Not medical images.
//
// Body outline, lungs, ribs, spine, heart, vessels, clavicles and diaphragm, each with its own variation; then one of
// four findings; then an exposure that tells nothing:
//   normal                no finding
//   lobar                 one lobe of one lung dense, with a sharp fissure
//   diffuse               fine reticular texture in both lungs
//   bilateral_peripheral  patchy ground-glass at the lateral edges of both lungs
// Each image's mean and contrast are set to random targets, densities are balanced within the lungs, and smooth random
// shading is laid over all, so that neither the mean brightness nor a linear model of the pixels finds the class; the
// tests measure both.
//
// Determinism: an image is a pure function of its address (seed, finding, number) and its size, drawn from
// Stream::kSynthetic; any one can be drawn alone, at any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "io/dataset.h"
#include "io/image.h"

namespace innerloop::io {

enum class Finding : std::uint8_t { kNormal, kLobar, kDiffuse, kBilateralPeripheral };
inline constexpr int kFindingCount = 4;
std::string_view name_of(Finding finding);

struct SyntheticAddress {
  std::uint64_t seed = 0;
  Finding finding = Finding::kNormal;
  std::uint32_t number = 0;  ///< which image of its finding
};

/// One grey image, size x size; 16 <= size <= 1024.
Image draw_synthetic(const SyntheticAddress& address, std::int64_t size);

struct SyntheticOptions {
  std::int64_t per_class = 120;
  std::int64_t size = kSyntheticSize;
  std::int64_t channels = 1;
  std::uint64_t seed = 0;
  ThreadPool* threads = nullptr;  ///< nullptr: the current context's
};

/// per_class images of each finding; classes sorted by name, as a folder of them would be; each image its own group.
ImageSet synthetic_images(const SyntheticOptions& options = {});

/// The same images as PNG files, folder/<finding>/<finding>_0000.png. Throws Error when the folder has anything in it.
void write_synthetic(const std::string& folder, const SyntheticOptions& options = {});

}  // namespace innerloop::io
