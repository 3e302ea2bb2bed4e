// Var: a tensor and how it came about. What ops take and return.
#pragma once

#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::autograd {

struct Node;

/// A value with an optional place in the record of the computation. A Var without a node is a constant.
/// An undefined Var stands for a zero cotangent or tangent, or for an optional operand that is absent.
class Var {
 public:
  Var() = default;
  Var(Tensor value) : value_(std::move(value)), shape_(value_.shape()), dtype_(value_.dtype()) {}  // NOLINT: a tensor is a constant
  Var(Tensor value, std::shared_ptr<Node> node, int index)
      : Var(std::move(value)) {
    node_ = std::move(node);
    index_ = index;
  }
  /// A place in the record whose value has been dropped because no rule reads it.
  Var(const Shape& shape, DType dtype, std::shared_ptr<Node> node, int index)
      : shape_(shape), dtype_(dtype), node_(std::move(node)), index_(index) {}

  bool defined() const { return value_.defined() || node_ != nullptr; }
  bool tracked() const { return node_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  /// The tensor. Throws when the record dropped it, which means that a rule reads what its op did not declare.
  const Tensor& value() const;
  const std::shared_ptr<Node>& node() const { return node_; }
  int index() const { return index_; }
  /// The same place without the value, for an op that declares that its rules do not read it.
  Var without_value() const;

 private:
  Tensor value_;
  Shape shape_;
  DType dtype_ = DType::kF32;
  std::shared_ptr<Node> node_;
  int index_ = 0;
};

using Vars = std::vector<Var>;

/// A leaf: what gradients are taken with respect to.
Var variable(Tensor value);

/// The value alone: derivatives do not flow through the result.
Var detach(const Var& x);

/// Values of all, in order.
std::vector<Tensor> values(const Vars& vars);

}  // namespace innerloop::autograd
