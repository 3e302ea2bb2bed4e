// The classifier: its products, and the loss with its derivatives.
#include <fmt/format.h>

#include "kernels/head.h"
#include "kernels/matmul.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

constexpr std::int64_t kTasks = 8, kImages = 5, kWays = 5;

/// The products of a head of `features`: logits, and the gradients of the weights and of the features; alone and dual.
void add_products(TrafficTable& table, const std::string& workload, std::int64_t features) {
  using kernels::Matmul, kernels::Transpose;
  const Tensor x = ones({kTasks, kImages, features}), w = ones({kTasks, features, kWays}),
               g = ones({kTasks, kImages, kWays});
  const Tensor tx = ones(x.shape()), tw = ones(w.shape()), tg = ones(g.shape());
  const auto add = [&](const std::string& op, const Tensor& a, const Tensor& ta, Transpose transpose_a, const Tensor& b,
                       const Tensor& tb, Transpose transpose_b, const Shape& shape) {
    Tensor out = Tensor::empty(shape, DType::kF32);
    const std::string text =
        fmt::format("{}: {} x {} images, {} features, {} ways", workload, kTasks, kImages, features, kWays);
    table.add(op, text, bytes({&a, &b, &out}),
              Matmul{transpose_a, transpose_b, {a.view(), {}}, {b.view(), {}}, out.mutable_view()});
    table.add(op + " dual", text, bytes({&a, &ta, &b, &tb, &out}),
              Matmul{transpose_a, transpose_b, {a.view(), ta.view()}, {b.view(), tb.view()}, out.mutable_view()});
  };
  add("matmul logits", x, tx, Transpose::kNo, w, tw, Transpose::kNo, g.shape());
  add("matmul weight grad", x, tx, Transpose::kYes, g, tg, Transpose::kNo, w.shape());
  add("matmul feature grad", g, tg, Transpose::kNo, w, tw, Transpose::kYes, x.shape());
}

/// Head and loss together, with their gradient; the tangent of it.
void add_fused(TrafficTable& table, const std::string& workload, std::int64_t features) {
  const Tensor x = ones({kTasks, kImages, features}), w = ones({kTasks, features, kWays}), bias = ones({kTasks, kWays}),
               labels = Tensor::zeros({kTasks, kImages}, DType::kI64);
  Tensor loss = ones({kTasks}), prob = ones({kTasks, kImages, kWays}), gx = ones(x.shape()), gw = ones(w.shape()),
         gbias = ones(bias.shape());
  const std::string text =
      fmt::format("{}: {} x {} images, {} features, {} ways", workload, kTasks, kImages, features, kWays);
  table.add("head_loss", text, bytes({&x, &w, &bias, &labels, &loss, &prob, &gx, &gw, &gbias}),
            kernels::HeadLoss{.x = x.view(),
                              .w = w.view(),
                              .bias = bias.view(),
                              .labels = labels.view(),
                              .loss = loss.mutable_view(),
                              .prob = prob.mutable_view(),
                              .gx = gx.mutable_view(),
                              .gw = gw.mutable_view(),
                              .gbias = gbias.mutable_view()});
  table.add("head_loss_jvp", text, bytes({&x, &w, &prob, &labels, &x, &w, &bias, &gx, &gw, &gbias}),
            kernels::HeadLossJvp{.x = x.view(),
                                 .w = w.view(),
                                 .prob = prob.view(),
                                 .labels = labels.view(),
                                 .tx = x.view(),
                                 .tw = w.view(),
                                 .tbias = bias.view(),
                                 .tgx = gx.mutable_view(),
                                 .tgw = gw.mutable_view(),
                                 .tgbias = gbias.mutable_view()});
}

void add_losses(TrafficTable& table) {
  const Tensor logits = ones({kTasks, kImages, kWays}), labels = Tensor::zeros({kTasks, kImages}, DType::kI64),
               g = ones({kTasks});
  Tensor prob = ones(logits.shape()), loss = ones({kTasks}), out = ones(logits.shape()), rate = ones({kTasks});
  const std::string shape = fmt::format("{} x {} of {}", kTasks, kImages, kWays);
  table.add(
      "softmax_cross_entropy", shape, bytes({&logits, &labels, &loss, &prob}),
      kernels::SoftmaxCrossEntropy{
          .logits = logits.view(), .labels = labels.view(), .loss = loss.mutable_view(), .prob = prob.mutable_view()});
  table.add("softmax_cross_entropy_grad", shape, bytes({&prob, &labels, &g, &out}),
            kernels::SoftmaxCrossEntropyGrad{
                .prob = prob.view(), .labels = labels.view(), .g = g.view(), .glogits = out.mutable_view()});
  table.add("softmax_cross_entropy_grad_jvp", shape, bytes({&prob, &labels, &g, &logits, &g, &out}),
            kernels::SoftmaxCrossEntropyGradJvp{.prob = prob.view(),
                                                .labels = labels.view(),
                                                .g = g.view(),
                                                .tlogits = logits.view(),
                                                .tg = g.view(),
                                                .tglogits = out.mutable_view()});
  table.add("accuracy", shape, bytes({&logits, &labels, &rate}),
            kernels::Accuracy{logits.view(), labels.view(), rate.mutable_view()});
}

}  // namespace

void add_heads(TrafficTable& table) {
  add_products(table, "W1", 64);
  add_products(table, "W2", 800);
  add_losses(table);
  add_fused(table, "W1", 64);
  add_fused(table, "W2", 800);
}

}  // namespace innerloop::executed
