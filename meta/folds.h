// Folds: k-fold cross-validation by patient, stratified by class as far as patients allow. Every system that is
// compared gets the same folds: they are a function of the set's labels and groups, the number of folds and the seed.
//
// Each patient goes whole to one fold's test side. Patients are shuffled, then visited from the one with the most
// images down (where a large patient goes matters most, and late ones fill the gaps); each goes to the fold where it
// brings the images of every class nearest to an equal share: the smallest increase of
//   sum_f sum_c (held_fc - size_c / k)^2 / size_c,
// of equals the fold with fewer images, then the first. Then, while a fold lacks a class, the patient of that class
// whose move costs least of that sum comes to it from a fold that can spare it. This is the idea of scikit-learn's
// StratifiedGroupKFold with the class sizes as weights and coverage of the classes added.
//
// Determinism: integer draws and a fixed order of sums; the same at any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "io/dataset.h"
#include "io/groups.h"

namespace innerloop::meta {

struct FoldOptions {
  std::int64_t folds = 10;  ///< >= 2
  std::uint64_t seed = 1;
};

/// One io::Split a fold: held_out is its test side, train the rest; indices rising. Every image is held out exactly
/// once, no group lies on both sides of any split, and every class with images stands in every held_out (hence in every
/// train). Throws UsageError for fewer than 2 folds; Error, naming the class, its patients and a number of folds that
/// would do, when a class has fewer patients than folds; Error naming class and fold when patients of several classes
/// leave a fold without one.
std::vector<io::Split> make_folds(const io::ImageSet& set, const FoldOptions& options = {});

}  // namespace innerloop::meta
