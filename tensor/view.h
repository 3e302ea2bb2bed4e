// View: what a kernel sees of a tensor: an address, an element type and a shape. It owns nothing.
#pragma once

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace innerloop {

struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape{};

  explicit operator bool() const { return data != nullptr; }
  /// The elements; the caller has checked `dtype`.
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

struct View {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape{};

  explicit operator bool() const { return data != nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  operator ConstView() const { return {data, dtype, shape}; }  // NOLINT: a writable view is a readable one
};

}  // namespace innerloop
