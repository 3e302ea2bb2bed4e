// Who is compared: the systems of the paper's tables 4, 5, 8 and 9, and what the paper does not separate.
//
//   umlf            meta-trained without labels by the paper's Algorithm 1 (`groups`), whose tasks know of the classes
//   umlf_instances  meta-trained on tasks of single images (UMTRA's sampler), which know of nothing
//   untrained       the same network from its random start, adapted in the same way: what meta-training adds to
//   lenet5 .. emcnet   the seven supervised systems
// Not compared, but run beside them, with all labels of the training folds:
//   shortcut_border, shortcut_whole   one small network on the images' border alone, and on whole images (view.h)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/config.h"

namespace innerloop::meta::reproduce {

enum class Learning : std::uint8_t {
  kMetaGroups,     ///< adapts parameters that were meta-trained with the `groups` sampler
  kMetaInstances,  ///< the same with the `instances` sampler
  kUntrained,      ///< adapts random parameters
  kSupervised,     ///< trains on the labelled images
};

enum class View : std::uint8_t {
  kWhole,
  kBorder,  ///< the inner kBlankShare of each side is black (view.h)
};

enum class Labels : std::uint8_t {
  kShots,  ///< the k labelled images a class
  kAll,    ///< every labelled image of the training folds
};

struct Contestant {
  std::string key;    ///< as --systems and the files of units have it
  std::string title;  ///< for readers
  Learning learning = Learning::kSupervised;
  io::System system = io::System::kUmlf;  ///< of kSupervised
  View view = View::kWhole;
  Labels labels = Labels::kShots;

  bool meta_trained() const { return learning == Learning::kMetaGroups || learning == Learning::kMetaInstances; }
  bool compared() const { return labels == Labels::kShots; }
};

/// All that can be compared, in the order of the tables.
const std::vector<Contestant>& all_contestants();
/// The two of the shortcut test.
const std::vector<Contestant>& shortcut_contestants();

/// By `keys`, in the order of the tables; all when empty. Throws UsageError for an unknown one, listing all.
std::vector<Contestant> choose_contestants(const std::vector<std::string>& keys);

/// Whether either list has it.
bool is_contestant(std::string_view key);
/// Of either list. Throws Error when there is none of that name.
const Contestant& contestant(std::string_view key);

}  // namespace innerloop::meta::reproduce
