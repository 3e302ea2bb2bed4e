// A picture of drawn tasks: one tile a task, one row a class in it, the support images left of their augmented queries.
#pragma once

#include "io/image.h"
#include "meta/episode.h"

namespace innerloop::meta {

struct SheetOptions {
  std::int64_t ways = 5;
  std::int64_t max_cell = 96;   ///< images with a longer side are shrunk to this
  std::int64_t min_cell = 48;   ///< smaller ones are enlarged by a whole factor to at least this
  std::int64_t columns = 0;     ///< tasks side by side; 0: as many as bring the sheet nearest to 3 by 2
  std::int64_t max_images = 8;  ///< support images, and queries, shown a class
};

/// `tasks` hold f32 images in [0, 1], class-major. Throws Error when ways does not divide their numbers.
io::Image episode_sheet(const TaskBatch& tasks, const SheetOptions& options);

}  // namespace innerloop::meta
