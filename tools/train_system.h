// train --system: a comparison system's run.
#pragma once

#include <string>

#include "io/config.h"
#include "meta/trainer.h"

namespace innerloop::tools {

/// What such a run starts from where no preset is named: the demo preset for synthetic data without a file, the plain
/// defaults under a file, else images of 224 pixels, the side that most of the systems were published for, with light
/// augmentations.
io::Config system_base(const std::string& data, bool has_config_file);
/// One line that says which of these it was.
std::string system_origin(const std::string& data, bool has_config_file);

/// Trains options.config.supervised.system, shows it, prints the result, and returns the exit code. `first` is the
/// first line shown.
int run_train_system(meta::TrainOptions options, const std::string& first, bool json);

}  // namespace innerloop::tools
