#include "tensor/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "tensor/error.h"

namespace innerloop {
namespace {

thread_local bool t_inside = false;

}  // namespace

struct ThreadPool::Job {
  std::int64_t n;
  FunctionRef<void(std::int64_t)> body;
  std::atomic<std::int64_t> next{0};
  int active = 0;  // workers inside work(); guarded by the pool's mutex
  std::mutex error_mutex{};
  std::int64_t error_at = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr error{};
};

ThreadPool::ThreadPool(int threads) {
  IL_CHECK(threads >= 1, "threads: {} asked for, at least 1 is needed", threads);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { loop(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : workers_) t.join();
}

bool ThreadPool::inside() { return t_inside; }

void ThreadPool::work(Job& job) {
  const bool was_inside = t_inside;
  t_inside = true;
  for (std::int64_t i; (i = job.next.fetch_add(1, std::memory_order_relaxed)) < job.n;) {
    try {
      job.body(i);
    } catch (...) {
      std::lock_guard lock(job.error_mutex);
      if (i < job.error_at) job.error_at = i, job.error = std::current_exception();
    }
  }
  t_inside = was_inside;
}

void ThreadPool::parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) {
  if (n <= 0) return;
  Job job{n, body};
  if (n == 1 || workers_.empty() || t_inside) {
    // The flag of the surrounding loop, if any, is left alone: a loop of one may still fan out further in.
    const bool nested = t_inside;
    if (nested || n == 1) {
      for (std::int64_t i = 0; i < n; ++i) body(i);
      return;
    }
    work(job);
  } else {
    std::lock_guard one_job(submit_);
    {
      std::lock_guard lock(mutex_);
      job_ = &job;
      ++generation_;
    }
    wake_.notify_all();
    work(job);
    std::unique_lock lock(mutex_);
    job_ = nullptr;  // late wakers find nothing to do
    done_.wait(lock, [&] { return job.active == 0; });
  }
  if (job.error) std::rethrow_exception(job.error);
}

void ThreadPool::loop() {
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
    if (stop_) return;
    seen = generation_;
    Job* job = job_;
    if (job == nullptr) continue;
    ++job->active;
    lock.unlock();
    work(*job);
    lock.lock();
    if (--job->active == 0) done_.notify_all();
  }
}

}  // namespace innerloop
