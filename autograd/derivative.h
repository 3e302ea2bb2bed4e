// Which derivative the work of a thread serves, for traces and profiles.
//
//   forward   ops as they are used                     tangent   forward mode over them
//   first     reverse mode over them: a gradient       second    either mode over a gradient or a tangent, and beyond
//
// An op that is recorded remembers its derivative (Node::derivative), and a walk gives the rules of each op the one that they
// compute. So the tangents of a gradient are told from those of the forward pass, though one walk computes both.
#pragma once

#include <cstdint>
#include <string_view>

namespace innerloop::autograd {

enum class Derivative : std::uint8_t {
  kNone,  ///< outside of every op
  kForward,
  kFirst,
  kTangent,
  kSecond
};

constexpr std::string_view name_of(Derivative d) {
  switch (d) {
    case Derivative::kNone: return "none";
    case Derivative::kForward: return "forward";
    case Derivative::kFirst: return "first";
    case Derivative::kTangent: return "tangent";
    case Derivative::kSecond: return "second";
  }
  return "?";
}

/// What a rule of reverse mode computes, of an op that served `d`.
constexpr Derivative reverse_of(Derivative d) { return d <= Derivative::kForward ? Derivative::kFirst : Derivative::kSecond; }
/// What a rule of forward mode computes, of an op that served `d`.
constexpr Derivative tangent_of(Derivative d) {
  return d <= Derivative::kForward ? Derivative::kTangent : Derivative::kSecond;
}

namespace derivative_internal {
inline thread_local constinit Derivative t_current = Derivative::kNone;
}

/// What the ops of this thread serve.
inline Derivative current_derivative() { return derivative_internal::t_current; }

/// Sets it while it lives.
class DerivativeScope {
 public:
  explicit DerivativeScope(Derivative d) : previous_(derivative_internal::t_current) {
    derivative_internal::t_current = d;
  }
  ~DerivativeScope() { derivative_internal::t_current = previous_; }
  DerivativeScope(const DerivativeScope&) = delete;
  DerivativeScope& operator=(const DerivativeScope&) = delete;

 private:
  const Derivative previous_;
};

}  // namespace innerloop::autograd
