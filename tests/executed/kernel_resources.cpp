// What the compiler made of the kernels: hot ones live in registers, the tensor-core ones use tensor cores, and none touches memory that a
// kernel ahead of it may still write.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "kernel_table/resources.h"
#include "kernels/cuda/dynamic_shared.h"

namespace innerloop::executed {
namespace {

TEST(KernelResources, HotKernelsKeepToTheirRegisters) {
  std::set<std::string> architectures;
  for (const KernelResources& k : read_resources(IL_KERNEL_OBJECTS)) {
    architectures.insert(k.architecture);
    if (!is_hot(k)) continue;
    EXPECT_EQ(k.stack, 0) << k.architecture << " " << k.instance << ": " << k.stack << " bytes of local memory a thread, "
                          << k.spill_stores << " spilled";
  }
  EXPECT_GE(architectures.size(), 1u);
}

TEST(KernelResources, AreThoseOfEveryFamily) {
  std::map<std::string, int> instances;
  for (const KernelResources& k : read_resources(IL_KERNEL_OBJECTS)) {
    EXPECT_GT(k.registers, 0) << k.instance;
    EXPECT_LE(k.registers, 255) << k.instance;
    ++instances[k.name];
  }
  for (const char* name : {"conv_forward_kernel", "norm_fused_kernel", "product_kernel", "adam_list_kernel"})
    EXPECT_GT(instances[name], 0) << name;
}

/// A launch does not know a kernel's static shared memory, and asks for none where the dynamic one is small enough for it to have room beside.
TEST(KernelResources, StaticSharedMemoryFitsBesideWhatALaunchDoesNotAskFor) {
  int with = 0;
  for (const KernelResources& k : read_resources(IL_KERNEL_OBJECTS)) {
    const bool has_dynamic = k.name != "product_kernel";  // matmul.cu launches it without
    EXPECT_LE(k.shared, static_cast<int>(kernels::cuda::kSharedUnasked - (has_dynamic ? kernels::cuda::kDynamicSharedUnasked : 0)))
        << k.architecture << " " << k.instance;
    with += k.shared > 0 ? 1 : 0;
  }
  EXPECT_GT(with, 0);
}

/// What the machine code of a kernel shows.
struct MachineCode {
  int tensor_products = 0;       ///< HMMA
  bool waits = false;            ///< for the grid ahead (griddepcontrol.wait)
  std::string ahead_of_the_wait; ///< the first access to memory that does not wait
  int constant_loads = 0;        ///< which may not see what another block of the launch wrote (LDG...CONSTANT)
  int sleeps = 0;                ///< until another block has done something
};

/// Of each kernel in an object as compiled for one architecture ("sm_90"), by its mangled name.
using MachineCodes = std::map<std::string, MachineCode>;
MachineCodes disassembled(const std::string& object, const std::string& architecture) {
  MachineCodes kernels;
  FILE* const pipe = popen(("'" IL_CUOBJDUMP "' -sass -arch " + architecture + " '" + object + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return kernels;
  std::array<char, 4096> line;
  MachineCode* kernel = nullptr;
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    const std::string_view text = line.data();
    const auto holds = [&](const char* instruction) { return text.find(instruction) != std::string_view::npos; };
    if (const auto at = text.find("Function : "); at != std::string_view::npos) kernel = &kernels[std::string(text.substr(at + 11))];
    if (kernel == nullptr) continue;
    if (holds(" HMMA.")) ++kernel->tensor_products;
    if (holds(" ACQBULK")) kernel->waits = true;
    if (holds(" LDG.") && holds(".CONSTANT")) ++kernel->constant_loads;
    if (holds(" NANOSLEEP")) ++kernel->sleeps;
    if (!kernel->waits && kernel->ahead_of_the_wait.empty() &&
        (holds(" LDG") || holds(" STG") || holds(" LD.E") || holds(" ST.E") || holds(" ATOM") || holds(" RED.")))
      kernel->ahead_of_the_wait = text;
  }
  pclose(pipe);
  return kernels;
}

/// Of all kernels, each object taken apart once.
const MachineCodes& machine_code(const std::string& architecture) {
  static std::map<std::string, MachineCodes> known;
  const auto [entry, is_new] = known.try_emplace(architecture);
  if (!is_new) return entry->second;
  std::ifstream objects(IL_KERNEL_OBJECTS);
  for (std::string object; std::getline(objects, object);)
    if (object.find(".cu.o") != std::string::npos) entry->second.merge(disassembled(object, architecture));
  return entry->second;
}

/// Those of convolutions.
MachineCodes convolutions(const std::string& architecture) {
  MachineCodes found;
  for (const auto& [kernel, code] : machine_code(architecture))
    if (kernel.find("conv_") != std::string::npos) found[kernel] = code;
  return found;
}

const char* const kNoDisassembler = "cuobjdump was not found: the machine code is not looked into; name it with -DIL_CUOBJDUMP=PATH";
bool no_disassembler() { return std::string(IL_CUOBJDUMP).empty(); }

TEST(KernelResources, NothingIsTouchedAheadOfTheWaitForTheGridAhead) {
  if (no_disassembler()) GTEST_SKIP() << kNoDisassembler;
  const MachineCodes& kernels = machine_code("sm_90");
  for (const auto& [name, code] : kernels) {
    EXPECT_TRUE(code.waits) << name << "begins without grid_dependency_sync() (kernels/cuda/device.cuh)";
    EXPECT_EQ(code.ahead_of_the_wait, "") << name;
    EXPECT_EQ(code.constant_loads, 0) << name << "is there while the kernel ahead of it writes what it will read";
  }
  EXPECT_GT(kernels.size(), 100u);
}

TEST(KernelResources, StagesOfALaunchReadWhatOtherBlocksOfItWrote) {
  if (no_disassembler()) GTEST_SKIP() << kNoDisassembler;
  for (const char* architecture : {"sm_80", "sm_90"}) {
    int staged = 0;
    for (const auto& [kernel, code] : convolutions(architecture)) {
      const bool stages = kernel.find("Staged") != std::string::npos;  // by its parameter
      EXPECT_EQ(code.sleeps > 0, stages) << architecture << " " << kernel;
      if (!stages) continue;
      EXPECT_EQ(code.constant_loads, 0) << architecture << " " << kernel;
      ++staged;
    }
    EXPECT_EQ(staged, 2 + 4 + 2 + 2) << architecture;
  }
}

TEST(KernelResources, TensorCoreTilesAreTensorCoreInstructions) {
  if (no_disassembler()) GTEST_SKIP() << kNoDisassembler;
  for (const char* architecture : {"sm_80", "sm_90"}) {
    const MachineCodes kernels = convolutions(architecture);
    const auto instances = [&](const char* name, const char* tile, bool with_tensor_cores) {
      int count = 0;
      for (const auto& [kernel, code] : kernels) {
        if (kernel.find(name) == std::string::npos || kernel.find(tile) == std::string::npos) continue;
        EXPECT_EQ(code.tensor_products > 0, with_tensor_cores) << architecture << " " << kernel;
        ++count;
      }
      EXPECT_GT(count, 0) << architecture << " " << name << " with " << tile;
    };
    for (const char* direction : {"conv_forward_kernel", "conv_input_grad_kernel", "conv_weight_grad_kernel"}) {
      instances(direction, "MmaTile", true);
      instances(direction, "FfmaTile", false);
    }
    instances("conv_norm_kernel", "MmaTile", true);
    for (const char* tiles : {"conv_spatial_kernel", "conv_spatial_norm_kernel", "conv_spatial_weight_kernel", "conv_spatial_grads_kernel",
                              "conv_made_grads_kernel", "conv_grads_kernel"})
      instances(tiles, "", true);
  }
}

}  // namespace
}  // namespace innerloop::executed
