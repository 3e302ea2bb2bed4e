#include "meta/truth_checks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "meta/from_config.h"
#include "tensor/philox.h"

namespace innerloop::meta {
namespace {

// Bounds, each with its reason.
/// Central differences at kStep: rounding 1e-16 / kStep, enlarged by batch norms and inner steps; truncation kStep^2.
constexpr double kDifferenceBound = 1e-7, kStep = 4e-6;
/// Two orders of the same float64 sums.
constexpr double kReverseBound = 1e-10, kFusedBound = 1e-10;
/// float32 in another order of summation, in multiples of epsilon: two batch norms a block, twice differentiated.
constexpr double kTargetBound = 1024, kEpsilonF32 = 0x1p-23;
/// Problems tried until one has no ReLU or maximum decision near its kink.
constexpr std::uint32_t kTries = 32;

struct Instance {
  nn::ConvNet net;
  std::vector<Tensor> params;
  TaskBatch tasks;
  MetaOptions options;
};

/// The shape of a preset at a size that takes milliseconds: same padding, stride, pool, head, norm and loss.
io::Config small(const std::string& preset) {
  io::Config c = io::preset(preset);
  c.model.filters =
      preset == "omniglot" ? std::vector<std::int64_t>{4, 4, 4, 4} : std::vector<std::int64_t>{2, 3, 4, 5};
  c.data.size = preset == "released" ? 18 : preset == "paper" ? 21 : 20;
  c.inner.steps = 2;
  c.inner.rate = 0.05;  // large enough for the second-order term to show
  c.task.ways = 3;
  return c;
}

Tensor uniform(const Shape& shape, double low, double high, std::uint32_t seed, std::uint32_t which) {
  Tensor t = Tensor::empty(shape, DType::kF64);
  PhiloxSequence random(seed, Stream::kCheck, 0, which);
  for (double& x : t.mutable_data<double>()) x = low + (high - low) * random.uniform();
  return t;
}

Tensor labels(std::int64_t tasks, std::int64_t ways, std::int64_t each) {
  Tensor t = Tensor::empty({tasks, ways * each}, DType::kI64);
  auto y = t.mutable_data<std::int64_t>();
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::int64_t>(i) % ways;
  return t;
}

/// float64 parameters and T = 2 tasks of two images a class, all drawn from `seed`.
Instance make_instance(const io::Config& c, std::uint32_t seed) {
  Instance in{nn::ConvNet(conv_net_options(c)), {}, {}, meta_options(c)};
  for (const Tensor& p : in.net.init(seed)) {
    Tensor t = p.to(DType::kF64);
    // Scales, shifts and biases away from their neutral starts, so that no rule is tested at 0 or 1 alone.
    const Tensor noise = uniform(t.shape(), -0.3, 0.3, seed, 100 + static_cast<std::uint32_t>(in.params.size()));
    auto x = t.mutable_data<double>();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += noise.data<double>()[i];
    in.params.push_back(std::move(t));
  }
  const std::int64_t size = c.data.size, channels = c.data.channels, ways = c.task.ways;
  in.tasks = {uniform({2, 2 * ways, size, size, channels}, 0, 1, seed, 0), labels(2, ways, 2),
              uniform({2, 2 * ways, size, size, channels}, 0, 1, seed, 1), labels(2, ways, 2)};
  return in;
}

double dot(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::int64_t j = 0; j < a[i].numel(); ++j) total += a[i].item(j) * b[i].item(j);
  return total;
}

/// ||a - b|| / ||b|| over all tensors, in float64.
double relative(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::int64_t j = 0; j < a[i].numel(); ++j) {
      difference += std::pow(a[i].item(j) - b[i].item(j), 2);
      size += std::pow(b[i].item(j), 2);
    }
  return std::sqrt(difference / size);
}

double loss_along(const Instance& in, const std::vector<Tensor>& direction, double h) {
  std::vector<Tensor> moved;
  for (std::size_t i = 0; i < in.params.size(); ++i) {
    Tensor t = in.params[i].clone();
    auto x = t.mutable_data<double>();
    for (std::size_t j = 0; j < x.size(); ++j) x[j] += h * direction[i].data<double>()[j];
    moved.push_back(std::move(t));
  }
  return meta_loss(in.net, moved, in.tasks, in.options.inner);
}

struct Difference {
  double slope = 0;
  bool smooth = false;  ///< the slope does not depend on the step, so no decision lies between its two ends
};

Difference central_difference(const Instance& in, const std::vector<Tensor>& direction, double scale) {
  const auto slope = [&](double h) { return (loss_along(in, direction, h) - loss_along(in, direction, -h)) / (2 * h); };
  const double whole = slope(kStep), half = slope(kStep / 2);
  return {whole, std::abs(whole - half) <= 0.5 * kDifferenceBound * scale};
}

