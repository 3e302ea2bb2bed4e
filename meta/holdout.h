// Which part of a data set trains and which is kept for evaluation.
#pragma once

#include <string>

#include "io/config.h"
#include "io/dataset.h"

namespace innerloop::meta {

struct DataSplit {
  io::ImageSet train;
  io::ImageSet held_out;    ///< no image when nothing is held out
  std::string description;  ///< one line: what was held out and by which rule
};

/// By data.holdout, the share kept for evaluation, and run.seed:
///   classes   whole classes, where no patients are named, the share of the classes is at least eval.ways, and training
///   keeps
///             at least max(task.ways, eval.ways): the few-shot protocol, whose evaluation asks for classes never seen
///   groups    else whole groups (patients, or images where no groups are known) of every class
/// Throws Error when either side would be empty.
DataSplit split_data(const io::ImageSet& set, const io::Config& config);

/// Whole groups of every class, whatever the names of patients and numbers of classes: for systems that learn classes.
DataSplit split_groups(const io::ImageSet& set, const io::Config& config);

}  // namespace innerloop::meta
