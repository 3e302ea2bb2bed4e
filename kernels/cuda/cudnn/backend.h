// cuDNN's graph ("backend") API, wrapped once: descriptors with an owner, typed attributes, checked calls.
//
// A plan is made of descriptors: tensors and a convolution make an operation, operations a graph; heuristics propose
// engine configurations for the graph; a configuration becomes an execution plan, which runs on a variant pack of
// addresses. Every step except execution works without a GPU: the device is described by properties
// (device_profiles.h).
//
// Errors: a failing call throws innerloop::Error with what was being made and cuDNN's text. Unsupported plans are no
// errors but an empty result. Thread safety: a descriptor belongs to one thread until it is finalised, then may be
// shared.
#pragma once

#include <cudnn_graph.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/cudnn/conv_problem.h"
#include "kernels/cuda/cudnn/status.h"

namespace innerloop::kernels::cudnn {

/// cuDNN's type tag of a C++ attribute type.
template <class T>
inline constexpr cudnnBackendAttributeType_t kAttributeType = [] {
  static_assert(sizeof(T) == 0, "no cuDNN attribute has this type");
  return CUDNN_TYPE_INT64;
}();
template <>
inline constexpr auto kAttributeType<std::int64_t> = CUDNN_TYPE_INT64;
template <>
inline constexpr auto kAttributeType<std::int32_t> = CUDNN_TYPE_INT32;
template <>
inline constexpr auto kAttributeType<float> = CUDNN_TYPE_FLOAT;
template <>
inline constexpr auto kAttributeType<double> = CUDNN_TYPE_DOUBLE;
template <>
inline constexpr auto kAttributeType<bool> = CUDNN_TYPE_BOOLEAN;
template <>
inline constexpr auto kAttributeType<char> = CUDNN_TYPE_CHAR;
template <>
inline constexpr auto kAttributeType<void*> = CUDNN_TYPE_VOID_PTR;  // cudnnBackendDescriptor_t is the same C++ type
template <>
inline constexpr auto kAttributeType<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
inline constexpr auto kAttributeType<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr auto kAttributeType<cudnnConvolutionMode_t> = CUDNN_TYPE_CONVOLUTION_MODE;
template <>
inline constexpr auto kAttributeType<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr auto kAttributeType<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;
template <>
inline constexpr auto kAttributeType<cudnnBackendBehaviorNote_t> = CUDNN_TYPE_BEHAVIOR_NOTE;

/// Owns one backend descriptor. `what` names it in error texts and must outlive it (a literal).
class Descriptor {
 public:
  Descriptor(cudnnBackendDescriptorType_t type, const char* what);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept
      : raw_(std::exchange(other.raw_, nullptr)), type_(other.type_), what_(other.what_) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    std::swap(type_, other.type_);
    std::swap(what_, other.what_);
    return *this;
  }

  cudnnBackendDescriptor_t raw() const { return raw_; }

  template <class T>
  void set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    set_raw(name, kAttributeType<T>, static_cast<std::int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    set(name, std::span<const T>(&value, 1));
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.raw_);
  }
  void finalize() { check(cudnnBackendFinalize(raw_), "finalise", 0); }
  /// False where cuDNN answers that it does not support what the attributes ask for.
  bool finalize_if_supported();

  /// As many values as there are.
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name) const {
    std::vector<T> values(static_cast<std::size_t>(count(name, kAttributeType<T>)));
    if (!values.empty()) {
      std::int64_t got = 0;
      get_raw(name, kAttributeType<T>, static_cast<std::int64_t>(values.size()), &got, values.data());
      values.resize(static_cast<std::size_t>(got));
    }
    return values;
  }
  template <class T>
  T get_one(cudnnBackendAttributeName_t name) const {
    T value{};
    std::int64_t got = 0;
    get_raw(name, kAttributeType<T>, 1, &got, &value);
    return value;
  }
  /// Descriptors that this one refers to, each copied into one of ours.
  std::vector<Descriptor> get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          const char* what) const;

 private:
  void set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
               const void* values);
  void get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t capacity,
               std::int64_t* got, void* values) const;
  std::int64_t count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const;
  void check(cudnnStatus_t status, const char* doing, int attribute) const;

  cudnnBackendDescriptor_t raw_ = nullptr;
  cudnnBackendDescriptorType_t type_;
  const char* what_;
};

/// The three tensors of a convolution by the names that variant packs know them under.
enum class Role : std::int64_t { kImage = 1, kFilter = 2, kOutput = 3 };

/// A device: described by JSON (no GPU needed), or the current CUDA device itself.
class Device {
 public:
  explicit Device(const std::string& json);
  static Device current();

  const Descriptor& properties() const { return properties_; }
  /// cuDNN's own JSON of the properties: equal texts, equal plans.
  const std::string& json() const { return json_; }

 private:
  explicit Device(Descriptor properties);

  Descriptor properties_;
  std::string json_;
};

/// An operation graph of one convolution and the descriptors that it is made of.
class ConvGraph {
 public:
  explicit ConvGraph(const ConvProblem& problem);
  const Descriptor& graph() const { return graph_; }

 private:
  Descriptor image_, filter_, output_, convolution_, operation_, graph_;
};

enum class HeuristicMode { kA, kB, kFallback };
inline constexpr HeuristicMode kHeuristicModes[] = {HeuristicMode::kA, HeuristicMode::kB, HeuristicMode::kFallback};

/// Engine configurations that the heuristics propose, best guess first; none where the mode has no answer.
std::vector<Descriptor> engine_configurations(const ConvGraph& graph, HeuristicMode mode, const Device& device);

/// What cuDNN says about an engine.
struct EngineInfo {
  std::int64_t index = -1;
  std::vector<cudnnBackendNumericalNote_t> numerics;
  std::vector<cudnnBackendBehaviorNote_t> behavior;

  bool has(cudnnBackendNumericalNote_t note) const;
  bool has(cudnnBackendBehaviorNote_t note) const;
};
EngineInfo engine_info(const Descriptor& configuration);
/// "TENSOR_CORE, NONDETERMINISTIC", or "none".
std::string numerics_text(const EngineInfo& info);

/// The finalised plan, or nothing where the engine turns the problem or the device down.
std::optional<Descriptor> execution_plan(const Descriptor& configuration, const Device& device);

/// Enqueues `plan` on the stream of `handle`. Nothing is copied, allocated or waited for.
void execute(cudnnHandle_t handle, const Descriptor& plan, void* image, void* filter, void* output, void* workspace);

}  // namespace innerloop::kernels::cudnn
