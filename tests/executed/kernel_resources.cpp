// What the compiler made of the kernels: hot ones live in registers, and the tensor-core ones use tensor cores.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <set>

#include "kernel_table/resources.h"

namespace innerloop::executed {
namespace {

TEST(KernelResources, HotKernelsKeepToTheirRegisters) {
  std::set<std::string> architectures;
  for (const KernelResources& k : read_resources(IL_KERNEL_OBJECTS)) {
    architectures.insert(k.architecture);
    if (!is_hot(k)) continue;
    EXPECT_LE(k.stack, allowed_stack(k)) << k.architecture << " " << k.instance << ": " << k.stack
                                         << " bytes of local memory a thread, " << k.spill_stores << " spilled";
  }
  EXPECT_GE(architectures.size(), 1u);
}

TEST(KernelResources, DebtsThatArePaidAreStruckOff) {
  for (const KernelResources& k : read_resources(IL_KERNEL_OBJECTS)) {
    EXPECT_GE(k.stack, allowed_stack(k)) << k.architecture << " " << k.instance << ": lower its line in kDebts to "
                                         << k.stack;
  }
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

/// HMMA instructions of each convolution kernel in an object, by the kernel's mangled name.
std::map<std::string, int> tensor_instructions(const std::string& object) {
  std::map<std::string, int> counts;
  FILE* const pipe = popen(("'" IL_CUOBJDUMP "' -sass '" + object + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return counts;
  std::array<char, 4096> line;
  int* count = nullptr;
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    const std::string text = line.data();
    if (const auto at = text.find("Function : "); at != std::string::npos) count = &counts[text.substr(at + 11)];
    if (count != nullptr && text.find(" HMMA.") != std::string::npos) ++*count;
  }
  pclose(pipe);
  return counts;
}

TEST(KernelResources, TensorCoreTilesAreTensorCoreInstructions) {
  if (std::string(IL_CUOBJDUMP).empty())
    GTEST_SKIP() << "cuobjdump was not found: the machine code is not looked into; name it with -DIL_CUOBJDUMP=PATH";
  for (const char* direction : {"conv_forward", "conv_input_grad", "conv_weight_grad"}) {
    int with = 0, without = 0;
    for (const auto& [kernel, instructions] :
         tensor_instructions(std::string(IL_OBJECT_FOLDER "/") + direction + ".cu.o")) {
      if (kernel.find("MmaTile") != std::string::npos) {
        EXPECT_GT(instructions, 0) << kernel;
        ++with;
      } else {
        EXPECT_EQ(instructions, 0) << kernel;
        ++without;
      }
    }
    EXPECT_GT(with, 0) << direction;
    EXPECT_GT(without, 0) << direction;
  }
  for (const char* tiles : {"conv_spatial", "conv_spatial_weight"}) {
    const auto kernels = tensor_instructions(std::string(IL_OBJECT_FOLDER "/") + tiles + ".cu.o");
    EXPECT_FALSE(kernels.empty()) << tiles;
    for (const auto& [kernel, instructions] : kernels) EXPECT_GT(instructions, 0) << kernel;
  }
}

}  // namespace
}  // namespace innerloop::executed
