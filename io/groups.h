// Patients: which images belong to one person, and splits that never put a person on both sides.
//
// A groups file is CSV (RFC 4180: quotes, doubled quotes, line breaks inside quotes, CRLF) with a header row:
//   file             needed: the file's name, or its path relative to the data set
//   class, set       optional, narrow the match: the image's class; the data set's folder name (told apart only when
//   some
//                    row carries the name of this data set)
//   group | patient  the group's name; where neither exists, original_name (below)
//   source           optional, with original_name: keeps equal names of two sources apart
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset.h"

namespace innerloop::io {

/// Sets groups, group_names and ungrouped of `set` from the CSV at `path`. Groups are numbered by first appearance in
/// image order; an image without a row becomes its own group, named by its file. Throws Error naming file and line: a
/// missing column, a ragged row, an open quote, rows that put one image into two groups; no row that fits any image.
void apply_groups(ImageSet& set, const std::string& path);

/// The same from names: patients[i] is image i's, "" where it is unknown. Where all are unknown each image is a group of
/// its own and none counts as ungrouped.
void set_patients(ImageSet& set, std::span<const std::string> patients);

struct SplitPatient {
  std::string name;
  std::vector<std::string> classes;  ///< two or more, in the set's order
};
/// Patients with images in several classes, in the order of their first image. They are no error (a patient may fall ill),
/// but a reader should know.
std::vector<SplitPatient> patients_in_several_classes(const ImageSet& set);

/// The patient behind an original file name, where public chest X-ray sets name files by patient. In this order:
///   person123_bacteria_45.jpeg               -> person123           person + number
///   NORMAL2-IM-0007-0001.jpeg                -> NORMAL2-IM-0007     .. IM- + number: what follows counts the images
///   00000013_005.png                         -> 00000013            8 digits, _, number: a follow-up
///   a UUID or a DICOM UID                    -> the whole stem
///   ryct.2020200034.fig5-day4.jpeg           -> ryct.2020200034.fig5   else the stem without trailing marks of day,
///   nejmoa2001191_f1-PA.jpeg, COVID-00003b   -> .._f1, COVID-00003      view, side or panel, as many as there are
/// A doubtful pair is told to be one patient rather than two: a split may lose a little balance, never leak.
std::string patient_of(std::string_view original_name);

struct Split {
  std::vector<std::int64_t> train, held_out;  ///< image indices, rising
};

/// Keeps about `share` of each class for evaluation, by whole groups. Groups are visited in an order drawn from
/// (seed, Stream::kHoldout) and kept when that brings the held-out count of the classes nearer to share times their
/// size (squared distance over class size). share = 0 holds nothing out. Throws UsageError for a share outside [0, 1);
/// Error when the groups are too few or too large to leave images on both sides.
Split split_holdout(const ImageSet& set, double share, std::uint64_t seed);

}  // namespace innerloop::io
