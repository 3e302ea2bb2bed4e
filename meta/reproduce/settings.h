// The configuration of a comparison, and of each of its parts.
#pragma once

#include <cstdint>

#include "io/config.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/plan.h"

namespace innerloop::meta::reproduce {

/// What a comparison starts from: the paper's filters on 64x64 images, and the recipe of meta-training that held-out
/// patients were seen to gain from (docs/results.md, section 1): ten images a class, one inner step, a mean over the
/// image before the classifier, Adam with a cosine. Every image is answered alone (eval.norm = "support"), as the
/// supervised systems answer.
io::Config default_config();

/// `config` with `scale` times its iterations: meta-steps, and updates of training and pretraining. Checks of the
/// validation images come as often as there are fewer updates, so that early stopping keeps its meaning.
io::Config with_scale(io::Config config, double scale);

/// `config` for one contestant and problem: ways, sampler, system; the seed differs from fold to fold and agrees
/// between contestants.
io::Config config_for(const io::Config& config, const Contestant& contestant, const Problem& problem);

/// The same for meta-training on images whose smallest class has `smallest` images: tasks of `groups` have no more
/// shots than that.
io::Config meta_config(io::Config config, std::int64_t smallest);

}  // namespace innerloop::meta::reproduce
