// The four kernels of a conv block on the device, in the shapes of conv_moments_case.h.
#pragma once

#include <vector>

#include "tests/executed/conv_moments_case.h"

namespace innerloop::kernels::moments {

/// The four kernels of a block, one behind the other, each with what those before it have made.
struct Passes {
  Block b;
  Array gp, tgp, gx, gw, ggamma, gbeta, tgx, tgw, tggamma, tgbeta, chosen, tchosen;

  Passes(const MomentCase& c, DType t)
      : b(c, t),
        gp(random_array(b.sp, t, 21)),
        tgp(random_array(b.sp, t, 22)),
        gx(b.sx, t),
        gw(b.sw, t),
        ggamma(b.line, t),
        gbeta(b.line, t),
        tgx(b.sx, t),
        tgw(b.sw, t),
        tggamma(b.line, t),
        tgbeta(b.line, t),
        chosen(b.sp, t),
        tchosen(b.sp, t) {}

  /// The bytes of all outputs.
  std::vector<Bytes> run_on(Context& context, bool keep) {
    for (Array* a : outputs()) a->reset();
    ConvBlockForward forward = b.forward();
    ConvBlockJvp jvp = b.jvp();
    ConvBlockGrad grad{b.geometry, b.c.pool, b.x.view(), b.w.view(), b.gamma.view(), b.y.view(), b.mean.view(), b.rstd.view(),
                       b.choice.view(), gp.view(), gx.mutable_view(), gw.mutable_view(), ggamma.mutable_view(), gbeta.mutable_view()};
    ConvBlockGradJvp grad_jvp{b.geometry, b.c.pool, b.x.view(), b.w.view(), b.gamma.view(), b.y.view(), b.mean.view(), b.rstd.view(),
                              b.choice.view(), gp.view(), ggamma.view(), gbeta.view(), b.tx.view(), b.tw.view(), b.tgamma.view(),
                              b.ty.view(), b.tmean.view(), b.trstd.view(), tgp.view(), tgx.mutable_view(), tgw.mutable_view(),
                              tggamma.mutable_view(), tgbeta.mutable_view()};
    if (keep) {
      forward.chosen = chosen.mutable_view();
      jvp.chosen = grad.chosen = grad_jvp.chosen = chosen.view();
      jvp.tchosen = tchosen.mutable_view(), grad_jvp.tchosen = tchosen.view();
    }
    run(forward, context);
    run(jvp, context);
    run(grad, context);
    run(grad_jvp, context);
    wait_for_device();
    std::vector<Bytes> bytes;
    for (Array* a : outputs()) bytes.push_back(a->memory());
    return bytes;
  }

  std::vector<Array*> outputs() {
    std::vector<Array*> all = b.outputs();
    for (Array* a : {&gx, &gw, &ggamma, &gbeta, &tgx, &tgw, &tggamma, &tgbeta}) all.push_back(a);
    return all;
  }
  std::vector<std::vector<double>> values() {
    std::vector<std::vector<double>> all;
    for (const Array* a : outputs()) all.push_back(a->values());
    return all;
  }

  /// The same of one task alone.
  Passes of_task(std::int64_t task) const {
    MomentCase one = b.c;
    one.tasks = 1;
    Passes alone(one, x_dtype());
    const auto take = [&](Array& to, const Array& from) { to = part_of(from, task); };
    take(alone.b.x, b.x), take(alone.b.w, b.w), take(alone.b.gamma, b.gamma), take(alone.b.beta, b.beta);
    take(alone.b.tx, b.tx), take(alone.b.tw, b.tw), take(alone.b.tgamma, b.tgamma), take(alone.b.tbeta, b.tbeta);
    take(alone.gp, gp), take(alone.tgp, tgp);
    return alone;
  }

  /// Runs all tasks together and each alone, and compares their outputs.
  void expect_same_alone(Context& context) {
    run_on(context, true);
    const std::vector<Array*> together = outputs();
    for (std::int64_t task = 0; task < b.c.tasks; ++task) {
      Passes alone = of_task(task);
      alone.run_on(context, true);
      const std::vector<std::vector<double>> found = alone.values();
      for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_EQ(found[i], part_of(*together[i], task).values()) << "task " << task << ", output " << i;
    }
  }

  static Array part_of(const Array& all, std::int64_t task) {
    const Shape shape = all.shape().with(0, 1);
    const std::vector<double> values = all.values();
    const auto first = values.begin() + task * shape.numel();
    return {shape, all.dtype(), {first, first + shape.numel()}};
  }

 private:
  DType x_dtype() const { return b.x.dtype(); }
};

}  // namespace innerloop::kernels::moments
