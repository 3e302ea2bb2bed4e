// Prints the table of traffic; the whole page comes with a later commit.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "traffic_row.h"

int main() {
  using namespace innerloop::executed;
  try {
    for (const TrafficRow& r : traffic_rows())
      fmt::print("| {} | {} | {} | {} | {} | {} | {:.2f} | {} | {} |\n", r.op, r.shape, r.kernels, r.launches, r.needed,
                 r.moved, r.ratio(), r.conflicts, r.shared);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kernel_table: error: %s\n", e.what());
    return 1;
  }
}
