#include "kernels/head.h"

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/reduce.h"
#include "kernels/temporary.h"

namespace innerloop::kernels {
namespace {

View shaped(View v, const Shape& shape) {
  v.shape = shape;
  return v;
}
ConstView shaped(ConstView v, const Shape& shape) {
  v.shape = shape;
  return v;
}

/// op(a0) op(b0) + op(a1) op(b1), pairs with an absent operand left out. Whether there was a pair.
bool product(Transpose ta, Transpose tb, ConstView a0, ConstView b0, ConstView a1, ConstView b1, View out,
             Context& context) {
  Matmul k{ta, tb, {}, {}, out};
  int pairs = 0;
  if (a0 && b0) k.a[pairs] = a0, k.b[pairs++] = b0;
  if (a1 && b1) k.a[pairs] = a1, k.b[pairs++] = b1;
  if (pairs > 0) run(k, context);
  return pairs > 0;
}

constexpr Transpose kNo = Transpose::kNo, kYes = Transpose::kYes;

struct Extents {
  std::int64_t tasks, samples, features, classes;
  Shape rows() const { return {tasks, samples, classes}; }
  Shape bias() const { return {tasks, 1, classes}; }
};

template <class Head>
Extents extents_of(const Head& k) {
  const Shape &x = k.x.shape, &w = k.w.shape;
  IL_CHECK(x.rank() == 3 && w.rank() == 3 && x[0] == w[0] && x[2] == w[1],
           "{}: features {} and weights {}; [T, N, F] and [T, F, C] are needed", Head::kName, x.to_string(), w.to_string());
  IL_CHECK(k.labels.dtype == DType::kI64 && k.labels.shape == (Shape{x[0], x[1]}), "{}: labels {} ({}); i64 {} are needed",
           Head::kName, k.labels.shape.to_string(), name_of(k.labels.dtype), Shape({x[0], x[1]}).to_string());
  return {x[0], x[1], x[2], w[2]};
}

template <class Head>
void check_operand(const char* name, const ConstView& v, const Shape& shape, DType dtype) {
  IL_CHECK(v.shape == shape && v.dtype == dtype, "{}: {} is {} ({}); {} ({}) is needed", Head::kName, name,
           v.shape.to_string(), name_of(v.dtype), shape.to_string(), name_of(dtype));
}

}  // namespace

void check(const HeadLoss& k) {
  const Extents e = extents_of(k);
  check_operand<HeadLoss>("w", k.w, k.w.shape, k.x.dtype);
  check_operand<HeadLoss>("bias", k.bias, {e.tasks, e.classes}, k.x.dtype);
}

void check(const HeadLossJvp& k) {
  const Extents e = extents_of(k);
  check_operand<HeadLossJvp>("prob", k.prob, e.rows(), k.x.dtype);
  if (k.tx) check_operand<HeadLossJvp>("tx", k.tx, k.x.shape, k.x.dtype);
  if (k.tw) check_operand<HeadLossJvp>("tw", k.tw, k.w.shape, k.x.dtype);
  if (k.tbias) check_operand<HeadLossJvp>("tbias", k.tbias, {e.tasks, e.classes}, k.x.dtype);
}

void compose(const HeadLoss& k, Context& context) {
  check(k);
  const Extents e = extents_of(k);
  const DType dtype = k.x.dtype;
  const Temporary product_of(e.rows(), dtype, context), logits(e.rows(), dtype, context), d(e.rows(), dtype, context);
  run(Matmul{kNo, kNo, {k.x, {}}, {k.w, {}}, product_of.view()}, context);
  run(Binary{BinaryFn::kAdd, product_of.view(), shaped(k.bias, e.bias()), logits.view()}, context);
  run(SoftmaxCrossEntropy{k.reduction, logits.view(), k.labels, k.loss, k.prob}, context);
  if (k.accuracy) run(Accuracy{logits.view(), k.labels, k.accuracy}, context);
  run(SoftmaxCrossEntropyGrad{k.reduction, k.prob, k.labels, {}, d.view()}, context);
  run(Matmul{kNo, kYes, {d.view(), {}}, {k.w, {}}, k.gx}, context);
  run(Matmul{kYes, kNo, {k.x, {}}, {d.view(), {}}, k.gw}, context);
  run(ReduceSum{d.view(), shaped(k.gbias, e.bias())}, context);
}

void compose(const HeadLossJvp& k, Context& context) {
  check(k);
  const Extents e = extents_of(k);
  const DType dtype = k.x.dtype;
  const Temporary moved(e.rows(), dtype, context), summed(e.rows(), dtype, context), d(e.rows(), dtype, context),
      td(e.rows(), dtype, context);
  ConstView tlogits;  // absent: zero
  if (product(kNo, kNo, k.tx, k.w, k.x, k.tw, moved.view(), context)) tlogits = moved.view();
  if (k.tbias) {
    const ConstView bias = shaped(k.tbias, e.bias());
    if (tlogits)
      run(Binary{BinaryFn::kAdd, tlogits, bias, summed.view()}, context);
    else
      run(BroadcastTo{bias, summed.view()}, context);
    tlogits = summed.view();
  }
  run(SoftmaxCrossEntropyGrad{k.reduction, k.prob, k.labels, {}, d.view()}, context);
  run(SoftmaxCrossEntropyGradJvp{k.reduction, k.prob, k.labels, {}, tlogits, {}, td.view()}, context);
  product(kNo, kYes, td.view(), k.w, d.view(), k.tw, k.tgx, context);
  product(kYes, kNo, k.tx, d.view(), k.x, td.view(), k.tgw, context);
  run(ReduceSum{td.view(), shaped(k.tgbias, e.bias())}, context);
}

}  // namespace innerloop::kernels
