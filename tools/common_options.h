// The options that every working command knows, and how they become a configuration.
//
// Later wins: what the command starts from (a preset, a checkpoint's configuration), then --config, then --seed,
// --device,
// --threads and the short forms, then --set in the order given.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "io/config.h"
#include "meta/meta_step.h"
#include "tensor/context.h"

namespace innerloop::tools {

/// An option that stands for one or more keys: "--ways" for {"task.ways", "eval.ways"}.
struct ShortForm {
  std::string option;
  std::vector<std::string> keys;
  std::string values = "N";  ///< what help shows as its value
};

class CommonOptions {
 public:
  /// Adds --seed, --device, --threads, --config, --set, --check-finite, --json and `short_forms` to `command`. `this`
  /// must outlive parsing.
  void add_to(CLI::App& command, std::vector<ShortForm> short_forms = {});

  bool json() const { return json_; }
  bool has_config_file() const { return !config_file_.empty(); }

  /// `config` with everything above applied; ranges of single keys are checked, what ties keys together is not. Throws
  /// UsageError naming the option or file and the key.
  io::Config apply(io::Config config) const;
  /// apply() and io::validate().
  io::Config resolve(io::Config config) const;

  /// A context for `run`: on the GPU where cuda is asked for, or where auto finds one, else on the CPU with its threads;
  /// watching for NaN and infinity where that was asked for. Throws Error for --device cuda, with the reason why there is no
  /// GPU.
  Context make_context(const io::RunConfig& run) const;

  /// The [run] section alone, for what has to be known before there is a configuration to start from.
  io::RunConfig run() const { return apply(io::Config()).run; }

 private:
  struct Given {
    ShortForm form;
    std::string value;
    CLI::Option* option = nullptr;
  };

  std::string config_file_;
  std::vector<std::string> overrides_;
  std::vector<Given> given_;
  std::string conv_, conv_math_;
  bool json_ = false, check_finite_ = false;
};

/// --graph on|off, for commands that repeat one program on a GPU.
class GraphOption {
 public:
  void add_to(CLI::App& command);
  meta::Replay choice() const { return value_ == "on" ? meta::Replay::kOn : meta::Replay::kOff; }

 private:
  std::string value_ = "on";
};

/// Why `--device cuda` cannot be had here; empty where it can.
std::string no_gpu_reason();

/// "cpu" or "cuda", as results name the device of their context.
std::string_view device_name(const Context& context);

}  // namespace innerloop::tools
