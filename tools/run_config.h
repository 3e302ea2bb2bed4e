// What a run starts from: a preset by name, or the one that suits the data.
#pragma once

#include <CLI/App.hpp>

#include <string>

#include "io/config.h"
#include "tools/common_options.h"

namespace innerloop::tools {

/// The --preset option.
class PresetOption {
 public:
  /// `this` must outlive parsing.
  void add_to(CLI::App& command);
  bool given() const { return !name_.empty(); }

  /// The named preset; else, without --config, the demo preset for synthetic data; else the plain defaults.
  io::Config base(const std::string& data, const CommonOptions& common) const;
  /// One line that says which of these it was.
  std::string origin(const std::string& data, const CommonOptions& common) const;

 private:
  std::string name_;
};

/// Short forms for the keys of meta-training. The network has one head, so --ways sets the classes of training tasks
/// and of evaluation episodes alike.
std::vector<ShortForm> training_short_forms();

}  // namespace innerloop::tools
