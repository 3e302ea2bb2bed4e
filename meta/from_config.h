// From the configuration's words to the options of the engine: the one place where io's enums meet those of nn and
// meta.
#pragma once

#include <vector>

#include "io/config.h"
#include "io/dataset.h"
#include "kernels/sample.h"
#include "meta/meta_gradient.h"
#include "meta/task_source.h"
#include "nn/conv_net.h"

namespace innerloop::meta {

/// The network of `config`: square images of data.size and data.channels, a head of task.ways outputs.
nn::ConvNetOptions conv_net_options(const io::Config& config);

/// The inner loop of meta-training.
InnerOptions inner_options(const io::Config& config);

/// The meta-gradient: one task a program, as suits a CPU.
MetaOptions meta_options(const io::Config& config);

/// The tasks of meta-training.
TaskSourceOptions task_source_options(const io::Config& config);

/// In the order of the configuration.
std::vector<kernels::Augmentation> augmentations(const io::Config& config);

kernels::TaskScheme task_scheme(io::Scheme scheme);

/// Size, channels, inversion, layout, groups, cache and the seed of "synthetic"; threads and progress are the caller's.
io::LoadOptions load_options(const io::Config& config);

/// Threads of a run: run.threads, or one a core when it is 0.
int thread_count(const io::Config& config);

}  // namespace innerloop::meta
