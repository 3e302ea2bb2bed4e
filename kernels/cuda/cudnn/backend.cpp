#include "kernels/cuda/cudnn/backend.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <iterator>

#include "kernels/cuda/status.h"

namespace innerloop::kernels::cudnn {
namespace {

using Four = std::array<std::int64_t, 4>;

cudnnDataType_t data_type(DType dtype) { return dtype == DType::kF64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT; }

/// cuDNN names extents (outer, channels, rows, columns) whatever their order in memory; here channels lie innermost.
Descriptor tensor(Role role, DType dtype, const Four& extents, std::int64_t alignment) {
  const auto& [outer, channels, rows, columns] = extents;
  const Four strides = {rows * columns * channels, 1, columns * channels, channels};
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR, role == Role::kImage    ? "image tensor"
                                                : role == Role::kFilter ? "filter tensor"
                                                                        : "output tensor");
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, data_type(dtype));
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const std::int64_t>(extents));
  d.set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const std::int64_t>(strides));
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<std::int64_t>(role));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, false);
  d.finalize();
  return d;
}

Descriptor convolution(const ConvProblem& z) {
  using Two = std::array<std::int64_t, 2>;
  const Two before = {z.pad_top, z.pad_left}, after = {z.pad_bottom, z.pad_right};
  const Two strides = {z.stride_h, z.stride_w}, dilations = {z.dilation_h, z.dilation_w};
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "convolution");
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, data_type(z.dtype));
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const std::int64_t>(before));
  d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const std::int64_t>(after));
  d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const std::int64_t>(strides));
  d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const std::int64_t>(dilations));
  d.finalize();
  return d;
}

/// The names that one direction's operation gives to its attributes.
struct OperationNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t image, filter, output, convolution, alpha, beta;
};

OperationNames operation_names(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::kForward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvDirection::kInputGrad:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvDirection::kWeightGrad:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

Descriptor operation(const ConvProblem& z, const Descriptor& image, const Descriptor& filter, const Descriptor& output,
                     const Descriptor& convolution) {
  const OperationNames names = operation_names(z.direction);
  Descriptor d(names.type, "convolution operation");
  d.set(names.image, image);
  d.set(names.filter, filter);
  d.set(names.output, output);
  d.set(names.convolution, convolution);
  const double beta = z.accumulate == Accumulate::kYes ? 1.0 : 0.0;
  if (z.dtype == DType::kF64) {
    d.set(names.alpha, 1.0);
    d.set(names.beta, beta);
  } else {
    d.set(names.alpha, 1.0f);
    d.set(names.beta, static_cast<float>(beta));
  }
  d.finalize();
  return d;
}

Descriptor graph_of(const Descriptor& operation) {
  Descriptor d(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "operation graph");
  d.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
  d.finalize();
  return d;
}

Descriptor described(const std::string& json) {
  Descriptor d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "device properties");
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(json));
  d.finalize();
  return d;
}

constexpr const char* kNumericalNoteNames[] = {"TENSOR_CORE",
                                               "DOWN_CONVERT_INPUTS",
                                               "REDUCED_PRECISION_REDUCTION",
                                               "FFT",
                                               "NONDETERMINISTIC",
                                               "WINOGRAD",
                                               "WINOGRAD_TILE_4x4",
                                               "WINOGRAD_TILE_6x6",
                                               "WINOGRAD_TILE_13x13",
                                               "STRICT_NAN_PROP"};
static_assert(std::size(kNumericalNoteNames) == CUDNN_NUMERICAL_NOTE_TYPE_COUNT);

}  // namespace

std::string describe(cudnnStatus_t status) {
  std::array<char, 1024> message{};
  cudnnGetLastErrorString(message.data(), message.size());
  std::string text = message.data();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.empty() ? cudnnGetErrorString(status) : fmt::format("{}: {}", cudnnGetErrorString(status), text);
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type, const char* what) : type_(type), what_(what) {
  check(cudnnBackendCreateDescriptor(type, &raw_), "create", 0);
}

Descriptor::~Descriptor() {
  if (raw_ != nullptr) cudnnBackendDestroyDescriptor(raw_);
}

bool Descriptor::finalize_if_supported() {
  const cudnnStatus_t status = cudnnBackendFinalize(raw_);
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status, "finalise", 0);
  return true;
}

void Descriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                         const void* values) {
  check(cudnnBackendSetAttribute(raw_, name, type, count, values), "set attribute", name);
}

void Descriptor::get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t capacity,
                         std::int64_t* got, void* values) const {
  check(cudnnBackendGetAttribute(raw_, name, type, capacity, got, values), "get attribute", name);
}

std::int64_t Descriptor::count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const {
  std::int64_t n = 0;
  get_raw(name, type, 0, &n, nullptr);
  return n;
}

