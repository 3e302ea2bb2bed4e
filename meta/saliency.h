// Where in an image a network's answer comes from.
//
// Grad-CAM (Selvaraju et al., ICCV 2017, section 3) weighs each channel of a block's output by its mean derivative, which
// mixes up places; here each place keeps its own (HiResCAM, Draelos and Carin 2020): with the output a [h, w, K] of a block
// and the logit l_c of class c, under fixed statistics,
//   map[h, w] = max(0, sum_k a[h, w, k] dl_c/da[h, w, k]),  then divided by its largest value in the image.
// The block is the deepest whose output still tells places apart: kMinGrid cells on its shorter side, else the finest.
//
// A map tells what the network used, not what is true of the patient.
#pragma once

#include <span>
#include <string>

#include "nn/conv_net.h"

namespace innerloop::meta {

inline constexpr std::int64_t kMinGrid = 7;

struct Saliency {
  Tensor map;         ///< f32 [N, h, w] in [0, 1], on the host; all zeros where nothing speaks for the class
  std::string block;  ///< "block3": whose output it is
};

/// Maps of the images x f32 [1, N, H, W, C] for the class `classes[n]` of each, under `statistics` (one task). Determinism:
/// the map of an image depends on that image alone. Throws Error when a class is none of the network's.
Saliency saliency_of(const nn::ConvNet& net, const std::vector<Tensor>& params, const nn::NormStatistics& statistics,
                     const Tensor& x, std::span<const std::int64_t> classes);

}  // namespace innerloop::meta
