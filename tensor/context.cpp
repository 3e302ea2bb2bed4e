#include "tensor/context.h"

#include <cstdlib>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "tensor/cpu_targets.h"
#include "tensor/error.h"

namespace innerloop {
namespace {

thread_local Context* t_current = nullptr;

#if defined(__x86_64__)
/// Tiles are 8 KiB of state that Linux saves for a process only when it has asked for them (arch/x86/include/uapi/asm/prctl.h).
bool tiles_permitted() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static const bool permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return permitted;
#else
  return false;
#endif
}
#endif

Target detect() {
  if (const char* forced = std::getenv("IL_SIMD"); forced != nullptr && *forced != '\0') {
    for (Target t : {Target::kAmx, Target::kAvx512, Target::kAvx2, Target::kPortable}) {
      if (name_of(t) != forced) continue;
      if (!cpu_has(t)) fail_usage("IL_SIMD={}: this CPU does not have it; unset IL_SIMD to let the engine choose", forced);
      return t;
    }
    fail_usage("IL_SIMD={}: unknown instruction set; use amx, avx512, avx2 or portable", forced);
  }
  for (Target t : {Target::kAmx, Target::kAvx512, Target::kAvx2})
    if (cpu_has(t)) return t;
  return Target::kPortable;
}

}  // namespace

Winograd winograd_wanted() {
  const char* const said = std::getenv("IL_WINOGRAD");
  const std::string_view answer = said == nullptr ? "" : said;
  if (answer == "off") return Winograd::kOff;
  if (answer == "small") return Winograd::kSmallTiles;
  if (answer != "" && answer != "on") fail_usage("IL_WINOGRAD={}: use on, small or off", answer);
  return Winograd::kOn;
}

std::string_view name_of(Target target) {
  switch (target) {
    case Target::kPortable: return "portable";
    case Target::kAvx2: return "avx2";
    case Target::kAvx512: return "avx512";
    case Target::kAmx: return "amx";
    case Target::kCuda: return "cuda";
  }
  return "?";
}

bool cpu_has(Target target) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (target) {
    case Target::kPortable: return true;
    case Target::kAvx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Target::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Target::kAmx:
      return cpu_has(Target::kAvx512) && __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
             tiles_permitted();
    case Target::kCuda: return false;
  }
  return false;
#else
  return target == Target::kPortable;
#endif
}

std::vector<Target> cpu_targets() {
  std::vector<Target> found;
  for (Target t : {Target::kPortable, Target::kAvx2, Target::kAvx512, Target::kAmx})
    if (cpu_has(t)) found.push_back(t);
  return found;
}

Target cpu_target() {
  static const Target target = detect();
  return target;
}

Context::Context(int threads, Target target)
    : device_(target == Target::kCuda ? default_device() : nullptr),
      arena_(Arena::create(device_)),
      host_arena_(device_ != nullptr ? Arena::create() : arena_),
      target_(target) {
  IL_CHECK(device_ != nullptr || cpu_has(target), "this CPU does not have the instruction set {}", name_of(target));
  if (device_ != nullptr) threads = 1;
  if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  threads_ = std::make_unique<ThreadPool>(threads);
}

Context::Context(std::shared_ptr<Device> device)
    : device_(std::move(device)),
      arena_(Arena::create(device_)),
      host_arena_(Arena::create()),
      threads_(std::make_unique<ThreadPool>(1)),
      target_(Target::kCuda) {}

Context& Context::current() {
  if (t_current != nullptr) return *t_current;
  static Context process_wide;
  return process_wide;
}

ContextScope::ContextScope(Context& context) : previous_(t_current) { t_current = &context; }
ContextScope::~ContextScope() { t_current = previous_; }

}  // namespace innerloop
