// Elementwise ops, with NumPy broadcasting for two operands. The cotangent of a broadcast operand is summed back to its
// shape. Dtypes f32 or f64, never mixed. Errors name the op and both shapes.
#pragma once

#include "autograd/var.h"

namespace innerloop::autograd {

Var add(const Var& a, const Var& b);
Var subtract(const Var& a, const Var& b);
Var multiply(const Var& a, const Var& b);
Var divide(const Var& a, const Var& b);

/// scale * x + offset.
Var affine(const Var& x, double scale, double offset);
inline Var scale(const Var& x, double factor) { return affine(x, factor, 0); }

Var negate(const Var& x);
Var exp(const Var& x);
Var log(const Var& x);
Var sqrt(const Var& x);
Var rsqrt(const Var& x);
Var reciprocal(const Var& x);
Var square(const Var& x);
/// max(x, 0); the derivative at 0 is 0.
Var relu(const Var& x);
/// 1 where x > 0, else 0; its derivative is 0 everywhere.
Var step(const Var& x);
Var tanh(const Var& x);
Var sigmoid(const Var& x);

inline Var operator+(const Var& a, const Var& b) { return add(a, b); }
inline Var operator-(const Var& a, const Var& b) { return subtract(a, b); }
inline Var operator*(const Var& a, const Var& b) { return multiply(a, b); }
inline Var operator/(const Var& a, const Var& b) { return divide(a, b); }

}  // namespace innerloop::autograd
