// Tensor: a value. A dense array of one dtype in arena memory, shared by its copies.
//
// Copying a Tensor copies the handle. Ops never write to a tensor that somebody else may hold; only code that has just
// made a tensor fills it.
//
// A tensor lives where its context's arena has its memory: on the host or on a device. Kernels take it where it is;
// the host reads it through to_host().
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/shape.h"
#include "tensor/view.h"

namespace innerloop {

class Arena;
class Device;

class Tensor {
 public:
  /// An undefined tensor; stands for "none" (and for a zero gradient) wherever one is allowed.
  Tensor() = default;

  /// Uninitialised memory from the current context's arena.
  static Tensor empty(const Shape& shape, DType dtype);
  /// The same on the host, whatever the context.
  static Tensor empty_on_host(const Shape& shape, DType dtype);
  static Tensor zeros(const Shape& shape, DType dtype);
  static Tensor full(const Shape& shape, DType dtype, double value);
  /// A copy of `values`; their number must be the shape's.
  template <class T>
  static Tensor from(const Shape& shape, std::span<const T> values);
  template <class T>
  static Tensor from(const Shape& shape, const std::vector<T>& values) {
    return from(shape, std::span<const T>(values));
  }

  bool defined() const { return data_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::int64_t numel() const { return shape_.numel(); }
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype_); }

  /// nullptr for a tensor on the host.
  Device* device() const { return device_; }
  /// This tensor, or a copy of it on the host; waits for the device.
  Tensor to_host() const;
  /// This tensor, or a copy of it where the current context's tensors live.
  Tensor to_context() const;

  /// The elements. Throws when T is not the dtype, and for a tensor on a device whose memory the host cannot address;
  /// where it can, waits for the device first.
  template <class T>
  std::span<const T> data() const {
    check_access(DTypeOf<T>::value);
    return {static_cast<const T*>(data_.get()), static_cast<std::size_t>(numel())};
  }
  template <class T>
  std::span<T> mutable_data() {
    check_access(DTypeOf<T>::value);
    return {static_cast<T*>(data_.get()), static_cast<std::size_t>(numel())};
  }
  /// Element `i` of any dtype, as a double; for tests and messages, not for loops that matter.
  double item(std::int64_t i = 0) const;

  ConstView view() const { return {data_.get(), dtype_, shape_}; }
  View mutable_view() { return {data_.get(), dtype_, shape_}; }

  /// The same elements under another shape of equal size; shares memory.
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, begin + count) of the leading axis; shares memory.
  Tensor slice(std::int64_t begin, std::int64_t count) const;
  /// Fills this tensor, just made, with the elements of one of equal shape, dtype and place.
  void copy_from(const Tensor& source);
  /// A copy in memory of its own.
  Tensor clone() const;
  /// A copy in another dtype (between f32 and f64, or from an integer type to either).
  Tensor to(DType dtype) const;

 private:
  static Tensor allocate(Arena& arena, const Shape& shape, DType dtype);
  void check_access(DType asked) const;
  void set(const void* values);

  std::shared_ptr<void> data_;
  Device* device_ = nullptr;  ///< kept alive by the arena, which `data_` keeps alive
  Shape shape_;
  DType dtype_ = DType::kF32;
};

template <class T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values) {
  IL_CHECK(static_cast<std::int64_t>(values.size()) == shape.numel(), "tensor: {} values for the shape {}",
           values.size(), shape.to_string());
  Tensor t = empty(shape, DTypeOf<T>::value);
  t.set(values.data());
  return t;
}

}  // namespace innerloop