std::vector<Descriptor> Descriptor::get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                                    const char* what) const {
  const auto n = static_cast<std::size_t>(count(name, CUDNN_TYPE_BACKEND_DESCRIPTOR));
  std::vector<Descriptor> descriptors;
  std::vector<cudnnBackendDescriptor_t> raws;
  for (std::size_t i = 0; i < n; ++i) raws.push_back(descriptors.emplace_back(type, what).raw());
  std::int64_t got = 0;
  if (n > 0) get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(n), &got, raws.data());
  descriptors.erase(descriptors.begin() + got, descriptors.end());
  return descriptors;
}

void Descriptor::check(cudnnStatus_t status, const char* doing, int attribute) const {
  if (status == CUDNN_STATUS_SUCCESS) return;
  if (attribute == 0) fail("cudnn: {} {}: {}", doing, what_, describe(status));
  fail("cudnn: {} {} of {}: {}", doing, attribute, what_, describe(status));
}

Device::Device(const std::string& json) : Device(described(json)) {}

Device::Device(Descriptor properties) : properties_(std::move(properties)) {
  const auto text = properties_.get<char>(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION);
  json_.assign(text.begin(), std::find(text.begin(), text.end(), '\0'));
}

Device Device::current() {
  int id = 0;
  IL_CUDA_CHECK(cudaGetDevice(&id));
  Descriptor d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "device properties");
  d.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, std::int32_t{id});
  d.finalize();
  return Device(std::move(d));
}

ConvGraph::ConvGraph(const ConvProblem& z)
    : image_(tensor(Role::kImage, z.dtype, {z.n, z.c, z.h, z.w}, z.alignment)),
      // The number of groups is not said anywhere: it is the image's channels over the filter's.
      filter_(tensor(Role::kFilter, z.dtype, {z.k, z.c / z.groups, z.r, z.s}, z.alignment)),
      output_(tensor(Role::kOutput, z.dtype, {z.n, z.k, z.p, z.q}, z.alignment)),
      convolution_(convolution(z)),
      operation_(operation(z, image_, filter_, output_, convolution_)),
      graph_(graph_of(operation_)) {}

std::vector<Descriptor> engine_configurations(const ConvGraph& graph, HeuristicMode mode, const Device& device) {
  Descriptor d(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "engine heuristics");
  d.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph());
  d.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode == HeuristicMode::kA   ? CUDNN_HEUR_MODE_A
                                    : mode == HeuristicMode::kB ? CUDNN_HEUR_MODE_B
                                                                : CUDNN_HEUR_MODE_FALLBACK);
  d.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device.properties());
  // A mode that knows nothing about a problem says so here. That is an answer: another mode may know more.
  if (!d.finalize_if_supported()) return {};
  return d.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine configuration");
}

bool EngineInfo::has(cudnnBackendNumericalNote_t note) const {
  return std::find(numerics.begin(), numerics.end(), note) != numerics.end();
}

bool EngineInfo::has(cudnnBackendBehaviorNote_t note) const {
  return std::find(behavior.begin(), behavior.end(), note) != behavior.end();
}

EngineInfo engine_info(const Descriptor& configuration) {
  const auto engines =
      configuration.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine");
  IL_CHECK(!engines.empty(), "cudnn: an engine configuration names no engine");
  const Descriptor& engine = engines.front();
  return {.index = engine.get_one<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX),
          .numerics = engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE),
          .behavior = engine.get<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE)};
}

std::string numerics_text(const EngineInfo& info) {
  std::string text;
  for (const auto note : info.numerics) {
    const auto i = static_cast<std::size_t>(note);
    text += text.empty() ? "" : ", ";
    text += i < std::size(kNumericalNoteNames) ? std::string(kNumericalNoteNames[i]) : fmt::format("note {}", i);
  }
  return text.empty() ? "none" : text;
}

std::optional<Descriptor> execution_plan(const Descriptor& configuration, const Device& device) {
  Descriptor d(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "execution plan");
  d.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  d.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device.properties());
  if (!d.finalize_if_supported()) return std::nullopt;
  return d;
}

void execute(cudnnHandle_t handle, const Descriptor& plan, void* image, void* filter, void* output, void* workspace) {
  const std::array<std::int64_t, 3> ids = {static_cast<std::int64_t>(Role::kImage),
                                           static_cast<std::int64_t>(Role::kFilter),
                                           static_cast<std::int64_t>(Role::kOutput)};
  const std::array<void*, 3> addresses = {image, filter, output};
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "variant pack");
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(ids));
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(addresses));
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  pack.finalize();
  IL_CUDNN_CHECK(cudnnBackendExecute(handle, plan.raw(), pack.raw()));
}

}  // namespace innerloop::kernels::cudnn
