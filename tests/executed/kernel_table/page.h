// docs/kernels.md: launches, traffic and resources as one page, and the check of the traffic on it.
#pragma once

#include <string>
#include <vector>

#include "resources.h"
#include "traffic_row.h"

namespace innerloop::executed {

std::string kernel_page(const std::vector<TrafficRow>& traffic, const std::vector<KernelResources>& resources,
                        const std::string& compiler);

/// What is worse than on the page, one line each: bytes moved or bank conflicts that grew by more than 2 %, rows that
/// the page or the program does not have. Empty when all is well.
std::vector<std::string> compare_traffic(const std::string& page, const std::vector<TrafficRow>& traffic);

}  // namespace innerloop::executed
