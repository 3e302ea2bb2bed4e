#include "resources.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <tuple>

#include "kernels/cuda/host/diagnostics.h"
#include "tensor/error.h"

namespace innerloop::executed {
namespace {

constexpr const char* kHot[] = {
    "conv_forward_kernel", "conv_input_grad_kernel", "conv_weight_grad_kernel", "conv_grads_kernel", "head_loss_kernel",
    "head_loss_jvp_kernel", "norm_fused_kernel", "norm_partial_kernel", "norm_write_kernel", "product_kernel",
    "loss_forward_kernel", "loss_grad_kernel", "loss_grad_jvp_kernel", "sgd_list_kernel", "adam_list_kernel",
    "mean_list_kernel", "squares_list_kernel", "draw_tasks_kernel", "gather_augment_kernel", "reduce_columns_kernel",
    "scatter_parts_kernel", "draw_episodes_kernel", "outer_update_kernel", "conv_spatial_kernel", "conv_spatial_weight_kernel",
    "conv_norm_kernel", "conv_spatial_norm_kernel", "conv_spatial_grads_kernel", "norm_conv_spatial_grads_kernel", "norm_conv_grads_kernel",
    "conv_made_grads_kernel", "images_forward_kernel", "images_gradient_kernel", "images_tangent_kernel", "patch_moments_kernel",
};

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 ? text.get() : name;
}

/// "norm_fused_kernel<TangentPass<float, 4, 2> >": no namespace is left, the compiler's own for a file neither.
std::string short_instance(const std::string& mangled) {
  static const std::regex scope(R"((\w+|\(anonymous namespace\))::)");
  return std::regex_replace(host_executor::unqualified(demangled(mangled)), scope, "");
}

int number(const std::string& line, const std::regex& pattern) {
  std::smatch match;
  return std::regex_search(line, match, pattern) ? std::atoi(match[1].str().c_str()) : 0;
}

void read_file(const std::string& path, std::vector<KernelResources>& all) {
  static const std::regex entry(R"re(Compiling entry function '([^']*)' for '([^']*)')re"),
      registers(R"(Used (\d+) registers)"), shared(R"((\d+) bytes smem)"), stack(R"((\d+) bytes stack frame)"),
      stores(R"((\d+) bytes spill stores)"), loads(R"((\d+) bytes spill loads)");
  std::ifstream file(path);
  KernelResources kernel;
  bool open = false;
  int frames = 0;  // a kernel may call functions that were not inlined, which have lines of their own
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) {
      IL_CHECK(!open, "{}: ptxas said nothing of {}", path, kernel.instance);
      kernel = {};
      kernel.architecture = match[2];
      kernel.instance = short_instance(match[1]);
      kernel.name = kernel.instance.substr(0, kernel.instance.find('<'));
      open = true, frames = 0;
    } else if (open && line.find("bytes stack frame") != std::string::npos) {
      kernel.stack = std::max(kernel.stack, number(line, stack));
      kernel.spill_stores += number(line, stores), kernel.spill_loads += number(line, loads);
      ++frames;
    } else if (open && std::regex_search(line, registers)) {
      IL_CHECK(frames > 0, "{}: ptxas said nothing of the stack of {}", path, kernel.instance);
      kernel.registers = number(line, registers), kernel.shared = number(line, shared);
      all.push_back(kernel);
      open = false;
    }
  }
  IL_CHECK(!open, "{}: ptxas said nothing of {}", path, kernel.instance);
}

}  // namespace

std::vector<KernelResources> read_resources(const std::string& list) {
  std::ifstream objects(list);
  IL_CHECK(objects.good(), "{}: the list of objects is missing", list);
  std::vector<KernelResources> all;
  for (std::string object; std::getline(objects, object);) read_file(object + ".resources", all);
  IL_CHECK(!all.empty(), "{}: no kernel found; build il_cuda_archive first", list);
  const auto key = [](const KernelResources& k) { return std::tie(k.architecture, k.instance); };
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  // A template that several sources use is compiled in each.
  all.erase(std::unique(all.begin(), all.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
            all.end());
  return all;
}

bool is_hot(const KernelResources& kernel) {
  return std::find(std::begin(kHot), std::end(kHot), kernel.name) != std::end(kHot) &&
         kernel.instance.find("double") == std::string::npos;
}

}  // namespace innerloop::executed
