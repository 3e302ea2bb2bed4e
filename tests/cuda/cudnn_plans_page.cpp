// Prints docs/cudnn_plans.md:  cudnn_plans_page > docs/cudnn_plans.md
#include <cstdio>
#include <exception>

#include "plan_table.h"

int main() {
  try {
    std::fputs(innerloop::kernels::cudnn::plan_page().c_str(), stdout);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cudnn_plans_page: error: %s\n", e.what());
    return 1;
  }
}
