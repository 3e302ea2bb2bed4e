// WorkPhase: names a part of a meta-step while it lives, for a profiler's timeline and for the arena's account of memory.
#pragma once

#include "tensor/context.h"
#include "tensor/trace.h"

namespace innerloop::meta {

class WorkPhase {
 public:
  explicit WorkPhase(const char* name) : range_(name), bytes_(Context::current().arena(), name) {}

 private:
  TraceRange range_;
  Arena::Phase bytes_;
};

}  // namespace innerloop::meta
