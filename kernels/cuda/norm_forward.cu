// Norm-ReLU-pool, forward.
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_forward.cuh"
#include "kernels/cuda/norm_passes.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

/// NormReluPoolApply: the walk alone.
template <class T_, int kWidth_, int kSide>
struct ApplyPass {
  using T = T_;
  static constexpr int kWidth = kWidth_, kConstants = 3;  // mean, gamma rstd, beta

  NormGrid grid;
  const T* y;
  Line<T> mean, rstd, gamma, beta;
  T* p;
  std::uint8_t* choice;

  __device__ __forceinline__ ApplyPass of_task(unsigned task) const {
    ApplyPass pass = *this;
    pass.y += task * grid.task_elements();
    pass.mean = mean.of_task(task), pass.rstd = rstd.of_task(task);
    pass.gamma = gamma.of_task(task), pass.beta = beta.of_task(task);
    pass.p += task * grid.pooled_elements(), pass.choice += task * grid.pooled_elements();
    return pass;
  }
  __device__ __forceinline__ void constants(unsigned channel, Column<T> to) const {
    to[0] = mean.data[channel];
    to[1] = static_cast<T>(gamma.at_or(channel, 1) * static_cast<double>(rstd.data[channel]));
    to[2] = beta.data[channel];
  }
  IL_HD unsigned cells() const { return grid.windows; }
  __device__ __forceinline__ void write(unsigned item, unsigned channel, const LineValues<T, kWidth, 3>& lines) const {
    const WindowPlace<kSide> place(grid, item);
    const WindowValues<kSide, T, kWidth> values(grid, y + place.first + channel);
    write_window<kSide>(values.pixel, lines, p + place.pooled + channel, choice + place.pooled + channel);
  }
};

void run_here(const NormReluPoolForward& k, Context& context) {
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.p, k.choice, k.chosen}, [&]<class T>(T, auto width, auto side) {
    run_sums_and_walk(forward_pass<T, width(), side()>(k), context);
  });
}

void run_here(const NormForwardMoments& k, Context& context) {
  check_moments(k.kName, k.moments, k.unit, k.norm.y, kOutputMoments);
  if (k.picked) {
    using Pass = PickedForwardPass<float, kPickWidth>;
    check_picked(k.kName, k.norm.pool, {k.norm.p, k.norm.choice, k.picked, k.moments});
    const auto pass = forward_pass<float, kPickWidth, 2>(k.norm);
    return run_sums_and_walk(Pass{{pass, {k.moments, k.unit, pass.grid}}, k.picked.as<float>()}, context);
  }
  with_norm(k.norm.y.dtype, k.norm.pool, k.kName, {k.norm.y, k.norm.p, k.norm.choice, k.norm.chosen, k.moments},
            [&]<class T>(T, auto width, auto side) {
              const auto pass = forward_pass<T, width(), side()>(k.norm);
              run_sums_and_walk(MomentsForwardPass<T, width(), side()>{pass, {k.moments, k.unit, pass.grid}}, context);
            });
}

void run_here(const NormReluPoolApply& k, Context& context) {
  const NormGrid grid(k.y.shape, k.pool, k.kName);
  with_norm(k.y.dtype, k.pool, k.kName, {k.y, k.p, k.choice}, [&]<class T>(T, auto width, auto side) {
    run_walk(ApplyPass<T, width(), side()>{grid, k.y.as<T>(), Line<T>(k.mean), Line<T>(k.rstd), Line<T>(k.gamma),
                                           Line<T>(k.beta), k.p.as<T>(), k.choice.as<std::uint8_t>()},
             context);
  });
}

IL_REGISTER_KERNEL(NormReluPoolForward);
IL_REGISTER_KERNEL(NormForwardMoments);
IL_REGISTER_KERNEL(NormReluPoolApply);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