/// The largest error of the meta-gradient in three random directions, on the first problems that are smooth between the
/// ends of their differences. Whether a problem is taken is decided by the differences alone, never by the gradient.
double difference_error(const io::Config& c) {
  double worst = 0;
  int taken = 0;
  for (std::uint32_t seed = 1; seed <= kTries && taken < 3; ++seed) {
    const Instance in = make_instance(c, seed);
    const std::vector<Tensor> gradient = meta_gradient(in.net, in.params, in.tasks, in.options).gradient;
    std::vector<Tensor> direction;
    double squares = 0, count = 0;
    for (std::size_t i = 0; i < in.params.size(); ++i) {
      direction.push_back(uniform(in.params[i].shape(), -1, 1, seed, 200 + static_cast<std::uint32_t>(i)));
      squares += dot({direction.back()}, {direction.back()});
      count += static_cast<double>(in.params[i].numel());
    }
    const double exact = dot(gradient, direction);
    // The size that a random direction's derivative has: a direction that happens to be flat is not held to its own.
    const double scale = std::max(std::abs(exact), norm(gradient) * std::sqrt(squares / count));
    const Difference d = central_difference(in, direction, scale);
    if (!d.smooth) continue;
    worst = std::max(worst, std::abs(d.slope - exact) / scale);
    ++taken;
  }
  return taken == 3 ? worst : std::numeric_limits<double>::infinity();
}

double reverse_error(const io::Config& c) {
  Instance in = make_instance(c, 1);
  const auto mixed = meta_gradient(in.net, in.params, in.tasks, in.options).gradient;
  in.options.method = Method::kReverse;
  return relative(mixed, meta_gradient(in.net, in.params, in.tasks, in.options).gradient);
}

double fused_error(const io::Config& c) {
  const Instance in = make_instance(c, 1);
  nn::ConvNetOptions plain = in.net.options();
  plain.form = nn::BlockForm::kReference;
  return relative(meta_gradient(in.net, in.params, in.tasks, in.options).gradient,
                  meta_gradient(nn::ConvNet(plain), in.params, in.tasks, in.options).gradient);
}

std::vector<Tensor> to_f32(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(t.to(DType::kF32));
  return out;
}

/// The float32 meta-gradient under a context of its own.
std::vector<Tensor> gradient_f32(const Instance& in, int threads, Target target) {
  Context context(threads, target);
  ContextScope scope(context);
  const TaskBatch tasks{in.tasks.support_x.to(DType::kF32), in.tasks.support_y.to_context(),
                        in.tasks.query_x.to(DType::kF32), in.tasks.query_y.to_context()};
  std::vector<Tensor> gradient;
  for (const Tensor& g : meta_gradient(in.net, to_f32(in.params), tasks, in.options).gradient)
    gradient.push_back(g.to_host());
  return gradient;
}

/// Bytes in which the meta-gradients of one and of two threads differ.
double thread_difference(const io::Config& c) {
  const Instance in = make_instance(c, 1);
  const Target target = Context::current().target();
  const auto one = gradient_f32(in, 1, target), two = gradient_f32(in, 2, target);
  double different = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const auto *a = static_cast<const char*>(one[i].view().data), *b = static_cast<const char*>(two[i].view().data);
    for (std::size_t j = 0; j < one[i].bytes(); ++j) different += a[j] == b[j] ? 0 : 1;
  }
  return different;
}

/// The first problem on which portable float32 takes the same decisions as float64, told by their agreement.
Instance instance_with_margin(const io::Config& c) {
  for (std::uint32_t seed = 1; seed < kTries; ++seed) {
    Instance in = make_instance(c, seed);
    const auto exact = meta_gradient(in.net, in.params, in.tasks, in.options).gradient;
    if (relative(gradient_f32(in, 1, Target::kPortable), exact) < kTargetBound * kEpsilonF32) return in;
  }
  return make_instance(c, kTries);
}

}  // namespace

std::vector<TruthCheck> run_truth_checks(const std::function<void(const TruthCheck&)>& on_check) {
  std::vector<TruthCheck> checks;
  const auto add = [&](std::string name, double value, double bound) {
    checks.push_back({std::move(name), value, bound, value <= bound});
    if (on_check) on_check(checks.back());
  };
  // The checks make and read their problems on the host; a device, where the context has one, is held against it.
  const bool device = Context::current().device() != nullptr;
  Context cpu(Context::current().threads().threads());
  ContextScope scope(device ? cpu : Context::current());
  const Target best = Context::current().target();
  for (const std::string& preset : io::preset_names()) {
    const io::Config c = small(preset);
    add(preset + ": mixed against finite differences", difference_error(c), kDifferenceBound);
    add(preset + ": mixed against reverse", reverse_error(c), kReverseBound);
    add(preset + ": fused against plain blocks", fused_error(c), kFusedBound);
    add(preset + ": bytes that differ between one and two threads", thread_difference(c), 0);
    if (best == Target::kPortable && !device) continue;
    const Instance in = instance_with_margin(c);
    const auto portable = gradient_f32(in, 1, Target::kPortable);
    for (const Target target : {Target::kAvx2, Target::kAvx512, Target::kAmx})
      if (target <= best)
        add(preset + ": " + std::string(name_of(target)) + " against portable, in float32 epsilons",
            relative(gradient_f32(in, 1, target), portable) / kEpsilonF32, kTargetBound);
    if (device)
      add(preset + ": cuda against portable, in float32 epsilons",
          relative(gradient_f32(in, 1, Target::kCuda), portable) / kEpsilonF32, kTargetBound);
  }
  return checks;
}

}  // namespace innerloop::meta
