// EMCNet's second half: random forest, support vector machine, decision tree and AdaBoost on the features of its
// network, joined by majority vote. The four are OpenCV's (ml module).
//
// Source: Saha, Sadi, Islam, "EMCNet", Informatics in Medicine Unlocked 22:100505, 2021. The publication classifies two
// classes; its settings are not known to us, and ours are below, the same for every data set.
//   features       standardised by the training images' mean and deviation
//   random forest  100 trees of depth at most 10, sqrt(F) features a split
//   SVM            C-SVC, C = 1, radial kernel with gamma = 1 / F, one against one
//   decision tree  depth at most 10, not pruned
//   AdaBoost       100 stumps of Real AdaBoost; OpenCV's knows two classes, so there is one for each class against the
//                  rest, and the class of the largest sum has the vote
// The vote: the class of most votes; of classes with equally many, the one that more of the forest's trees are for,
// then the first. Probabilities: p_c = (votes_c + t_c / 2) / 4.5 with t_c the share of the forest's trees that are for
// c: the largest is the vote's class, and images with the same votes can still be ranked. Determinism: OpenCV's
// generator is started from a fixed seed; the same features give the same classifiers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace innerloop::meta {

class Ensemble {
 public:
  /// Fits all four on features f32 [N, F] with labels in [0, ways). Throws Error when a class has no row, or when
  /// innerloop was built without OpenCV.
  static std::shared_ptr<const Ensemble> fit(const Tensor& features, const std::vector<std::int32_t>& labels,
                                             std::int64_t ways);

  /// From the text that save() gave. Throws Error naming `source` when it is not one.
  static std::shared_ptr<const Ensemble> load(const std::string& text, const std::string& source);
  std::string save() const;

  /// The vote of each classifier [N * 4]: forest, SVM, tree, AdaBoost.
  std::vector<std::int32_t> votes(const Tensor& features) const;
  /// f32 [N, ways]; the largest of a row is the vote's class.
  Tensor probabilities(const Tensor& features) const;

  Ensemble(const Ensemble&) = delete;
  Ensemble& operator=(const Ensemble&) = delete;
  ~Ensemble();

 private:
  struct Impl;
  explicit Ensemble(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace innerloop::meta
