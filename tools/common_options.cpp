#include "tools/common_options.h"

#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <filesystem>
#include <string_view>

#include "tensor/error.h"

namespace innerloop::tools {
namespace {

/// What a short form's help says: the meaning of its first key, and the keys.
std::string describe(const ShortForm& form) {
  for (const io::KeyDoc& doc : io::key_docs()) {
    if (doc.key == form.keys.front()) return fmt::format("{} ({})", doc.meaning, fmt::join(form.keys, ", "));
  }
  fail("command line: {} stands for {}, which is no key of the configuration", form.option, form.keys.front());
}

/// The text of an error about `key` that came in through `option`: the reader typed the option, not the key.
std::string reworded(std::string_view text, std::string_view option) {
  constexpr std::string_view kSource = "--set";
  if (text.substr(0, kSource.size()) == kSource) text.remove_prefix(kSource.size());
  return fmt::format("{}{}", option, text);
}

}  // namespace

void CommonOptions::add_to(CLI::App& command, std::vector<ShortForm> short_forms) {
  const std::string shared = "Common options";
  std::vector<ShortForm> forms = std::move(short_forms);
  const std::size_t own = forms.size();
  forms.push_back({"--seed", {"run.seed"}});
  forms.push_back({"--device", {"run.device"}, "auto|cpu|cuda"});
  forms.push_back({"--threads", {"run.threads"}});
  given_.reserve(forms.size());  // CLI11 keeps pointers into it
  for (std::size_t i = 0; i < forms.size(); ++i) {
    given_.push_back({std::move(forms[i]), {}, nullptr});
    Given& g = given_.back();
    g.option = command.add_option(g.form.option, g.value, describe(g.form));
    g.option->take_last()->type_name(g.form.values)->group(i < own ? "Short forms of keys" : shared);
  }
  command.add_option("--config", config_file_, "a TOML file of keys ('innerloop help keys' lists them)")
      ->type_name("F.toml")
      ->group(shared);
  command.add_option("--set", overrides_, "set one key, as in --set inner.rate=0.4; repeatable, wins over all others")
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false)
      ->group(shared);
  command
      .add_flag(
          "--check-finite", check_finite_,
          "scan the result of every operation, and stop at the first NaN or infinity with the operation's name (slow)")
      ->group(shared);
  command
      .add_option("--conv", conv_,
                  "on a GPU, who computes convolutions: our kernels, cuDNN, im2col with cuBLAS, or auto: for each shape the "
                  "fastest here, timed once and remembered (default own)")
      ->type_name("auto|own|cudnn|gemm")
      ->group(shared);
  command
      .add_option("--conv-math", conv_math_,
                  "on a GPU, the products of convolutions: fp32, tf32x3 (tensor cores, as exact as fp32; the default) or tf32 "
                  "(tensor cores, 10 bits of mantissa)")
      ->type_name("fp32|tf32x3|tf32")
      ->group(shared);
  command.add_flag("--json", json_, "make the last line of stdout one JSON object")->group(shared);
}

io::Config CommonOptions::apply(io::Config config) const {
  if (!config_file_.empty()) io::apply_toml_file(config, config_file_);
  for (const Given& g : given_) {
    if (g.option->count() == 0) continue;
    for (const std::string& key : g.form.keys) {
      try {
        io::apply_override(config, key + "=" + g.value);
      } catch (const UsageError& error) {
        throw UsageError(reworded(error.what(), g.form.option));
      }
    }
  }
  for (const std::string& assignment : overrides_) io::apply_override(config, assignment);
  return config;
}

io::Config CommonOptions::resolve(io::Config config) const {
  config = apply(std::move(config));
  io::validate(config);
  return config;
}

void GraphOption::add_to(CLI::App& command) {
  command.add_option("--graph", value_, "on a GPU: replay the program as one CUDA graph, or launch its kernels one by one; "
                                        "the bits are the same")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str()
      ->type_name("on|off");
}

std::string no_gpu_reason() {
  try {
    static_cast<void>(default_device());
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

std::string_view device_name(const Context& context) { return context.device() == nullptr ? "cpu" : "cuda"; }

Context CommonOptions::make_context(const io::RunConfig& run) const {
  const bool cuda = run.device == io::DeviceChoice::kCuda ||
                    (run.device == io::DeviceChoice::kAuto && has_device_engine() && no_gpu_reason().empty());
  Context context = cuda ? Context(default_device()) : Context(static_cast<int>(run.threads));
  for (const auto& [key, value] : {std::pair{"conv", conv_}, {"conv-math", conv_math_}}) {
    if (value.empty()) continue;
    if (!cuda) fail_usage("--{}: it chooses among the ways of a GPU, and the device is the CPU; leave it out", key);
    context.device()->set_option(key, value);
  }
  context.set_finite_check(check_finite_ ? FiniteCheck::kOn : FiniteCheck::kOff);
  return context;
}

}  // namespace innerloop::tools
