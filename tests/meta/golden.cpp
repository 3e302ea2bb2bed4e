// Meta-gradients that PyTorch computed in float64 (tests/golden/make_golden.py), met by every way that the engine has.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "io/safetensors.h"
#include "meta/checkpoint.h"
#include "meta/problem.h"
#include "support/compare.h"

namespace innerloop::meta {
namespace {

/// Two float64 programs that sum in different orders, through up to three inner steps of four batch norms.
constexpr double kGolden = 1e-9;

class Golden : public ::testing::TestWithParam<const char*> {
 protected:
  std::string path() const { return golden_file(GetParam()); }
  Problem problem() const { return load_problem(path(), DType::kF64); }
  std::vector<Tensor> expected(const Problem& p, const std::string& prefix) const {
    const io::TensorFile file = io::read_safetensors(path());
    std::vector<Tensor> out;
    for (const std::string& name : p.net.names()) out.push_back(with_task_axis(file.at(prefix + name)));
    return out;
  }
};

TEST_P(Golden, MixedMeetsPyTorch) {
  const Problem p = problem();
  const io::TensorFile file = io::read_safetensors(path());
  for (const StepMemory memory : {StepMemory::kKeep, StepMemory::kRecompute}) {
    MetaOptions o = p.options;
    o.memory = memory;
    const MetaResult r = meta_gradient(p.net, p.params, p.tasks, o);
    EXPECT_TRUE(test::near(r.gradient, expected(p, "expected."), kGolden));
    EXPECT_TRUE(test::near(r.query_loss, file.at("expected.query_loss"), kGolden));
    EXPECT_TRUE(test::near(support_loss_of(r), file.at("expected.support_loss"), kGolden));
  }
}

TEST_P(Golden, ReverseMeetsPyTorch) {
  const Problem p = problem();
  MetaOptions o = p.options;
  o.method = Method::kReverse;
  EXPECT_TRUE(test::near(meta_gradient(p.net, p.params, p.tasks, o).gradient, expected(p, "expected."), kGolden));
}

TEST_P(Golden, BatchedTasksMeetPyTorch) {
  const Problem p = problem();
  MetaOptions o = p.options;
  o.tasks_per_program = 2;
  EXPECT_TRUE(test::near(meta_gradient(p.net, p.params, p.tasks, o).gradient, expected(p, "expected."), kGolden));
}

TEST_P(Golden, PlainBlocksMeetPyTorch) {
  const Problem p = problem();
  nn::ConvNetOptions plain = p.net.options();
  plain.form = nn::BlockForm::kReference;
  EXPECT_TRUE(test::near(meta_gradient(nn::ConvNet(plain), p.params, p.tasks, p.options).gradient,
                         expected(p, "expected."), kGolden));
}

TEST_P(Golden, FirstOrderMeetsPyTorch) {
  const Problem p = problem();
  MetaOptions o = p.options;
  o.order = Order::kFirst;
  const auto g = meta_gradient(p.net, p.params, p.tasks, o).gradient;
  EXPECT_TRUE(test::near(g, expected(p, "first_order."), kGolden));
  EXPECT_FALSE(test::near(g, expected(p, "expected."), 1e-2)) << "the orders are too close for this problem to tell";
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, ::testing::Values("paper", "released", "omniglot", "miniimagenet"));

}  // namespace
}  // namespace innerloop::meta
