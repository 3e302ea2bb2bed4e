// Transforms: derivatives of a recorded computation, in reverse and in forward mode, to any order.
//
// Both modes walk the same record. vjp goes from outputs to inputs and calls each op's vjp rule; jvp goes from inputs
// to outputs and calls each op's jvp rule. Since rules are made of ops, a walk that is itself recorded can be
// differentiated again; a Hessian-vector product in forward-over-reverse form is `jvp` over a recorded `grad`, and it
// reuses the primal values that the record holds.
//
// Every call states whether its own work is recorded: nothing becomes first order by accident.
#pragma once

#include <functional>

#include "autograd/var.h"
#include "tensor/function_ref.h"

namespace innerloop::autograd {

enum class Record {
  kValues,  ///< results are constants; nothing can be differentiated further
  kGraph,   ///< results are recorded and can be differentiated again
};

/// Cotangents of `inputs`: sum_j (d outputs_j / d inputs)^T cotangents_j. An undefined cotangent is zero, and so is
/// an undefined output; an undefined result means that no output depends on that input. Sums over several paths run in
/// a fixed order.
Vars vjp(const Vars& outputs, const Vars& cotangents, const Vars& inputs, Record record);

/// Tangents of `outputs`: sum_i (d outputs / d inputs_i) tangents_i. Undefined means zero, in and out.
/// Where one input depends on another, its tangent is added to the one that arrives from there.
Vars jvp(const Vars& outputs, const Vars& inputs, const Vars& tangents, Record record);

/// Gradient of sum(output) with respect to `inputs`. Unreached inputs get zeros, so that the result is always defined.
Vars grad(const Var& output, const Vars& inputs, Record record);

using Function = FunctionRef<Vars(const Vars&)>;

/// Forward-over-reverse Hessian-vector product of f(x)[0] (summed to a scalar) at x along v.
Vars hvp(Function f, const Vars& x, const Vars& v, Record record);

/// The same by reverse over reverse: the oracle of hvp().
Vars hvp_reverse(Function f, const Vars& x, const Vars& v, Record record);

/// f(x) without keeping what happens inside: every derivative runs f again. Trades one more forward pass for its
/// memory. f must be a pure function of its arguments, and must outlive the record (it is copied into it).
Vars checkpoint(std::function<Vars(const Vars&)> f, const Vars& x);

/// `x`, or zeros of the shape and dtype of `like` where x is undefined.
Var or_zeros(const Var& x, const Var& like);

}  // namespace innerloop::autograd
