// ConvBackend: how a library joins the convolutions. kernels/cuda/conv.cpp includes no library's headers; a module of
// the program (vendor/) holds what does and registers it when it is loaded.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/conv_engine.h"
#include "kernels/cuda/conv_op.h"
#include "kernels/cuda/numerics.h"
#include "tensor/context.h"

namespace innerloop::kernels::cuda {

/// Used by one thread at a time.
class ConvBackend {
 public:
  virtual ~ConvBackend() = default;
  /// The library and its version: choices that were measured with another are measured again.
  virtual std::string version() const = 0;
  /// Empty where run() serves the op, else why not, as the end of a sentence. Puts nothing on the stream.
  virtual std::string why_not(const ConvOp& op, Precision precision) = 0;
  /// kernels/conv.h's contract, put on the context's stream; memory comes from the context's arena. What the first run
  /// of a shape makes (plans, say) may wait for the device; later runs may not, so that they can be recorded.
  virtual void run(const ConvOp& op, Precision precision, Context& context) = 0;
};

/// Makes a backend for the context's device. Called at the first convolution that needs it.
using ConvBackendFactory = std::unique_ptr<ConvBackend> (*)(Context& context);

/// Takes the engine's place; nullptr takes it away again. Returns true. Not to be called while convolutions run.
bool register_conv_backend(ConvEngine engine, ConvBackendFactory make);
/// nullptr where nobody registered.
ConvBackendFactory conv_backend_factory(ConvEngine engine);

/// Loads the module libinnerloop_vendor.so, at the first call, from beside the program or along the loader's path.
/// The module registers its engines; where there is none, or its libraries are missing, nobody registers, and the text
/// says why. Else empty.
const std::string& load_conv_module();

}  // namespace innerloop::kernels::cuda
