// Every plan that the presets need exists, for devices that are not here: found, filtered and finalised by cuDNN from
// the devices' specifications. Nothing is executed.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "kernels/cuda/cudnn/conv_plan.h"
#include "kernels/cuda/cudnn/device_profiles.h"
#include "plan_table.h"
#include "preset_convs.h"

namespace innerloop::kernels::cudnn {
namespace {

const Device& h100() {
  static const Device device(to_json(kH100));
  return device;
}

const Device& a100() {
  static const Device device(to_json(kA100));
  return device;
}

bool has_note(const EngineInfo& info, cudnnBackendNumericalNote_t note) { return info.has(note); }

/// The plan that is used, and what strict and deterministic mean checked on it.
void expect_strict_plan(const ConvProblem& z, const Device& device) {
  const auto plans = find_plans(z, PlanOptions{}, device, 1);
  ASSERT_EQ(plans.size(), 1u) << to_string(z);
  const ConvPlan& plan = *plans.front();
  EXPECT_FALSE(has_note(plan.engine(), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) << to_string(z);
  EXPECT_FALSE(z.dtype == DType::kF32 && has_note(plan.engine(), CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) << to_string(z);
  EXPECT_GE(plan.workspace_bytes(), 0);
  EXPECT_EQ(plan.problem(), z);
}

TEST(CudnnPlans, EveryPresetHasStrictDeterministicPlans) {
  const auto convs = preset_convs();
  ASSERT_EQ(convs.size(), 4 * io::preset_names().size());  // each preset has four layers
  for (const PresetConv& conv : convs)
    for (const ConvDirection direction : kConvDirections)
      for (const TaskAxis axis : {TaskAxis::kOneTask, TaskAxis::kSharedFilter, TaskAxis::kGroups})
        for (const Accumulate accumulate : {Accumulate::kNo, Accumulate::kYes}) {
          ConvProblem z = conv.problem(direction, DType::kF32, axis);
          z.accumulate = accumulate;
          expect_strict_plan(z, h100());
        }
}

TEST(CudnnPlans, OneTaskHasPlansInFloat64AndOnAnA100) {
  for (const PresetConv& conv : preset_convs())
    for (const ConvDirection direction : kConvDirections)
      for (const Accumulate accumulate : {Accumulate::kNo, Accumulate::kYes}) {
        ConvProblem z = conv.problem(direction, DType::kF64, TaskAxis::kOneTask);
        z.accumulate = accumulate;
        expect_strict_plan(z, h100());
        z.dtype = DType::kF32;
        expect_strict_plan(z, a100());
      }
}

TEST(CudnnPlans, PlansExistAtTheAlignmentOfSingleElements) {
  for (const PresetConv& conv : preset_convs())
    for (const ConvDirection direction : kConvDirections) {
      ConvProblem z = conv.problem(direction, DType::kF32, TaskAxis::kOneTask);
      z.alignment = 4;
      expect_strict_plan(z, h100());
    }
}

ConvProblem small(ConvDirection direction) {
  return conv_problem(direction, DType::kF32, {.pad_top = 1, .pad_left = 1}, 5, 14, 14, 64, 64, 3, 3, 14, 14);
}

TEST(CudnnPlans, AsymmetricPaddingReachesThePlan) {
  for (const ConvDirection direction : kConvDirections) {
    const ConvProblem z =
        conv_problem(direction, DType::kF32, {.stride_h = 2, .stride_w = 2}, 3, 250, 250, 128, 64, 3, 3, 125, 125);
    ASSERT_EQ(z.pad_top, 0);
    ASSERT_EQ(z.pad_bottom, 1);
    const auto plans = find_plans(z, PlanOptions{}, h100(), 1);
    ASSERT_EQ(plans.size(), 1u) << to_string(z);
    // cuDNN calls the padding before `lower`, after `upper`, and writes plain "pad" where they are equal.
    const std::string json = plans.front()->json();
    EXPECT_NE(json.find(R"("pad_upper":[1,1],"pad_lower":[0,0])"), std::string::npos) << json;
  }
}

TEST(CudnnPlans, GroupsAndDilationReachThePlan) {
  const ConvProblem z = conv_problem(ConvDirection::kForward, DType::kF32,
                                     {.pad_top = 2, .pad_left = 2, .dilation_h = 2, .dilation_w = 2, .groups = 4}, 2,
                                     16, 16, 32, 32, 3, 3, 16, 16);
  const auto plans = find_plans(z, PlanOptions{}, h100(), 1);
  ASSERT_EQ(plans.size(), 1u);
  EXPECT_NE(plans.front()->json().find(R"("dim":[32,8,3,3])"), std::string::npos);
  EXPECT_NE(plans.front()->json().find(R"("dilation":[2,2])"), std::string::npos);
}

TEST(CudnnPlans, TheFilterIsWhatKeepsTf32Out) {
  const PlanOptions tf32{.precision = cuda::Precision::kTf32};
  for (const ConvDirection direction : kConvDirections) {
    const auto any = find_plans(small(direction), tf32, h100(), 1),
               strict = find_plans(small(direction), {}, h100(), 1);
    ASSERT_EQ(any.size(), 1u);
    ASSERT_EQ(strict.size(), 1u);
    // The heuristics' favourite does use tensor cores, so a filter that passed everything would be seen here.
    EXPECT_TRUE(has_note(any[0]->engine(), CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
    EXPECT_FALSE(has_note(strict[0]->engine(), CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
  }
}

TEST(CudnnPlans, TheFilterIsWhatKeepsNondeterminismOut) {
  const PlanOptions loose{.determinism = cuda::Determinism::kNotNeeded};
  for (const ConvDirection direction : {ConvDirection::kInputGrad, ConvDirection::kWeightGrad}) {
    int loose_found = 0;
    for (const auto& plan : find_plans(small(direction), loose, h100(), 100))
      loose_found += has_note(plan->engine(), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
    EXPECT_GT(loose_found, 0);
    for (const auto& plan : find_plans(small(direction), PlanOptions{}, h100(), 100))
      EXPECT_FALSE(has_note(plan->engine(), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
  }
}

TEST(CudnnPlans, RefusedNumericsAreRefused) {
  const auto with = [](cudnnBackendNumericalNote_t note) {
    return EngineInfo{.index = 0, .numerics = {note}, .behavior = {}};
  };
  const PlanOptions strict, all{.precision = cuda::Precision::kTf32, .determinism = cuda::Determinism::kNotNeeded};
  for (const auto note : {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                          CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_WINOGRAD}) {
    EXPECT_FALSE(allowed(with(note), DType::kF32, all));
  }
  EXPECT_FALSE(allowed(with(CUDNN_NUMERICAL_NOTE_TENSOR_CORE), DType::kF32, strict));
  EXPECT_TRUE(allowed(with(CUDNN_NUMERICAL_NOTE_TENSOR_CORE), DType::kF64, strict));
  EXPECT_TRUE(allowed(with(CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP), DType::kF32, strict));
}

TEST(CudnnPlans, TheWorkspaceLimitHolds) {
  const ConvProblem z = small(ConvDirection::kForward);
  const auto first = find_plans(z, PlanOptions{}, h100(), 1);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_GT(first[0]->workspace_bytes(), 0);  // else the limit below would prove nothing
  const auto without = find_plans(z, PlanOptions{.workspace_limit = 0}, h100(), 1);
  ASSERT_EQ(without.size(), 1u);
  EXPECT_EQ(without[0]->workspace_bytes(), 0);
}

TEST(PlanCache, MakesAPlanOnceAndKeepsDevicesAndOptionsApart) {
  PlanCache cache;
  const ConvProblem z = small(ConvDirection::kForward);
  const auto plan = cache.get(z, {}, h100());
  EXPECT_EQ(plan, cache.get(z, {}, h100()));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_NE(plan, cache.get(z, {}, a100()));
  EXPECT_NE(plan, cache.get(z, {.precision = cuda::Precision::kTf32}, h100()));
  EXPECT_EQ(cache.size(), 3u);
  const auto others = find_plans(z, {}, h100(), 2);
  ASSERT_EQ(others.size(), 2u);
  cache.put({}, h100(), others[1]);
  EXPECT_EQ(cache.get(z, {}, h100()), others[1]);
}

TEST(PlanCache, NamesTheProblemThatHasNoPlan) {
  PlanCache cache;
  try {
    cache.get(small(ConvDirection::kForward), {.workspace_limit = -1}, h100());
    FAIL() << "a workspace of less than nothing was found";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("forward f32 N5 14x14 C64"), std::string::npos) << e.what();
  }
}

TEST(Backend, ErrorsNameTheDescriptorAndCudnnsReason) {
  ConvProblem z = small(ConvDirection::kForward);
  z.p = 13;
  try {
    ConvGraph graph(z);
    FAIL() << "an output of the wrong size was accepted";
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("convolution operation: CUDNN_STATUS_BAD_PARAM"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

TEST(CudnnPlans, ThePageSaysWhatThisLibraryPlans) {
  std::ifstream file(IL_SOURCE_DIR "/docs/cudnn_plans.md");
  std::stringstream page;
  page << file.rdbuf();
  ASSERT_FALSE(page.str().empty()) << "docs/cudnn_plans.md is missing";
  if (page.str().find(cudnn_version_text() + ":") == std::string::npos) {
    GTEST_SKIP() << "docs/cudnn_plans.md was written by another cuDNN than " << cudnn_version_text();
  }
  EXPECT_TRUE(page.str() == plan_page()) << "write it anew: cudnn_plans_page > docs/cudnn_plans.md";
}

}  // namespace
}  // namespace innerloop::kernels::cudnn
