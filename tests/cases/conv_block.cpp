#include "autograd/ops/conv_block.h"

#include "cases/op_case.h"
#include "cases/zeros.h"
#include "support/oracles.h"

namespace innerloop::test {
namespace {

using namespace autograd;

enum class Scale { kPresent, kAbsent };
enum class Outputs { kMaximaOnly, kWithStatistics };

struct Block {
  std::string name;
  Shape x, w;
  ConvBlockOptions options;
  Scale scale = Scale::kPresent;
  Outputs outputs = Outputs::kMaximaOnly;
  int order = 3;
  Role images = Role::kDifferentiable;  ///< constant: a first block, which a CPU makes without y
};

constexpr ConvOptions kSame3x3{.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
constexpr ConvOptions kStride2{.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1};
constexpr ConvOptions kStride2Odd{
    .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};

std::vector<Block> blocks() {
  const Pool max = Pool::kMax2x2, none = Pool::kNone;
  const Scale absent = Scale::kAbsent;
  const Outputs statistics = Outputs::kWithStatistics;
  std::vector<Block> all{
      {"max_t1", {1, 2, 4, 4, 2}, {1, 3, 3, 2, 2}, {kSame3x3, max}},
      {"max_shared", {3, 2, 4, 4, 1}, {1, 3, 3, 1, 2}, {kSame3x3, max}},
      {"max_per_task", {3, 1, 4, 4, 2}, {3, 3, 3, 2, 2}, {kSame3x3, max}},
      {"max_shared_input", {1, 2, 4, 4, 1}, {3, 3, 3, 1, 2}, {kSame3x3, max}},
      {"max_odd", {2, 3, 5, 7, 1}, {2, 3, 3, 1, 2}, {kSame3x3, max}},
      {"max_one_image", {2, 1, 4, 6, 2}, {1, 3, 3, 2, 3}, {kSame3x3, max}},
      {"max_one_window", {1, 4, 2, 2, 2}, {1, 3, 3, 2, 2}, {kSame3x3, max}},
      {"max_no_scale", {2, 2, 4, 5, 2}, {2, 3, 3, 2, 2}, {kSame3x3, max}, absent},
      {"max_stride2", {2, 2, 8, 8, 1}, {1, 3, 3, 1, 2}, {kStride2, max}},
      {"max_large_epsilon", {1, 2, 4, 4, 2}, {1, 3, 3, 2, 2}, {kSame3x3, max, 0.3}},
      {"none_t1", {1, 4, 3, 3, 2}, {1, 3, 3, 2, 2}, {kSame3x3, none}},
      {"none_shared", {3, 2, 3, 3, 2}, {1, 3, 3, 2, 2}, {kSame3x3, none}},
      {"none_per_task_no_scale", {3, 2, 3, 4, 1}, {3, 3, 3, 1, 2}, {kSame3x3, none}, absent},
      {"none_stride2_no_scale", {2, 2, 6, 6, 2}, {1, 3, 3, 2, 2}, {kStride2, none}, absent},
      {"none_stride2_odd", {2, 3, 5, 7, 2}, {2, 3, 3, 2, 2}, {kStride2Odd, none}},
      {"max_statistics", {2, 2, 4, 4, 1}, {1, 3, 3, 1, 2}, {kSame3x3, max}, Scale::kPresent, statistics},
      {"none_statistics_no_scale", {2, 2, 3, 3, 1}, {2, 3, 3, 1, 2}, {kSame3x3, none}, absent, statistics},
      {"max_channels", {1, 1, 4, 4, 3}, {1, 3, 3, 3, 17}, {kSame3x3, max}, Scale::kPresent, Outputs::kMaximaOnly, 2},
      {"none_channels", {2, 1, 3, 3, 3}, {2, 3, 3, 3, 9}, {kSame3x3, none}, absent, Outputs::kMaximaOnly, 2},
  };
  for (Block b : std::vector<Block>{
           {"images_max", {2, 2, 4, 6, 1}, {2, 3, 3, 1, 2}, {kSame3x3, max}},
           {"images_max_colour", {2, 1, 5, 4, 3}, {2, 3, 3, 3, 3}, {kSame3x3, max}},
           {"images_max_shared", {3, 2, 4, 4, 1}, {1, 3, 3, 1, 2}, {kSame3x3, max}},
           {"images_max_shared_input", {1, 2, 4, 4, 2}, {3, 3, 3, 2, 2}, {kSame3x3, max}, absent},
           {"images_max_stride2", {2, 2, 8, 9, 1}, {1, 3, 3, 1, 2}, {kStride2, max}},
           {"images_none_stride2", {2, 3, 5, 7, 2}, {2, 3, 3, 2, 2}, {kStride2Odd, none}},
           {"images_none_no_scale", {2, 2, 3, 4, 1}, {2, 3, 3, 1, 2}, {kSame3x3, none}, absent},
           {"images_statistics", {2, 2, 4, 4, 1}, {2, 3, 3, 1, 2}, {kSame3x3, max}, Scale::kPresent, statistics},
       }) {
    b.images = Role::kConstant;
    all.push_back(b);
  }
  return all;
}

/// x, w, gamma (where present), beta.
BlockOracle run(const Block& b, const Arrays& in) {
  return block_oracle(in[0], in[1], b.scale == Scale::kPresent ? &in[2] : nullptr, in.back(), b.options);
}

OpCase block_case(const Block& b) {
  OpCase c;
  c.name = "conv_block_" + b.name;
  const auto apply = [b](auto op, const Vars& x) {
    const Var gamma = b.scale == Scale::kPresent ? x[2] : Var();
    const ConvBlockResult r = op(x[0], x[1], gamma, x.back(), b.options);
    return b.outputs == Outputs::kMaximaOnly ? Vars{r.p} : Vars{r.p, r.mean, r.rstd};
  };
  c.f = [apply](const Vars& x) { return apply(conv_block, x); };
  c.reference = [apply](const Vars& x) { return apply(conv_block_reference, x); };
  c.oracle = [b](const Arrays& in) {
    const BlockOracle f = run(b, in);
    return b.outputs == Outputs::kMaximaOnly ? Arrays{f.p} : Arrays{f.p, f.mean, f.rstd};
  };
  c.margin = [b](const Arrays& in) { return run(b, in).margin; };
  const std::int64_t channels = b.w[4];
  Variant v{{{b.x, {}, b.images}, {b.w}}, b.order};
  // A scale of either sign: a negative one turns the order of a window around.
  if (b.scale == Scale::kPresent) v.inputs.push_back({{b.w[0], channels}, {-1.5, 1.5}});
  v.inputs.push_back({{b.w[0], channels}, {-0.5, 0.5}});
  c.variants = {v};
  return c;
}

}  // namespace

std::vector<OpCase> conv_block_cases() {
  std::vector<OpCase> cases;
  for (const Block& b : blocks()) cases.push_back(block_case(b));
  const Shape x{2, 1, 4, 4, 2}, w{1, 3, 3, 2, 3};
  const ConvBlockOptions same{kSame3x3};
  cases[0].bad_calls = {
      {[=] {
         conv_block(zeros(x), zeros({1, 3, 3, 4, 3}), Var(), zeros({1, 3}), same);
       },
       {"conv", "[2, 1, 4, 4, 2]", "[1, 3, 3, 4, 3]"}},
      {[=] {
         conv_block(zeros(x), zeros(w), Var(), zeros({1, 4}), same);
       },
       {"conv_block", "[1, 4]", "3 channels"}},
      {[=] {
         conv_block(zeros(x), zeros(w), zeros({3, 3}), zeros({1, 3}), same);
       },
       {"conv_block", "[3, 3]", "2 tasks"}},
      {[=] { conv_block(zeros(x), zeros(w), Var(), Var(), same); }, {"conv_block", "shift"}},
      {[=] {
         conv_block(zeros(x), zeros(w), Var(), Var(Tensor::zeros({1, 3}, DType::kF64)), same);
       },
       {"conv_block", "[1, 3]", "f32", "f64"}},
      {[=] {
         const Tensor statistics = Tensor::zeros({1, 4}, DType::kF32);
         conv_block_with_statistics(zeros(x).value(), zeros(w).value(), {}, zeros({1, 3}).value(), statistics,
                                    statistics, same);
       },
       {"conv_block", "[1, 4]", "[2, 3]"}},
      {[=] {
         conv_block(zeros({2, 1, 1, 4, 2}), zeros(w), Var(), zeros({1, 3}), same);
       },
       {"conv_block", "[2, 1, 1, 4, 3]", "too small"}},
  };
  return cases;
}

}  // namespace innerloop::test
