#include "tensor/tensor.h"

#include <cstring>

#include "tensor/context.h"
#include "tensor/with_type.h"

namespace innerloop {

Tensor Tensor::allocate(Arena& arena, const Shape& shape, DType dtype) {
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  t.data_ = arena.allocate(t.bytes());
  t.device_ = arena.device();
  return t;
}

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  return allocate(Context::current().arena(), shape, dtype);
}

Tensor Tensor::empty_on_host(const Shape& shape, DType dtype) {
  return allocate(Context::current().host_arena(), shape, dtype);
}

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor t = empty(shape, dtype);
  if (t.device_ != nullptr)
    t.device_->fill(t.mutable_view(), 0);
  else
    std::memset(t.data_.get(), 0, t.bytes());
  return t;
}

Tensor Tensor::full(const Shape& shape, DType dtype, double value) {
  Tensor t = empty(shape, dtype);
  if (t.device_ != nullptr) {
    t.device_->fill(t.mutable_view(), value);
    return t;
  }
  with_type(dtype, [&]<class T>(T*) {
    for (T& x : t.mutable_data<T>()) x = static_cast<T>(value);
  });
  return t;
}

double Tensor::item(std::int64_t i) const {
  IL_CHECK(defined() && i >= 0 && i < numel(), "tensor: element {} of {}", i, shape_.to_string());
  return with_type(dtype_, [&]<class T>(T*) {
    T value;
    const T* address = static_cast<const T*>(data_.get()) + i;
    if (device_ != nullptr)
      device_->download(&value, address, sizeof(T));
    else
      value = *address;
    return static_cast<double>(value);
  });
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
  if (device_ != Context::current().device()) return to_context();
  Tensor t = empty(shape_, dtype_);
  t.copy_from(*this);
  return t;
}

void Tensor::copy_from(const Tensor& source) {
  IL_CHECK(source.shape_ == shape_ && source.dtype_ == dtype_ && source.device_ == device_,
           "tensor: a copy from {} {} into {} {}, which have to be of one shape, dtype and place", name_of(source.dtype_),
           source.shape_.to_string(), name_of(dtype_), shape_.to_string());
  if (device_ != nullptr)
    device_->copy(data_.get(), source.data_.get(), bytes());
  else if (bytes() > 0)
    std::memcpy(data_.get(), source.data_.get(), bytes());
}

Tensor Tensor::to_host() const {
  if (device_ == nullptr) return *this;
  Tensor t = empty_on_host(shape_, dtype_);
  device_->download(t.data_.get(), data_.get(), bytes());
  return t;
}

Tensor Tensor::to_context() const {
  if (!defined() || device_ == Context::current().device()) return *this;
  const Tensor host = to_host();
  if (Context::current().device() == nullptr) return host;
  Tensor t = empty(shape_, dtype_);
  t.set(host.data_.get());
  return t;
}

void Tensor::set(const void* values) {
  if (device_ != nullptr)
    device_->upload(data_.get(), values, bytes());
  else if (bytes() > 0)
    std::memcpy(data_.get(), values, bytes());
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  if (device_ != Context::current().device()) return to_context().to(dtype);
  Tensor t = empty(shape_, dtype);
  if (device_ != nullptr) {
    device_->cast(view(), t.mutable_view());
    return t;
  }
  with_type(dtype_, [&]<class From>(From*) {
    with_type(dtype, [&]<class To>(To*) {
      const auto in = data<From>();
      const auto out = t.mutable_data<To>();
      for (std::size_t i = 0; i < in.size(); ++i) out[i] = static_cast<To>(in[i]);
    });
  });
  return t;
}

void Tensor::check_access(DType asked) const {
  if (device_ != nullptr) {
    IL_CHECK(device_->host_access() == HostAccess::kYes,
             "tensor: the host asked for the elements of a tensor of shape {} on {}; take a copy with to_host()",
             shape_.to_string(), device_->name());
    device_->synchronize();
  }
  IL_CHECK(asked == dtype_, "tensor: {} elements asked of a {} tensor of shape {}", name_of(asked), name_of(dtype_),
           shape_.to_string());
}

}  // namespace innerloop
