#include <algorithm>
#include <exception>

#include "kernels/cuda/conv_choices.h"
#include "tensor/error.h"

namespace innerloop::kernels::cuda {
namespace {

const ConvCandidate* find_engine(std::span<const ConvCandidate> candidates, ConvEngine engine) {
  const auto it =
      std::find_if(candidates.begin(), candidates.end(), [&](const ConvCandidate& c) { return c.engine == engine; });
  return it == candidates.end() ? nullptr : &*it;
}

}  // namespace

const ConvCandidate& ConvChooser::named(const std::string& shape, ConvEngine engine,
                                        std::span<const ConvCandidate> candidates) const {
  const ConvCandidate* const found = find_engine(candidates, engine);
  IL_CHECK(found != nullptr,
           "convolution engine {}: this program was built without it; build with cuDNN and cuBLAS, or use auto or own",
           name_of(engine));
  IL_CHECK(found->why_not.empty(), "convolution engine {} does not serve {}: {}; use auto or own", name_of(engine),
           shape, found->why_not);
  return *found;
}

/// The stored choice where it still serves, or the only one that does; nullptr where it takes a measurement.
const ConvCandidate* ConvChooser::chosen(const std::string& shape, std::span<const ConvCandidate> candidates) const {
  const ConvCandidate* only = nullptr;
  int serving = 0;
  for (const ConvCandidate& c : candidates) {
    if (!c.why_not.empty()) continue;
    only = &c;
    ++serving;
  }
  if (serving == 1) return only;
  const auto stored = store_.find(shape);
  const ConvCandidate* const found = stored ? find_engine(candidates, *stored) : nullptr;
  return found != nullptr && found->why_not.empty() ? found : nullptr;
}

const ConvCandidate& ConvChooser::measure(const std::string& shape, std::span<const ConvCandidate> candidates) {
  const ConvCandidate* best = nullptr;
  double best_time = 0;
  std::string measured;
  std::exception_ptr failure;
  for (const ConvCandidate& c : candidates) {
    if (!c.why_not.empty()) continue;
    try {
      const double time = timer_(c.run);
      measured += fmt::format("{}{} {:.4f} ms", measured.empty() ? "" : ", ", name_of(c.engine), time);
      if (best != nullptr && time >= best_time * (1 - kMargin)) continue;
      best = &c;
      best_time = time;
    } catch (const Error&) {
      measured += fmt::format("{}{} failed", measured.empty() ? "" : ", ", name_of(c.engine));
      failure = std::current_exception();
    }
  }
  if (best == nullptr && failure != nullptr) std::rethrow_exception(failure);
  IL_CHECK(best != nullptr, "no convolution engine serves {}", shape);
  store_.put(shape, best->engine, measured);
  return *best;
}

void ConvChooser::run(const std::string& shape, ConvEngine asked, ConvPhase phase,
                      std::span<const ConvCandidate> candidates) {
  const ConvCandidate* candidate =
      asked == ConvEngine::kAuto ? chosen(shape, candidates) : &named(shape, asked, candidates);
  if (phase == ConvPhase::kRecording) {
    const bool prepared =
        candidate != nullptr && (candidate->engine == ConvEngine::kOwn || ran_.contains({shape, candidate->engine}));
    IL_CHECK(prepared,
             "{}: no engine has been chosen and prepared for this convolution, which cannot be done while work is "
             "recorded; run the step once before",
             shape);
  } else if (candidate == nullptr) {
    candidate = &measure(shape, candidates);
  }
  candidate->run();
  ran_.emplace(shape, candidate->engine);
}

}  // namespace innerloop::kernels::cuda
