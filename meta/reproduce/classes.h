// Which classes a 3-way and a 4-way problem have.
//
// The paper: COVID-19, normal and virus in the three-class task; bacteria besides in the four-class one. Sets name
// their classes differently, so each of the four is known by several names; where there is no viral class, one called
// pneumonia takes its place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/dataset.h"

namespace innerloop::meta::reproduce {

/// The classes of a set in the paper's order: COVID-19, normal, viral (or pneumonia), bacterial; where fewer than these
/// four are known by their names, the set's other classes follow in its order until there are four. `asked` replaces
/// the rule: these names in this order. Throws UsageError naming the classes of the set when an asked one is not there
/// or comes twice.
std::vector<std::string> paper_classes(const std::vector<std::string>& set_classes,
                                       const std::vector<std::string>& asked);

/// The paper's name of a class of a set ("covid19" -> "COVID-19"); none where it is not one of the paper's.
std::optional<std::string> paper_name(const std::string& name);

/// The images at `indices` as a set whose classes are `classes`, in this order, and whose labels point into them. Every
/// image must be of one of them.
io::ImageSet with_classes(const io::ImageSet& set, const std::vector<std::int64_t>& indices,
                          const std::vector<std::string>& classes);

}  // namespace innerloop::meta::reproduce
