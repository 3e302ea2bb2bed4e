#include <dlfcn.h>

#include <filesystem>

#include "kernels/cuda/conv_backend.h"

namespace innerloop::kernels::cuda {
namespace {

#if !defined(IL_HOST_EXECUTOR)
constexpr const char* kModule = "libinnerloop_vendor.so";

/// Beside the program, which may have been moved; empty where there is none.
std::string beside_program() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto module = program.parent_path() / kModule;
  return !error && std::filesystem::exists(module, error) ? module.string() : "";
}

std::string load() {
  const std::string beside = beside_program();
  // Never closed: what registered itself stays.
  if (dlopen(beside.empty() ? kModule : beside.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return "";
  const char* const why = dlerror();
  return why != nullptr ? why : "it could not be loaded";
}
#else
std::string load() { return "the host executor loads none"; }
#endif

}  // namespace

const std::string& load_conv_module() {
  static const std::string why_not = load();
  return why_not;
}

}  // namespace innerloop::kernels::cuda
