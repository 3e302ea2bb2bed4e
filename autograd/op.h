// Op: one differentiable operation, and Node: one use of it in a record.
//
// The record is a graph of nodes that point at their inputs and never at their consumers, so it holds no cycle and is
// freed when the last Var that leads into it goes out of scope. Ids grow with creation, hence ascending id is a
// topological order. Both reverse and forward mode are walks over this one record (autograd/transforms.h).
//
// Rules are written with differentiable ops and nothing else; that is what closes the engine under differentiation. A
// fused op may state only its `reference`, the same function in plain ops: rules that it does not write itself are then
// those of the reference, so every order is right and speed is optional.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/derivative.h"
#include "autograd/var.h"
#include "tensor/trace.h"

namespace innerloop::autograd {

/// One recorded use of an op, as its rules see it.
struct Call {
  const Vars& inputs;
  const Vars& outputs;
  /// For a vjp: which inputs' cotangents are wanted. A rule may return more, never less.
  std::vector<bool> wanted;
};

/// Which values the rules of an op read; the record drops the others. Bit i stands for input or output i.
struct Keep {
  std::uint32_t inputs = ~0u;
  std::uint32_t outputs = 0;
};

class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  /// Runs the kernels. Absent optional operands come as undefined tensors.
  virtual std::vector<Tensor> forward(std::span<const Tensor> inputs) const = 0;
  /// Cotangents of the inputs from those of the outputs (undefined = zero). The default differentiates reference().
  virtual Vars vjp(const Call& call, const Vars& cotangents) const;
  /// Tangents of the outputs from those of the inputs (undefined = zero). The default differentiates reference().
  virtual Vars jvp(const Call& call, const Vars& tangents) const;
  /// The same function in plain ops. The default throws: the op is plain itself.
  virtual Vars reference(const Vars& inputs) const;
  virtual Keep keep() const { return {}; }
};

struct Node {
  struct Output {
    Shape shape;
    DType dtype;
    Tensor kept;          ///< undefined unless the op keeps it
    bool absent = false;  ///< nothing was made
  };

  std::uint64_t id = 0;
  std::shared_ptr<const Op> op;  ///< null for a leaf
  Vars inputs;
  std::vector<Output> outputs;
  const char* layer = nullptr;  ///< the LayerScope in which the op was used
  Derivative derivative = Derivative::kNone;  ///< what the op served when it was used

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// Frees a long chain of nodes without recursion.
  ~Node();
};

/// Runs `op` and, when recording is on and an input is tracked, records the use. The one way in for every op.
Vars apply_op(std::shared_ptr<const Op> op, Vars inputs);

/// apply_op() for the many ops with a single output.
inline Var apply_op_one(std::shared_ptr<const Op> op, Vars inputs) {
  return apply_op(std::move(op), std::move(inputs))[0];
}

/// Whether ops on this thread are recorded.
bool recording();

/// Turns recording on or off on this thread while it lives.
class RecordScope {
 public:
  explicit RecordScope(bool on);
  ~RecordScope();
  RecordScope(const RecordScope&) = delete;
  RecordScope& operator=(const RecordScope&) = delete;

 private:
  bool previous_;
};

/// Names the layer that ops on this thread belong to while it lives, for traces. The walks give the rules of an op the layer
/// of its use, so that derivatives of every order carry the name of their layer. `name` must outlive the record; nullptr is
/// no layer.
class LayerScope {
 public:
  explicit LayerScope(const char* name);
  ~LayerScope();
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

 private:
  const char* previous_;
  std::optional<TraceRange> range_;
};

/// The layer of this thread's ops; nullptr for none.
const char* current_layer();

/// Outputs of `node` as Vars with their place in the record, so that a rule may read and differentiate them.
Vars outputs_of(const std::shared_ptr<Node>& node);

}  // namespace innerloop::autograd
