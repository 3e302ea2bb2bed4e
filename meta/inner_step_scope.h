// Which inner step a thread works on, for profiles.
#pragma once

namespace innerloop::meta {

inline constexpr int kNoInnerStep = -1;

namespace inner_step_internal {
inline thread_local constinit int t_current = kNoInnerStep;
}

/// The inner step, counted from 0, that this thread computes, differentiates or goes back through; kNoInnerStep outside.
inline int current_inner_step() { return inner_step_internal::t_current; }

/// Sets it while it lives.
class InnerStepScope {
 public:
  explicit InnerStepScope(int step) : previous_(inner_step_internal::t_current) { inner_step_internal::t_current = step; }
  ~InnerStepScope() { inner_step_internal::t_current = previous_; }
  InnerStepScope(const InnerStepScope&) = delete;
  InnerStepScope& operator=(const InnerStepScope&) = delete;

 private:
  const int previous_;
};

}  // namespace innerloop::meta
