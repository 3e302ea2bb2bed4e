// What the compiler made of the kernels: hot ones live in registers, the tensor-core ones use tensor cores, and none touches memory that a
// kernel ahead of it may still write.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>

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

/// Of each kernel in an object, by its mangled name; `architecture` as in "sm_90", or empty for all one after another.
std::map<std::string, MachineCode> machine_code(const std::string& object, const std::string& architecture = "") {
  std::map<std::string, MachineCode> kernels;
  const std::string only = architecture.empty() ? "" : " -arch " + architecture;
  FILE* const pipe = popen(("'" IL_CUOBJDUMP "' -sass" + only + " '" + object + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return kernels;
  std::array<char, 4096> line;
  MachineCode* kernel = nullptr;
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    const std::string text = line.data();
    const auto holds = [&](const char* instruction) { return text.find(instruction) != std::string::npos; };
    if (const auto at = text.find("Function : "); at != std::string::npos) kernel = &kernels[text.substr(at + 11)];
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

const char* const kNoDisassembler = "cuobjdump was not found: the machine code is not looked into; name it with -DIL_CUOBJDUMP=PATH";
bool no_disassembler() { return std::string(IL_CUOBJDUMP).empty(); }

TEST(KernelResources, NothingIsTouchedAheadOfTheWaitForTheGridAhead) {
  if (no_disassembler()) GTEST_SKIP() << kNoDisassembler;
  std::ifstream objects(IL_KERNEL_OBJECTS);
  int kernels = 0;
  for (std::string object; std::getline(objects, object);) {
    if (object.find(".cu.o") == std::string::npos) continue;
    for (const auto& [name, code] : machine_code(object, "sm_90")) {
      EXPECT_TRUE(code.waits) << name << "begins without grid_dependency_sync() (kernels/cuda/device.cuh)";
      EXPECT_EQ(code.ahead_of_the_wait, "") << name;
      EXPECT_EQ(code.constant_loads, 0) << name << "is there while the kernel ahead of it writes what it will read";
      ++kernels;
    }
  }
  EXPECT_GT(kernels, 100);
}

TEST(KernelResources, StagesOfALaunchReadWhatOtherBlocksOfItWrote) {
  if (no_disassembler()) GTEST_SKIP() << kNoDisassembler;
  int staged = 0;
  for (const char* convolution : {"conv_forward", "conv_spatial", "conv_spatial_grads", "conv_grads"}) {
    for (const auto& [kernel, code] : machine_code(std::string(IL_OBJECT_FOLDER "/") + convolution + ".cu.o")) {
      const bool stages = kernel.find("Staged") != std::string::npos;  // by its parameter
      EXPECT_EQ(code.sleeps > 0, stages) << kernel;
      if (!stages) continue;
      EXPECT_EQ(code.constant_loads, 0) << kernel;
      ++staged;
    }
  }
  EXPECT_EQ(staged, 2 + 4 + 2 + 2);  // their names, of whichever architecture
}

TEST(KernelResources, TensorCoreTilesAreTensorCoreInstructions) {
  if (no_disassembler()) GTEST_SKIP() << kNoDisassembler;
  for (const char* direction : {"conv_forward", "conv_input_grad", "conv_weight_grad"}) {
    int with = 0, without = 0;
    for (const auto& [kernel, code] : machine_code(std::string(IL_OBJECT_FOLDER "/") + direction + ".cu.o")) {
      if (kernel.find("MmaTile") != std::string::npos) {
        EXPECT_GT(code.tensor_products, 0) << kernel;
        ++with;
      } else {
        EXPECT_EQ(code.tensor_products, 0) << kernel;
        ++without;
      }
    }
    EXPECT_GT(with, 0) << direction;
    EXPECT_GT(without, 0) << direction;
  }
  for (const char* tiles : {"conv_spatial", "conv_spatial_weight", "conv_spatial_grads", "conv_made_grads", "conv_grads"}) {
    const auto kernels = machine_code(std::string(IL_OBJECT_FOLDER "/") + tiles + ".cu.o");
    EXPECT_FALSE(kernels.empty()) << tiles;
    for (const auto& [kernel, code] : kernels) EXPECT_GT(code.tensor_products, 0) << kernel;
  }
}

}  // namespace
}  // namespace innerloop::executed
