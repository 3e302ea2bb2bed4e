#include "kernels/cuda/host/fiber.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tensor/error.h"

#if !defined(__x86_64__) && !defined(IL_FIBER_UCONTEXT)
#define IL_FIBER_UCONTEXT 1
#endif
#if defined(IL_FIBER_UCONTEXT)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(IL_FIBER_UCONTEXT)
// void il_fiber_switch(void** save_stack_pointer, void* load_stack_pointer)
// Leaves by a jump, not by `ret`: the return would always be mispredicted, since it belongs to another stack.
extern "C" void il_fiber_switch(void** save_stack_pointer, void* load_stack_pointer);
asm(R"(
  .text
  .p2align 4
  .globl il_fiber_switch
  .hidden il_fiber_switch
  .type il_fiber_switch, @function
il_fiber_switch:
  subq $48, %rsp
  movq %rbx, 40(%rsp)
  movq %rbp, 32(%rsp)
  movq %r12, 24(%rsp)
  movq %r13, 16(%rsp)
  movq %r14, 8(%rsp)
  movq %r15, (%rsp)
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  movq (%rsp), %r15
  movq 8(%rsp), %r14
  movq 16(%rsp), %r13
  movq 24(%rsp), %r12
  movq 32(%rsp), %rbp
  movq 40(%rsp), %rbx
  movq 48(%rsp), %rdx
  addq $56, %rsp
  jmpq *%rdx
  .size il_fiber_switch, . - il_fiber_switch
)");
#endif

namespace innerloop::host_executor {

struct Fiber::Context {
#if defined(IL_FIBER_UCONTEXT)
  ucontext_t registers{};
#else
  void* stack_pointer = nullptr;
#endif
};

Fiber::Fiber() : context_(std::make_unique<Context>()) {}

Fiber::Fiber(void (*entry)(), unsigned slot) : context_(std::make_unique<Context>()), entry_(entry), slot_(slot) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, kFiberStackBytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      -1, 0);
  IL_CHECK(memory != MAP_FAILED && mprotect(memory, page, PROT_NONE) == 0,
           "host executor: no memory for a thread's stack ({}); raise the limit on memory or run fewer threads a block",
           std::strerror(errno));
  stack_ = static_cast<char*>(memory) + page;
  stack_bytes_ = kFiberStackBytes;
  reset();
}

Fiber::~Fiber() {
  if (entry_ == nullptr) return;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  munmap(stack_ - page, stack_bytes_ + page);
}

void Fiber::reset() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack_, stack_bytes_);
  fake_stack_ = nullptr;
#endif
  char* top = stack_ + stack_bytes_ - 64 - std::size_t{slot_ % 32} * 128;
#if defined(IL_FIBER_UCONTEXT)
  getcontext(&context_->registers);
  context_->registers.uc_stack.ss_sp = stack_;
  context_->registers.uc_stack.ss_size = static_cast<std::size_t>(top - stack_);
  context_->registers.uc_link = nullptr;
  makecontext(&context_->registers, entry_, 0);
#else
  // What il_fiber_switch takes off: six registers, the address to go to; then a null return address ends every backtrace.
  constexpr std::size_t kRegisters = 6;
  auto* slots = reinterpret_cast<void**>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15}) - (kRegisters + 2);
  for (std::size_t i = 0; i < kRegisters; ++i) slots[i] = nullptr;
  slots[kRegisters] = reinterpret_cast<void*>(entry_);
  slots[kRegisters + 1] = nullptr;
  context_->stack_pointer = slots;
#endif
}

void Fiber::adopt_current_thread() {
#if defined(__SANITIZE_ADDRESS__)
  pthread_attr_t attributes;
  void* low = nullptr;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  pthread_attr_getstack(&attributes, &low, &stack_bytes_);
  pthread_attr_destroy(&attributes);
  stack_ = static_cast<char*>(low);
#endif
}

void Fiber::switch_between(Fiber& from, Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.stack_, to.stack_bytes_);
#endif
#if defined(IL_FIBER_UCONTEXT)
  swapcontext(&from.context_->registers, &to.context_->registers);
#else
  il_fiber_switch(&from.context_->stack_pointer, to.context_->stack_pointer);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::arrived() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace innerloop::host_executor
