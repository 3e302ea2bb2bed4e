#include "kernels/cuda/cudnn/conv_schedule.h"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace innerloop::kernels::cudnn {
namespace {

/// One pair's operands by what they are, whichever of them is written.
struct Pair {
  ConstView image, filter, output;
};

struct Sizes {
  std::int64_t tasks = 1;  ///< the largest task extent of any operand
  std::int64_t n = 0, h = 0, w = 0, c = 0, r = 0, s = 0, k = 0, p = 0, q = 0;

  friend bool operator==(const Sizes&, const Sizes&) = default;
};

Sizes sizes_of(std::string_view op, const ConvGeometry& g, const Pair& z) {
  const Shape &x = z.image.shape, &w = z.filter.shape, &y = z.output.shape;
  IL_CHECK(x.rank() == 5 && w.rank() == 5 && y.rank() == 5,
           "{}: image {}, weight {} and output {} must have rank 5: [T,N,H,W,C], [T,R,S,C/groups,K], [T,N,P,Q,K]", op,
           x.to_string(), w.to_string(), y.to_string());
  IL_CHECK(is_floating(z.image.dtype) && z.filter.dtype == z.image.dtype && z.output.dtype == z.image.dtype,
           "{}: image {}, weight {} and output {} must all be f32 or all f64; convert them first", op,
           innerloop::name_of(z.image.dtype), innerloop::name_of(z.filter.dtype), innerloop::name_of(z.output.dtype));
  IL_CHECK(g.groups > 0 && x[1] == y[1] && w[4] == y[4] && w[3] * g.groups == x[4] && w[4] % g.groups == 0,
           "{}: image {}, weight {} and output {} do not fit each other at groups = {}", op, x.to_string(),
           w.to_string(), y.to_string(), g.groups);
  return {.n = x[1], .h = x[2], .w = x[3], .c = x[4], .r = w[1], .s = w[2], .k = w[4], .p = y[2], .q = y[3]};
}

/// The largest power of two, 16 at most, that divides the address of every execution's operand.
std::int64_t alignment_of(const void* base, const OperandWalk& walk, std::int64_t element) {
  const auto address = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(base) % 16);
  return std::gcd(std::gcd(address, 16), std::gcd(walk.begin * element, walk.step * element));
}

ConvSchedule schedule(ConvDirection direction, std::string_view op, const ConvGeometry& geometry, const Pair* pairs,
                      int count) {
  const bool filter_is_output = direction == ConvDirection::kWeightGrad;
  const Sizes z = sizes_of(op, geometry, pairs[0]);
  std::int64_t tasks = 1;
  for (int i = 0; i < count; ++i) {
    IL_CHECK(sizes_of(op, geometry, pairs[i]) == z, "{}: the second pair of operands must have the shapes of the first",
             op);
    for (const ConstView& v : {pairs[i].image, pairs[i].filter, pairs[i].output}) {
      IL_CHECK(v.shape[0] == 1 || tasks == 1 || v.shape[0] == tasks, "{}: a task extent is {}, neither {} nor 1", op,
               v.shape[0], tasks);
      if (v.shape[0] != 1) tasks = v.shape[0];
    }
  }
  const auto written = [&](const Pair& p) -> const ConstView& {
    return direction == ConvDirection::kForward ? p.output : filter_is_output ? p.filter : p.image;
  };
  ConvSchedule result{.runs = {}, .filter_rows = z.r * z.s * (z.c / geometry.groups), .filter_columns = z.k};
  result.filters[0] = pairs[0].filter.shape[0];
  if (count == 2 && !filter_is_output) result.filters[1] = pairs[1].filter.shape[0];
  const std::int64_t image_size = z.n * z.h * z.w * z.c, output_size = z.n * z.p * z.q * z.k;
  const std::int64_t filter_size = result.filter_rows * z.k;
  if (written(pairs[0]).shape.numel() == 0 || std::min({tasks, image_size, output_size, filter_size}) == 0)
    return result;

  const auto element = static_cast<std::int64_t>(size_of(pairs[0].image.dtype));
  const bool sums_tasks = tasks > 1 && written(pairs[0]).shape[0] == 1;
  for (int i = 0; i < count; ++i) {
    const Pair& pair = pairs[i];
    const bool image_walks = pair.image.shape[0] > 1, filter_walks = pair.filter.shape[0] > 1,
               output_walks = pair.output.shape[0] > 1;
    // Tasks are more images of one call where nothing distinguishes them: the filter serves, or sums over, all.
    const bool folds = image_walks && output_walks && !filter_walks;
    ConvRun run{.problem = conv_problem(direction, pair.image.dtype, geometry, folds ? tasks * z.n : z.n, z.h, z.w, z.c,
                                        z.k, z.r, z.s, z.p, z.q),
                .pair = i,
                .count = folds ? 1 : tasks};
    run.image.step = image_walks && !folds ? image_size : 0;
    run.output.step = output_walks && !folds ? output_size : 0;
    run.filter.step = filter_walks ? filter_size : 0;
    run.filter.begin = i == 1 && !filter_is_output ? result.filters[0] * filter_size : 0;

    const auto push = [&](ConvRun r, Accumulate accumulate) {
      r.problem.accumulate = accumulate;
      // Scratch memory begins at an address that 16 divides, as all device memory does.
      r.problem.alignment =
          std::min({alignment_of(pair.image.data, r.image, element), alignment_of(pair.output.data, r.output, element),
                    alignment_of(nullptr, r.filter, element)});
      result.runs.push_back(r);
    };
    if (i == 1) {
      push(run, Accumulate::kYes);
    } else if (!sums_tasks || run.count == 1) {
      push(run, Accumulate::kNo);
    } else {
      ConvRun rest = run;
      rest.count = run.count - 1;
      for (OperandWalk* walk : {&rest.image, &rest.filter, &rest.output}) walk->begin += walk->step;
      run.count = 1;
      push(run, Accumulate::kNo);
      push(rest, Accumulate::kYes);
    }
  }
  return result;
}

/// 1 or 2; throws when half of the second pair is missing.
int count_pairs(std::string_view op, const ConstView (&a)[2], const ConstView (&b)[2]) {
  const bool has_a = a[1].shape.rank() > 0, has_b = b[1].shape.rank() > 0;
  IL_CHECK(has_a == has_b, "{}: one operand of the second pair is missing; give both or neither", op);
  return has_a ? 2 : 1;
}

}  // namespace

ConvSchedule conv_schedule(const ConvForward& k) {
  const Pair pairs[2] = {{k.x[0], k.w[0], k.y}, {k.x[1], k.w[1], k.y}};
  return schedule(ConvDirection::kForward, k.kName, k.geometry, pairs, count_pairs(k.kName, k.x, k.w));
}

ConvSchedule conv_schedule(const ConvInputGrad& k) {
  const Pair pairs[2] = {{k.gx, k.w[0], k.gy[0]}, {k.gx, k.w[1], k.gy[1]}};
  return schedule(ConvDirection::kInputGrad, k.kName, k.geometry, pairs, count_pairs(k.kName, k.gy, k.w));
}

ConvSchedule conv_schedule(const ConvWeightGrad& k) {
  const Pair pairs[2] = {{k.x[0], k.gw, k.gy[0]}, {k.x[1], k.gw, k.gy[1]}};
  return schedule(ConvDirection::kWeightGrad, k.kName, k.geometry, pairs, count_pairs(k.kName, k.x, k.gy));
}

}  // namespace innerloop::kernels::cudnn
