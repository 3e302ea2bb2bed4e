// A tensor for the time of a kernel call, for kernels that are made of others.
#pragma once

#include <memory>

#include "tensor/context.h"
#include "tensor/view.h"

namespace innerloop::kernels {

/// Arena memory of the context. It may go back while the work on it is still queued: what takes it next is queued behind.
class Temporary {
 public:
  Temporary(const Shape& shape, DType dtype, Context& context)
      : memory_(context.arena().allocate(static_cast<std::size_t>(shape.numel()) * size_of(dtype))),
        view_{memory_.get(), dtype, shape} {}
  const View& view() const { return view_; }

 private:
  std::shared_ptr<void> memory_;
  View view_;
};

}  // namespace innerloop::kernels
