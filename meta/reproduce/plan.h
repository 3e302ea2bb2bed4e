// The plan of a comparison: for every (ways, fold) which images are tested, which are labelled, which serve unlabelled.
//
// The paper (section Results) says: 10-fold cross-validation, n-way 3 and 4, k-shot 1, 5 and 10. It leaves open what a
// fold means for a method that learns from k images, and what the supervised systems may see. Chosen here, the same for
// all:
//   folds       by patient, over the whole data set at once: the folds of the 3-way and the 4-way problem agree
//   test        every image of the held-out fold that is of one of the problem's classes
//   labelled    k images a class from the other folds, drawn once for all systems; the k of fewer shots are among those
//   of
//               more, and images of different patients come first
//   unlabelled  every image of the other folds, of whatever class ("randomly selects three classes from the whole
//   dataset")
// Determinism: a pure function of (set, folds, options).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/dataset.h"

namespace innerloop::meta::reproduce {

struct PlanOptions {
  std::vector<std::string> classes;  ///< in the order of use: an n-way problem has the first n (classes.h)
  std::vector<std::int64_t> ways = {3, 4}, shots = {1, 5, 10};
  std::int64_t folds = 10;
  std::uint64_t seed = 1;
};

/// k labelled images of each class.
struct LabelledDraw {
  std::int64_t shots = 0;
  std::vector<std::int64_t> images;  ///< [ways * shots] indices into the set, class-major
};

/// One held-out fold of one n-way task.
struct Problem {
  std::int64_t ways = 0, fold = 0;  ///< folds count from 0
  std::vector<std::string> classes;
  std::vector<std::int64_t> test, labelled_pool, unlabelled;  ///< indices into the set, rising
  std::vector<LabelledDraw> labelled;                         ///< by rising shots; those that the pool can supply
};

/// Something that was asked for and is left out of the comparison.
struct Exclusion {
  std::string what, why;
};

struct Plan {
  std::vector<Problem> problems;  ///< by fold, then by ways: a run that is stopped has whole small tables
  std::vector<Exclusion> exclusions;
};

/// `fold_of` [M] in [0, options.folds), or -1 for an image that no fold holds out. Left out by name: a number of ways
/// for which there are too few classes; a fold in which a class has no test image; shots that the training folds cannot
/// supply. Throws Error when nothing is left, or a patient stands on both sides of a fold.
Plan make_plan(const io::ImageSet& set, const std::vector<std::int64_t>& fold_of, const PlanOptions& options);

/// Images of patients who have images of several classes: a label of such an image cannot be trusted.
struct MixedPatients {
  io::ImageSet kept;                ///< the set without them
  std::vector<Exclusion> excluded;  ///< one a patient, naming classes and images
};
MixedPatients set_mixed_patients_aside(const io::ImageSet& set);

}  // namespace innerloop::meta::reproduce
