#include "autograd/op.h"

#include <atomic>
#include <cmath>

#include "autograd/ops/alias.h"
#include "autograd/transforms.h"
#include "tensor/context.h"

namespace innerloop::autograd {
namespace {

thread_local bool t_recording = true;
thread_local const char* t_layer = nullptr;
std::atomic<std::uint64_t> g_next_id{1};

std::shared_ptr<Node> make_node(std::shared_ptr<const Op> op) {
  auto node = std::make_shared<Node>();
  node->id = g_next_id.fetch_add(1, std::memory_order_relaxed);
  node->op = std::move(op);
  node->layer = t_layer;
  node->derivative = current_derivative();
  return node;
}

template <class T>
bool all_finite(const Tensor& tensor) {
  const Tensor t = tensor.to_host();
  for (T x : t.data<T>())
    if (!std::isfinite(x)) return false;
  return true;
}

void check_finite(const Op& op, const std::vector<Tensor>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& t = outputs[i];
    if (!t.defined() || !is_floating(t.dtype())) continue;
    const bool finite = t.dtype() == DType::kF32 ? all_finite<float>(t) : all_finite<double>(t);
    IL_CHECK(finite, "{}: output {} of shape {} holds a NaN or an infinity", op.name(), i, t.shape().to_string());
  }
}

/// Kernels take addresses as they come: a tensor of another place has to be found before.
void check_place(const Op& op, const std::vector<Tensor>& inputs, const Context& context) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& t = inputs[i];
    if (!t.defined() || t.device() == context.device()) continue;
    fail("{}: input {} of shape {} is on {} and the current context is not; bring it there with to_context()",
         op.name(), i, t.shape().to_string(), t.device() == nullptr ? "the host" : t.device()->name());
  }
}

Vars fresh_inputs(const Vars& inputs, bool graph) {
  Vars fresh = inputs;
  for (Var& v : fresh) {
    if (!v.defined() || !is_floating(v.dtype())) continue;
    v = graph ? alias(v) : variable(v.value());
  }
  return fresh;
}

}  // namespace

const Tensor& Var::value() const {
  IL_CHECK(value_.defined(), "autograd: the value of shape {} was dropped from the record ({}), but a rule reads it",
           shape_.to_string(), node_ && node_->op ? node_->op->name() : "leaf");
  return value_;
}

Var Var::without_value() const { return tracked() ? Var(shape_, dtype_, node_, index_) : *this; }

Var variable(Tensor value) {
  auto node = make_node(nullptr);
  node->outputs.push_back({.shape = value.shape(), .dtype = value.dtype(), .kept = {}});
  return Var(std::move(value), std::move(node), 0);
}

Var detach(const Var& x) { return x.defined() ? Var(x.value()) : Var(); }

std::vector<Tensor> values(const Vars& vars) {
  std::vector<Tensor> out;
  out.reserve(vars.size());
  for (const Var& v : vars) out.push_back(v.defined() ? v.value() : Tensor());
  return out;
}

Node::~Node() {
  // A chain of nodes would otherwise be freed by a recursion as deep as the chain is long.
  thread_local std::vector<std::shared_ptr<Node>>* pending = nullptr;
  if (pending != nullptr) {
    for (Var& v : inputs)
      if (v.node()) pending->push_back(v.node());
    return;
  }
  std::vector<std::shared_ptr<Node>> queue;
  pending = &queue;
  for (Var& v : inputs)
    if (v.node()) queue.push_back(v.node());
  inputs.clear();
  while (!queue.empty()) {
    std::shared_ptr<Node> last = std::move(queue.back());
    queue.pop_back();
    last.reset();
  }
  pending = nullptr;
}

