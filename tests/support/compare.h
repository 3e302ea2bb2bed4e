// Comparisons of tensors and lists of tensors.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "support/array.h"
#include "tensor/tensor.h"

namespace innerloop::test {

/// sum_i <a_i, b_i> in float64. An undefined tensor is zero.
double dot(const std::vector<Tensor>& a, const std::vector<Tensor>& b);
/// sum_i |a_i| |b_i|: the scale that rounding errors of dot() are measured by.
double dot_magnitude(const std::vector<Tensor>& a, const std::vector<Tensor>& b);

/// x + h v, element by element.
std::vector<Tensor> shifted(const std::vector<Tensor>& x, double h, const std::vector<Tensor>& v);
std::vector<Tensor> cast(const std::vector<Tensor>& x, DType dtype);

/// Succeeds when |a - b| <= tolerance * max(|a|, |b|, floor) in the maximum norm, and the shapes are equal.
::testing::AssertionResult near(const Tensor& a, const Tensor& b, double tolerance, double floor = 1e-3);
::testing::AssertionResult near(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance,
                                double floor = 1e-3);
::testing::AssertionResult near(const Tensor& a, const Array& b, double tolerance, double floor = 1e-3);

/// Succeeds when shapes, dtypes and every bit are equal.
::testing::AssertionResult same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b);

/// Succeeds when `call` throws an Error whose one-line text holds all `words`.
::testing::AssertionResult throws_with(const std::function<void()>& call, const std::vector<std::string>& words);

/// Derivative at 0 of h -> f(h), from five points.
double five_point(const std::function<double(double)>& f, double step);

}  // namespace innerloop::test
