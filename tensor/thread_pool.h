// ThreadPool: one loop at a time, spread over a fixed set of threads.
//
// Determinism: the pool never decides how work is cut, only who does it. A kernel cuts its work into chunks by shape
// alone and joins partial results in chunk order, so its bits do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <memory>

#include "tensor/function_ref.h"

namespace innerloop {

class ThreadPool {
 public:
  /// `threads` >= 1 counts the caller: a pool of one starts no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls body(i) once for each i in [0, n), in any order, and returns when all are done. Called from inside a body it
  /// runs serially on the spot. When bodies throw, the exception of the smallest i that threw is rethrown.
  void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body);

  /// True on a thread that is inside a parallel_for body.
  static bool inside();

 private:
  struct Team;
  const std::unique_ptr<Team> team_;
  const int threads_;
};

}  // namespace innerloop
