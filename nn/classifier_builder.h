// ClassifierBuilder: a classifier layer by layer. It keeps track of the map's shape, so that every layer knows its
// parameters and the layer table fills itself; what the networks of nn/systems are written with.
//
// Each call adds one layer (one line of the table) and returns the builder. A layer that an image is too small for
// throws Error naming the network, the layer and the side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "autograd/ops/batch_norm.h"
#include "nn/classifier.h"

namespace innerloop::nn {

enum class Activation : std::uint8_t { kNone, kRelu, kTanh };

Var activate(Activation activation, const Var& x);

struct ConvLayer {
  std::int64_t filters = 1, kernel = 3, stride = 1;
  std::int64_t pad = 0;  ///< rows and columns of zeros on each side
  std::int64_t groups = 1, dilation = 1;
  Activation activation = Activation::kRelu;
};

/// The places of a convolution's weight [R, S, C/groups, K] and bias [K].
struct ConvPlace {
  std::size_t weight, bias;
  ConvLayer layer;
};

/// The places of a batch norm's scale and shift [K], and of its statistics.
struct NormPlace {
  std::size_t scale, shift, statistics;
};

class ClassifierBuilder {
 public:
  ClassifierBuilder(std::string name, std::string source, Shape image, std::int64_t ways,
                    std::optional<double> dropout_for_all = {});

  /// [H, W, C] of the map, or [F] after it has been read.
  const Shape& shape() const { return shape_; }

  /// Convolution, bias, activation.
  ClassifierBuilder& conv(const std::string& name, const ConvLayer& layer);
  /// By the batch's statistics in training, by the running ones in evaluation; epsilon 1e-3.
  ClassifierBuilder& batch_norm(const std::string& name);
  ClassifierBuilder& response_norm(const std::string& name, const autograd::ResponseNormOptions& options);
  ClassifierBuilder& max_pool(const std::string& name, std::int64_t window, std::int64_t stride);
  ClassifierBuilder& average_pool(const std::string& name, std::int64_t window);
  /// A map larger than side x side to that size; a smaller one stays as it is.
  ClassifierBuilder& adaptive_pool(const std::string& name, std::int64_t side);
  ClassifierBuilder& global_average(const std::string& name);
  /// The builder's rate for all dropout layers replaces `rate` where it is given.
  ClassifierBuilder& dropout(const std::string& name, double rate);
  /// The map's values in the order H, W, C.
  ClassifierBuilder& flatten();
  ClassifierBuilder& dense(const std::string& name, std::int64_t units, Activation activation);
  /// The map read as a sequence of its H W places, row by row; the last hidden state goes on.
  ClassifierBuilder& lstm(const std::string& name, std::int64_t units);
  ClassifierBuilder& recurrent(const std::string& name, std::int64_t units);
  /// A layer of its own: it becomes `row` and gives what `apply` makes of the map.
  ClassifierBuilder& layer(const LayerRow& row, LayerFunction apply);

  /// The last dense layer; what it reads is ClassifierOutput::features.
  Classifier output();

  // For layers that are made outside: their parameters, and how to run what they belong to.
  std::size_t parameter(const std::string& name, const Shape& shape, Start start, double fan_in = 1,
                        double fan_out = 1);
  ConvPlace conv_place(const std::string& name, const ConvLayer& layer, std::int64_t channels);
  NormPlace norm_place(const std::string& name, std::int64_t channels);
  /// Learned values of the parameters from place `begin` on.
  std::int64_t parameters_since(std::size_t begin) const;
  std::size_t places() const { return parts_.parameters.size(); }

 private:
  /// The extents of a map after windows of `window` at `stride`; throws when not one fits.
  std::int64_t windows(const std::string& name, std::int64_t in, std::int64_t window, std::int64_t stride) const;
  void need_map(const std::string& name) const;

  ClassifierParts parts_;
  Shape shape_;
  std::optional<double> dropout_for_all_;
};

/// Convolution and bias, without the activation.
Var apply_conv(const LayerCall& call, const ConvPlace& place, const Var& x);
/// In training also writes the batch's statistics into call.out.batch.
Var apply_norm(const LayerCall& call, const NormPlace& place, const Var& x);

}  // namespace innerloop::nn
