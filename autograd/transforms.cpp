#include "autograd/transforms.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "autograd/op.h"
#include "autograd/ops/alias.h"
#include "autograd/ops/elementwise.h"
#include "tensor/trace.h"

namespace innerloop::autograd {
namespace {

using NodeList = std::vector<std::shared_ptr<Node>>;

bool same_place(const Var& a, const Var& b) { return a.node() == b.node() && a.index() == b.index(); }

/// The part of the record between some inputs and some outputs.
class Region {
 public:
  Region(const Vars& outputs, const Vars& inputs) : inputs_(inputs) {
    std::uint64_t oldest = ~std::uint64_t{0};
    for (const Var& v : inputs) {
      IL_CHECK(v.tracked(), "autograd: a derivative is asked with respect to a constant of shape {}; wrap it in variable()",
               v.shape().to_string());
      oldest = std::min(oldest, v.node()->id);
      targets_.insert(v.node().get());
    }
    collect(outputs, oldest);
    std::sort(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
    for (const auto& node : nodes_) {
      bool depends = false;
      for (const Var& v : node->inputs) depends |= depends_on_inputs(v);
      if (depends) reaching_.insert(node.get());
    }
    std::erase_if(nodes_, [&](const auto& n) { return !reaching_.count(n.get()) && !targets_.count(n.get()); });
  }

  /// Ascending by id: inputs first.
  const NodeList& nodes() const { return nodes_; }

  bool depends_on_inputs(const Var& v) const {
    if (!v.tracked()) return false;
    if (reaching_.count(v.node().get())) return true;
    if (!targets_.count(v.node().get())) return false;
    return std::any_of(inputs_.begin(), inputs_.end(), [&](const Var& t) { return same_place(t, v); });
  }

  bool walks_through(const Node* node) const { return reaching_.count(node) != 0; }

 private:
  void collect(const Vars& outputs, std::uint64_t oldest) {
    std::vector<std::shared_ptr<Node>> stack;
    std::unordered_set<const Node*> seen;
    const auto visit = [&](const Var& v) {
      if (v.tracked() && v.node()->id >= oldest && seen.insert(v.node().get()).second) stack.push_back(v.node());
    };
    for (const Var& v : outputs) visit(v);
    while (!stack.empty()) {
      std::shared_ptr<Node> node = std::move(stack.back());
      stack.pop_back();
      for (const Var& v : node->inputs) visit(v);
      nodes_.push_back(std::move(node));
    }
  }

  const Vars& inputs_;
  NodeList nodes_;
  std::unordered_set<const Node*> targets_, reaching_;
};

/// Cotangents or tangents of the outputs of nodes, by node.
class Slots {
 public:
  Var& at(const Node* node, int index) {
    Vars& slots = by_node_[node];
    if (slots.size() <= static_cast<std::size_t>(index)) slots.resize(static_cast<std::size_t>(index) + 1);
    return slots[static_cast<std::size_t>(index)];
  }
  Var get(const Var& v) const {
    if (!v.tracked()) return {};
    auto it = by_node_.find(v.node().get());
    if (it == by_node_.end() || it->second.size() <= static_cast<std::size_t>(v.index())) return {};
    return it->second[static_cast<std::size_t>(v.index())];
  }
  Vars take(const Node* node, std::size_t count) {
    auto it = by_node_.find(node);
    Vars out = it == by_node_.end() ? Vars{} : std::move(it->second);
    if (it != by_node_.end()) by_node_.erase(it);
    out.resize(count);
    return out;
  }
  void erase(const Node* node) { by_node_.erase(node); }

 private:
  std::unordered_map<const Node*, Vars> by_node_;
};

void accumulate(Var& slot, const Var& term) {
  if (!term.defined()) return;
  slot = slot.defined() ? add(slot, term) : term;
}

/// What a walk's rule computes, given what the op served. A walk inside a rule belongs to that rule whole.
class RuleDerivative {
 public:
  explicit RuleDerivative(Derivative (*rule_of)(Derivative)) : rule_of_(rule_of), outer_(current_derivative()) {}
  Derivative of(const Node& node) const { return outer_ <= Derivative::kForward ? rule_of_(node.derivative) : outer_; }

 private:
  Derivative (*rule_of_)(Derivative);
  const Derivative outer_;
};

void check_like(const char* what, const Var& got, const Var& like) {
  if (!got.defined()) return;
  IL_CHECK(got.shape() == like.shape() && got.dtype() == like.dtype(), "autograd: a {} of shape {} and dtype {} for a value of shape {} and dtype {}",
           what, got.shape().to_string(), name_of(got.dtype()), like.shape().to_string(), name_of(like.dtype()));
}

class CheckpointOp final : public Op {
 public:
  explicit CheckpointOp(std::function<Vars(const Vars&)> f) : f_(std::move(f)) {}
  std::string_view name() const override { return "checkpoint"; }
  std::vector<Tensor> forward(std::span<const Tensor> inputs) const override {
    RecordScope off(false);
    return values(f_(Vars(inputs.begin(), inputs.end())));
  }
  Vars reference(const Vars& inputs) const override { return f_(inputs); }

