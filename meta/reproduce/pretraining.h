// CovXNet's first stage in a comparison: pneumonia against normal, on every image of the training folds that is not
// COVID-19.
//
// Source: Mahmud, Rahman, Fattah, "CovXNet", Computers in Biology and Medicine 122:103869, 2020: trained first on a
// large set of normal and non-COVID pneumonia images, then all layers fine-tuned on a smaller one that has COVID-19. So
// it sees labels that no other system of the comparison sees; every unit says how many.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "io/config.h"
#include "io/dataset.h"
#include "meta/reproduce/plan.h"
#include "meta/supervised.h"

namespace innerloop::meta::reproduce {

struct Pretraining {
  Weights weights;  ///< of the two-class network; empty where there was nothing to learn from
  std::int64_t labels = 0;
  double seconds = 0;
  std::string note;  ///< what was seen, or why nothing was
};

/// By config.supervised, pretrain_iterations long; none when stopped.
std::optional<Pretraining> pretrain(const io::ImageSet& set, const Problem& problem, const io::Config& config,
                                    const std::atomic<bool>* stop);

/// `pretrained` in a network of other classes: every layer but the last dense one, which starts anew.
Weights transferred(const Weights& pretrained, const nn::Classifier& network, const SupervisedOptions& options);

}  // namespace innerloop::meta::reproduce
