// Which engine serves which convolution: measured once for a machine and a shape, and kept in a text file.
//
// The file has one line a choice, fields between tabs, the latest line of a key valid:
//   machine   shape   engine   what was measured, for people
// It is only ever appended to, a line at a time, so several processes may share it; lines that cannot be read are
// skipped. A file that cannot be read or written costs a measurement a process and nothing else. Delete it to measure
// again.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "kernels/cuda/conv_engine.h"
#include "tensor/function_ref.h"

namespace innerloop::kernels::cuda {

/// $XDG_CACHE_HOME/innerloop/conv_choices.txt, else the same in ~/.cache; empty where there is neither.
std::filesystem::path conv_choice_file();

class ConvChoiceStore {
 public:
  /// Of `machine`: the device and all versions that times depend on, in one line. An empty path keeps choices in
  /// memory.
  ConvChoiceStore(std::filesystem::path file, std::string machine);

  std::optional<ConvEngine> find(const std::string& shape) const;
  void put(const std::string& shape, ConvEngine engine, const std::string& measured);

 private:
  void load();

  std::filesystem::path file_;
  std::string machine_;
  std::map<std::string, ConvEngine> choices_;
};

/// An engine's way to serve one convolution.
struct ConvCandidate {
  ConvEngine engine = ConvEngine::kOwn;
  std::string why_not;  ///< empty: it serves
  std::function<void()> run;
};

enum class ConvPhase {
  kRunning,
  kRecording,  ///< nothing may be timed, and nothing may run that has not run before
};

class ConvChooser {
 public:
  /// Milliseconds of one call, in the long run.
  using Timer = std::function<double(FunctionRef<void()>)>;

  /// A later candidate must beat an earlier one by this much: what noise decides would differ from machine to machine.
  static constexpr double kMargin = 0.03;

  ConvChooser(ConvChoiceStore store, Timer timer) : store_(std::move(store)), timer_(std::move(timer)) {}

  /// Runs the work of `shape` by the candidate that is `asked` for. kAuto takes the stored choice, else times all that
  /// serve (the output is written each time, with the same values up to rounding) and stores the fastest; a candidate
  /// that throws when it is timed is left out. Throws Error: an engine that is not among the candidates or does not
  /// serve; while recording, a shape that no run has prepared.
  void run(const std::string& shape, ConvEngine asked, ConvPhase phase, std::span<const ConvCandidate> candidates);

 private:
  const ConvCandidate& named(const std::string& shape, ConvEngine engine,
                             std::span<const ConvCandidate> candidates) const;
  const ConvCandidate* chosen(const std::string& shape, std::span<const ConvCandidate> candidates) const;
  const ConvCandidate& measure(const std::string& shape, std::span<const ConvCandidate> candidates);

  ConvChoiceStore store_;
  Timer timer_;
  std::set<std::pair<std::string, ConvEngine>> ran_;
};

}  // namespace innerloop::kernels::cuda
