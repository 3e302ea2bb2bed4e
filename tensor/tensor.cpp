#include "tensor/tensor.h"

#include <cstring>

#include "tensor/context.h"

namespace innerloop {
namespace {

/// Calls f with a null pointer of the C++ type behind `dtype`.
template <class F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kF32: return f(static_cast<float*>(nullptr));
    case DType::kF64: return f(static_cast<double*>(nullptr));
    case DType::kI32: return f(static_cast<std::int32_t*>(nullptr));
    case DType::kI64: return f(static_cast<std::int64_t*>(nullptr));
    case DType::kU8: return f(static_cast<std::uint8_t*>(nullptr));
  }
  fail("tensor: dtype {} is none of ours", static_cast<int>(dtype));
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  t.data_ = Context::current().arena().allocate(t.bytes());
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor t = empty(shape, dtype);
  std::memset(t.data_.get(), 0, t.bytes());
  return t;
}

Tensor Tensor::full(const Shape& shape, DType dtype, double value) {
  Tensor t = empty(shape, dtype);
  with_type(dtype, [&]<class T>(T*) {
    for (T& x : t.mutable_data<T>()) x = static_cast<T>(value);
  });
  return t;
}

double Tensor::item(std::int64_t i) const {
  IL_CHECK(defined() && i >= 0 && i < numel(), "tensor: element {} of {}", i, shape_.to_string());
  return with_type(dtype_, [&]<class T>(T*) { return static_cast<double>(data<T>()[static_cast<std::size_t>(i)]); });
}

Tensor Tensor::reshape(const Shape& shape) const {
  IL_CHECK(shape.numel() == numel(), "reshape: {} has {} elements, {} needs {}", shape_.to_string(), numel(),
           shape.to_string(), shape.numel());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t count) const {
  IL_CHECK(shape_.rank() > 0 && begin >= 0 && count >= 0 && begin + count <= shape_[0],
           "slice: rows {} to {} of the shape {}", begin, begin + count, shape_.to_string());
  const std::int64_t row = shape_[0] == 0 ? 0 : numel() / shape_[0];
  Tensor t = *this;
  t.shape_ = shape_.with(0, count);
  t.data_ = std::shared_ptr<void>(
      data_, static_cast<char*>(data_.get()) + static_cast<std::size_t>(begin * row) * size_of(dtype_));
  return t;
}

Tensor Tensor::clone() const {
  Tensor t = empty(shape_, dtype_);
  std::memcpy(t.data_.get(), data_.get(), bytes());
  return t;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor t = empty(shape_, dtype);
  with_type(dtype_, [&]<class From>(From*) {
    with_type(dtype, [&]<class To>(To*) {
      const auto in = data<From>();
      const auto out = t.mutable_data<To>();
      for (std::size_t i = 0; i < in.size(); ++i) out[i] = static_cast<To>(in[i]);
    });
  });
  return t;
}

void Tensor::check_type(DType asked) const {
  IL_CHECK(asked == dtype_, "tensor: {} elements asked of a {} tensor of shape {}", name_of(asked), name_of(dtype_),
           shape_.to_string());
}

}  // namespace innerloop
