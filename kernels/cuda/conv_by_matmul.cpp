#include "kernels/cuda/conv_by_matmul.h"

#include <memory>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/im2col.h"

namespace innerloop::kernels::cuda {
namespace {

/// Where an op's patches are: an image of its own, or memory made for them.
struct Plan {
  ConvRoles roles;
  std::int64_t pixels = 0, columns = 0, k = 0;  ///< N*P*Q, R*S*C, K
  bool image_is_patches = false;

  explicit Plan(const ConvOp& op) : roles(roles_of(op)) {
    const Shape &x = roles.image[0].shape, &w = roles.filter[0].shape, &y = roles.output[0].shape;
    const ConvGeometry& g = *roles.geometry;
    pixels = y[1] * y[2] * y[3];
    columns = w[1] * w[2] * w[3];
    k = w[4];
    image_is_patches = w[1] == 1 && w[2] == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_top == 0 &&
                       g.pad_left == 0 && x[2] == y[2] && x[3] == y[3];
  }

  Shape patch_shape(const ConstView& image) const { return {image.shape[0], pixels, columns}; }
  std::int64_t patch_bytes(const ConstView& image) const {
    return patch_shape(image).numel() * static_cast<std::int64_t>(size_of(image.dtype));
  }
  ConstView filter(int pair) const { return matrix(roles.filter[pair], columns, k); }
  ConstView output(int pair) const { return matrix(roles.output[pair], pixels, k); }

  static ConstView matrix(const ConstView& v, std::int64_t rows, std::int64_t width) {
    return {v.data, v.dtype, {v.shape[0], rows, width}};
  }
  static View writable(const ConstView& v) { return {const_cast<void*>(v.data), v.dtype, v.shape}; }
};

/// The patches of pair `i`'s image; `memory` keeps them until they have been put to use.
ConstView patches_of(const Plan& plan, int i, Context& context, std::shared_ptr<void>& memory) {
  const ConstView& image = plan.roles.image[i];
  if (plan.image_is_patches) return {image.data, image.dtype, plan.patch_shape(image)};
  memory = context.arena().allocate(static_cast<std::size_t>(plan.patch_bytes(image)));
  const View patches{memory.get(), image.dtype, plan.patch_shape(image)};
  im2col(stream_of(context), *plan.roles.geometry, plan.roles.filter[i].shape[2], plan.roles.output[i].shape[2],
         plan.roles.output[i].shape[3], image, patches);
  return patches;
}

void input_grad(const Plan& plan, FunctionRef<void(const Matmul&)> multiply, Context& context) {
  const ConstView& image = plan.roles.image[0];
  const std::shared_ptr<void> memory =
      plan.image_is_patches ? nullptr : context.arena().allocate(static_cast<std::size_t>(plan.patch_bytes(image)));
  Matmul product;
  product.transpose_b = Transpose::kYes;
  product.out = {plan.image_is_patches ? const_cast<void*>(image.data) : memory.get(), image.dtype,
                 plan.patch_shape(image)};
  for (int i = 0; i < plan.roles.pairs; ++i) product.a[i] = plan.output(i), product.b[i] = plan.filter(i);
  multiply(product);
  if (plan.image_is_patches) return;
  col2im(stream_of(context), *plan.roles.geometry, plan.roles.filter[0].shape[2], plan.roles.output[0].shape[2],
         plan.roles.output[0].shape[3], product.out, Plan::writable(image));
}

}  // namespace

std::string why_not_by_matmul(const ConvOp& op) {
  const Plan plan(op);
  const ConvRoles& z = plan.roles;
  if (z.geometry->groups != 1) return fmt::format("it has {} groups and this serves one", z.geometry->groups);
  if (plan.image_is_patches) return "";
  std::int64_t bytes = 0;
  const bool writes_image = std::holds_alternative<const ConvInputGrad*>(op);
  for (int i = 0; i < (writes_image ? 1 : z.pairs); ++i) {
    if (const auto why = unpatchable(z.image[i].shape, plan.patch_shape(z.image[i])); !why.empty())
      return std::string(why);
    bytes += plan.patch_bytes(z.image[i]);
  }
  if (bytes > kMostPatchBytes) return fmt::format("its patches take {} bytes, more than {}", bytes, kMostPatchBytes);
  return "";
}

void conv_by_matmul(const ConvOp& op, FunctionRef<void(const Matmul&)> multiply, Context& context) {
  const Plan plan(op);
  if (std::holds_alternative<const ConvInputGrad*>(op)) return input_grad(plan, multiply, context);
  const bool writes_filter = std::holds_alternative<const ConvWeightGrad*>(op);
  std::shared_ptr<void> memory[2];
  Matmul product;
  product.transpose_a = writes_filter ? Transpose::kYes : Transpose::kNo;
  for (int i = 0; i < plan.roles.pairs; ++i) {
    product.a[i] = patches_of(plan, i, context, memory[i]);
    product.b[i] = writes_filter ? plan.output(i) : plan.filter(i);
  }
  product.out = Plan::writable(writes_filter ? plan.filter(0) : plan.output(0));
  multiply(product);
}

}  // namespace innerloop::kernels::cuda