Vars apply_op(std::shared_ptr<const Op> op, Vars inputs) {
  Context& context = Context::current();
  const std::vector<Tensor> operands = values(inputs);
  check_place(*op, operands, context);
  const bool plain = current_derivative() == Derivative::kNone;
  const DerivativeScope derivative(plain ? Derivative::kForward : current_derivative());
  const TraceRange range(op->name().data());  // literals, all of them
  std::vector<Tensor> results = op->forward(operands);
  if (context.finite_check() == FiniteCheck::kOn) check_finite(*op, results);

  bool track = false;
  if (t_recording)
    for (const Var& v : inputs) track |= v.tracked();
  if (!track) return Vars(std::make_move_iterator(results.begin()), std::make_move_iterator(results.end()));

  const Keep keep = op->keep();
  auto node = make_node(std::move(op));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    node->inputs.push_back(keep.inputs >> i & 1 ? std::move(inputs[i]) : inputs[i].without_value());
  for (std::size_t i = 0; i < results.size(); ++i)
    node->outputs.push_back({results[i].shape(), results[i].dtype(), keep.outputs >> i & 1 ? results[i] : Tensor(), !results[i].defined()});

  Vars out;
  out.reserve(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    // Integers (decisions, labels) are constants to every derivative.
    if (results[i].defined() && is_floating(results[i].dtype()))
      out.emplace_back(std::move(results[i]), node, static_cast<int>(i));
    else
      out.emplace_back(std::move(results[i]));
  }
  return out;
}

Vars outputs_of(const std::shared_ptr<Node>& node) {
  Vars out;
  for (std::size_t i = 0; i < node->outputs.size(); ++i) {
    const Node::Output& o = node->outputs[i];
    if (o.absent)
      out.emplace_back();
    else if (!o.kept.defined())
      out.emplace_back(o.shape, o.dtype, node, static_cast<int>(i));
    else if (is_floating(o.dtype))
      out.emplace_back(o.kept, node, static_cast<int>(i));
    else
      out.emplace_back(o.kept);
  }
  return out;
}

bool recording() { return t_recording; }
RecordScope::RecordScope(bool on) : previous_(t_recording) { t_recording = on; }
RecordScope::~RecordScope() { t_recording = previous_; }

LayerScope::LayerScope(const char* name) : previous_(t_layer) {
  // A walk re-enters the layer for each of its ops: only a change of layer is a range.
  if (name != nullptr && name != previous_) range_.emplace(name);
  t_layer = name;
}
LayerScope::~LayerScope() { t_layer = previous_; }

const char* current_layer() { return t_layer; }

Vars Op::reference(const Vars&) const { fail("{}: a plain op has no reference", name()); }

Vars Op::vjp(const Call& call, const Vars& cotangents) const {
  const Record record = recording() ? Record::kGraph : Record::kValues;
  const Vars fresh = fresh_inputs(call.inputs, record == Record::kGraph);
  Vars outputs;
  {
    RecordScope on(true);
    outputs = reference(fresh);
  }
  // Inputs that nobody asks for are left out, so that their part of the walk is never computed.
  Vars wanted;
  for (std::size_t i = 0; i < fresh.size(); ++i)
    if (call.wanted[i] && fresh[i].tracked()) wanted.push_back(fresh[i]);
  const Vars found = autograd::vjp(outputs, cotangents, wanted, record);
  Vars result(fresh.size());
  for (std::size_t i = 0, k = 0; i < fresh.size(); ++i)
    if (call.wanted[i] && fresh[i].tracked()) result[i] = found[k++];
  return result;
}

Vars Op::jvp(const Call& call, const Vars& tangents) const {
  const Record record = recording() ? Record::kGraph : Record::kValues;
  const Vars fresh = fresh_inputs(call.inputs, record == Record::kGraph);
  Vars outputs;
  {
    RecordScope on(true);
    outputs = reference(fresh);
  }
  Vars from, along;
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (!tangents[i].defined() || !fresh[i].tracked()) continue;
    from.push_back(fresh[i]);
    along.push_back(tangents[i]);
  }
  return autograd::jvp(outputs, from, along, record);
}

}  // namespace innerloop::autograd
