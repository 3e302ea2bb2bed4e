#include "kernels/cuda/conv_dispatch.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/cuda/conv_backend.h"
#include "kernels/cuda/conv_choices.h"
#include "kernels/cuda/conv_own.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/event_timer.h"
#include "kernels/cuda/status.h"

namespace innerloop::kernels::cuda {
namespace {

/// Rises when our own kernels become faster or slower, so that choices are measured again.
constexpr int kOwnRevision = 1;

constexpr ConvEngine kLibraries[] = {ConvEngine::kCudnn, ConvEngine::kGemm};

std::array<ConvBackendFactory, kConvEngineCount>& factories() {
  static std::array<ConvBackendFactory, kConvEngineCount> all{};
  return all;
}

void run_own(const ConvOp& op, ConvMath math, Context& context) {
  std::visit([&](const auto* kernel) { conv_own(*kernel, math, context); }, op);
}

/// The libraries and choices of the process's device, made when a setting first needs them.
class Engines {
 public:
  explicit Engines(Context& context)
      : backends_(make_backends(context)),
        chooser_(ConvChoiceStore(conv_choice_file(), machine_text(context)),
                 [stream = stream_of(context)](FunctionRef<void()> run) { return median_milliseconds(stream, run); }) {}

  void run(const ConvOp& op, ConvMath math, Context& context) {
    const Precision precision = math == ConvMath::kTf32 ? Precision::kTf32 : Precision::kStrict;
    const ConvPhase phase = context.device()->is_recording() ? ConvPhase::kRecording : ConvPhase::kRunning;
    std::vector<ConvCandidate> candidates{{ConvEngine::kOwn, "", [&] { run_own(op, math, context); }}};
    for (const ConvEngine engine : kLibraries) {
      if (conv_engine() != ConvEngine::kAuto && conv_engine() != engine) continue;  // nobody asks: no plans for it
      ConvBackend* const backend = backends_[static_cast<std::size_t>(engine)].get();
      if (backend == nullptr) {
        candidates.push_back({engine, fmt::format("this program has no library for it ({})", load_conv_module()), {}});
        continue;
      }
      candidates.push_back(
          {engine, backend->why_not(op, precision), [&, backend] { backend->run(op, precision, context); }});
    }
    chooser_.run(conv_key(op, name_of(math)), conv_engine(), phase, candidates);
  }

 private:
  using Backends = std::array<std::unique_ptr<ConvBackend>, kConvEngineCount>;

  static Backends make_backends(Context& context) {
    Backends all;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (factories()[i] != nullptr) all[i] = factories()[i](context);
    }
    return all;
  }

  std::string machine_text(Context& context) const {
    int driver = 0, runtime = 0;
    IL_CUDA_CHECK(cudaDriverGetVersion(&driver));
    IL_CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
    std::string text =
        fmt::format("{}; driver {}; cuda {}; own {}", context.device()->name(), driver, runtime, kOwnRevision);
    for (const auto& backend : backends_) {
      if (backend != nullptr) text += "; " + backend->version();
    }
    return text;
  }

  Backends backends_;
  ConvChooser chooser_;
};

std::mutex& engines_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Never destroyed: at the program's end the libraries may be gone before it.
Engines*& engines() {
  static Engines* all = nullptr;
  return all;
}

}  // namespace

bool register_conv_backend(ConvEngine engine, ConvBackendFactory make) {
  const std::lock_guard lock(engines_mutex());
  factories()[static_cast<std::size_t>(engine)] = make;
  delete std::exchange(engines(), nullptr);  // made again with the next convolution that needs them
  return true;
}

ConvBackendFactory conv_backend_factory(ConvEngine engine) { return factories()[static_cast<std::size_t>(engine)]; }

void run_conv(const ConvOp& op, Context& context) {
  const ConvMath math = conv_math();
  if (conv_engine() == ConvEngine::kOwn) return run_own(op, math, context);
  load_conv_module();  // before the lock, which registering takes
  const std::lock_guard lock(engines_mutex());
  if (engines() == nullptr) {
    IL_CHECK(!context.device()->is_recording(),
             "convolution engine {}: its libraries cannot be prepared while work is recorded; run the step once before",
             name_of(conv_engine()));
    engines() = new Engines(context);
  }
  engines()->run(op, math, context);
}

}  // namespace innerloop::kernels::cuda