 private:
  std::function<Vars(const Vars&)> f_;
};

}  // namespace

Vars vjp(const Vars& outputs, const Vars& cotangents, const Vars& inputs, Record record) {
  const TraceRange range("reverse walk");
  const RuleDerivative rule(&reverse_of);
  RecordScope scope(record == Record::kGraph);
  const Region region(outputs, inputs);
  Slots slots;
  for (std::size_t i = 0; i < outputs.size() && i < cotangents.size(); ++i) {
    // An undefined output is a zero that depends on nothing, as the tangent of what no tangent reaches.
    if (!outputs[i].defined()) continue;
    check_like("cotangent", cotangents[i], outputs[i]);
    if (region.depends_on_inputs(outputs[i]))
      accumulate(slots.at(outputs[i].node().get(), outputs[i].index()), cotangents[i]);
  }

  Vars result(inputs.size());
  for (auto it = region.nodes().rbegin(); it != region.nodes().rend(); ++it) {
    const std::shared_ptr<Node>& node = *it;
    Vars gy = slots.take(node.get(), node->outputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].node() == node) result[i] = gy[static_cast<std::size_t>(inputs[i].index())];
    if (!region.walks_through(node.get())) continue;
    if (std::none_of(gy.begin(), gy.end(), [](const Var& v) { return v.defined(); })) continue;

    const Vars node_outputs = outputs_of(node);
    Call call{node->inputs, node_outputs, {}};
    for (const Var& v : node->inputs) call.wanted.push_back(region.depends_on_inputs(v));
    const LayerScope layer(node->layer);
    const DerivativeScope derivative(rule.of(*node));
    const Vars gx = node->op->vjp(call, gy);
    for (std::size_t i = 0; i < node->inputs.size() && i < gx.size(); ++i) {
      const Var& input = node->inputs[i];
      if (!call.wanted[i]) continue;
      check_like("cotangent", gx[i], input);
      accumulate(slots.at(input.node().get(), input.index()), gx[i]);
    }
  }
  return result;
}

Vars jvp(const Vars& outputs, const Vars& inputs, const Vars& tangents, Record record) {
  const TraceRange range("tangent walk");
  const RuleDerivative rule(&tangent_of);
  RecordScope scope(record == Record::kGraph);
  IL_CHECK(inputs.size() == tangents.size(), "jvp: {} tangents for {} inputs", tangents.size(), inputs.size());
  const Region region(outputs, inputs);

  // A tangent is let go after its last reader, so that forward mode holds no more than it needs.
  std::unordered_map<const Node*, int> readers;
  for (const auto& node : region.nodes())
    if (region.walks_through(node.get()))
      for (const Var& v : node->inputs)
        if (v.tracked()) ++readers[v.node().get()];
  for (const Var& v : outputs)
    if (v.tracked()) ++readers[v.node().get()];

  Slots slots;
  for (const auto& node : region.nodes()) {
    if (region.walks_through(node.get())) {
      Vars tx;
      bool any = false;
      for (const Var& v : node->inputs) {
        tx.push_back(region.depends_on_inputs(v) ? slots.get(v) : Var());
        any |= tx.back().defined();
      }
      if (any) {
        const Vars node_outputs = outputs_of(node);
        const Call call{node->inputs, node_outputs, {}};
        const LayerScope layer(node->layer);
        const DerivativeScope derivative(rule.of(*node));
        const Vars ty = node->op->jvp(call, tx);
        for (std::size_t i = 0; i < ty.size(); ++i) {
          if (!ty[i].defined()) continue;
          check_like("tangent", ty[i], node_outputs[i]);
          slots.at(node.get(), static_cast<int>(i)) = ty[i];
        }
      }
      for (const Var& v : node->inputs)
        if (v.tracked() && --readers[v.node().get()] == 0) slots.erase(v.node().get());
    }
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].node() == node) {
        check_like("tangent", tangents[i], inputs[i]);
        // On top of what other inputs send here, which makes this walk the adjoint of the reverse one.
        accumulate(slots.at(node.get(), inputs[i].index()), tangents[i]);
      }
  }
  Vars result;
  for (const Var& v : outputs) result.push_back(slots.get(v));
  return result;
}

Vars grad(const Var& output, const Vars& inputs, Record record) {
  Vars g = vjp({output}, {Var(Tensor::full(output.shape(), output.dtype(), 1))}, inputs, record);
  for (std::size_t i = 0; i < inputs.size(); ++i) g[i] = or_zeros(g[i], inputs[i]);
  return g;
}

namespace {

/// Fresh places to differentiate with respect to, that still lead on to whatever x is tracked by.
Vars fresh(const Vars& x, Record record) {
  Vars out;
  for (const Var& v : x) out.push_back(record == Record::kGraph ? alias(v) : variable(v.value()));
  return out;
}

Vars recorded(Function f, const Vars& x) {
  RecordScope on(true);
  return f(x);
}

}  // namespace

Vars hvp(Function f, const Vars& x, const Vars& v, Record record) {
  const Vars at = fresh(x, record);
  const Vars g = grad(recorded(f, at)[0], at, Record::kGraph);
  Vars h = jvp(g, at, v, record);
  for (std::size_t i = 0; i < x.size(); ++i) h[i] = or_zeros(h[i], x[i]);
  return h;
}

Vars hvp_reverse(Function f, const Vars& x, const Vars& v, Record record) {
  const Vars at = fresh(x, record);
  const Vars g = grad(recorded(f, at)[0], at, Record::kGraph);
  Vars h = vjp(g, v, at, record);
  for (std::size_t i = 0; i < x.size(); ++i) h[i] = or_zeros(h[i], x[i]);
  return h;
}

Vars checkpoint(std::function<Vars(const Vars&)> f, const Vars& x) {
  return apply_op(std::make_shared<CheckpointOp>(std::move(f)), x);
}

Var or_zeros(const Var& x, const Var& like) { return x.defined() ? x : Var(Tensor::zeros(like.shape(), like.dtype())); }

}  // namespace innerloop::autograd
