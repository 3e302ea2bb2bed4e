// Sums and maxima over axes, and the sum of squares.
#include "kernels/reduce.h"

#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/reduce.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class Op>
void reduce_axes(const ConstView& x, const View& y, double scale, const char* op, Context& context) {
  IL_CHECK(x.shape.rank() == y.shape.rank(), "{}: the ranks of {} and {} differ", op, x.shape.to_string(),
           y.shape.to_string());
  with_float(x.dtype, op, [&]<class T>(T) {
    if (x.shape.numel() == 0) return fill_on(stream_of(context), y, Op::kIdentity);
    const ReducePlan plan(x.shape, y.shape);
    if (plan.innermost_reduced)
      reduce_rows<Op, Op>(plan, x.as<T>(), y.as<T>(), scale, context);
    else
      reduce_columns<Op, Op>(plan, x.as<T>(), y.as<T>(), scale, context);
  });
}

void run_here(const ReduceSum& k, Context& context) { reduce_axes<Add>(k.x, k.y, k.scale, "reduce_sum", context); }
void run_here(const ReduceMax& k, Context& context) { reduce_axes<Maximum>(k.x, k.y, 1, "reduce_max", context); }

void run_here(const SumOfSquares& k, Context& context) {
  IL_CHECK(k.y.dtype == DType::kF64 && k.y.shape.numel() == 1, "sum_of_squares: into {} ({}); one f64 is needed",
           k.y.shape.to_string(), name_of(k.y.dtype));
  with_float(k.x.dtype, "sum_of_squares", [&]<class T>(T) {
    const std::int64_t n = k.x.shape.numel();
    if (n == 0) return fill_on(stream_of(context), k.y, 0);
    reduce_rows<AddSquares, Add>(ReducePlan(Shape{n}, Shape{1}), k.x.as<T>(), k.y.as<double>(), 1, context);
  });
}

IL_REGISTER_KERNEL(ReduceSum);
IL_REGISTER_KERNEL(ReduceMax);
IL_REGISTER_KERNEL(SumOfSquares);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
