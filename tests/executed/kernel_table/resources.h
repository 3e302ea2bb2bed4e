// Registers, shared memory and spills of compiled kernels, as ptxas told them when the engine was built.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace innerloop::executed {

/// One kernel, compiled for one generation of GPUs.
struct KernelResources {
  std::string architecture;  ///< "sm_90"
  std::string name;          ///< without namespaces and template arguments
  std::string instance;      ///< with template arguments
  int registers = 0;         ///< a thread
  int shared = 0;            ///< static shared memory of a block, bytes
  int stack = 0;             ///< local memory of a thread, bytes: arrays that found no registers, and spills
  int spill_stores = 0, spill_loads = 0;  ///< bytes
};

/// Reads what cmake/keep_kernel_resources.sh keeps beside each object. `list` names the objects, one a line; those
/// without such a file, the host's, do not matter. Sorted by architecture, then instance. Throws Error when a file says
/// nothing that is understood.
std::vector<KernelResources> read_resources(const std::string& list);

/// Whether a meta-step in float32 spends its time in it: such a kernel must keep to its registers.
bool is_hot(const KernelResources& kernel);

}  // namespace innerloop::executed
