// OpCase: one entry an op, from which every generic check is made (autograd/op_checks.cpp).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/array.h"
#include "support/random.h"
#include "support/tower.h"

namespace innerloop::test {

enum class Role { kDifferentiable, kConstant };

struct Input {
  Shape shape;
  Range range{};
  Role role = Role::kDifferentiable;
};

/// One set of shapes. `order` is the highest order of derivative that is checked: large shapes need not go to the
/// third.
struct Variant {
  std::vector<Input> inputs;
  int order = 3;
};

struct BadCall {
  std::function<void()> call;
  std::vector<std::string> words;  ///< that the error text must hold: the op and the shapes
};

struct OpCase {
  std::string name;
  OpFunction f;
  /// The same in plain float64 loops.
  std::function<Arrays(const Arrays&)> oracle;
  std::vector<Variant> variants;
  /// For a fused op: its plain composition.
  OpFunction reference = nullptr;
  /// For an op that decides: how far the inputs are from where a decision changes. The harness takes the first seed
  /// that is far enough. None: the inputs' ranges keep away from kinks by themselves.
  std::function<double(const Arrays&)> margin = nullptr;
  std::vector<BadCall> bad_calls = {};
};

/// For gtest's messages.
inline void PrintTo(const OpCase& c, std::ostream* os) { *os << c.name; }

std::vector<OpCase> elementwise_cases();
std::vector<OpCase> reduce_cases();
std::vector<OpCase> conv_cases();
std::vector<OpCase> matmul_cases();
std::vector<OpCase> pool_cases();
std::vector<OpCase> loss_cases();
std::vector<OpCase> head_cases();
std::vector<OpCase> dropout_cases();
std::vector<OpCase> conv_block_cases();
std::vector<OpCase> record_cases();
std::vector<OpCase> batch_norm_cases();
std::vector<OpCase> sequence_cases();

inline std::vector<OpCase> all_cases() {
  std::vector<OpCase> all;
  for (auto make : {elementwise_cases, reduce_cases, conv_cases, matmul_cases, pool_cases, loss_cases, head_cases,
                    dropout_cases, conv_block_cases, record_cases, batch_norm_cases, sequence_cases})
    for (OpCase& c : make()) all.push_back(std::move(c));
  return all;
}

}  // namespace innerloop::test
