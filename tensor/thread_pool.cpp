#include "tensor/thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "tensor/error.h"

namespace innerloop {
namespace {

thread_local bool t_inside = false;

}  // namespace

struct ThreadPool::Team {
  struct Job {
    std::int64_t n;
    FunctionRef<void(std::int64_t)> body;
    std::atomic<std::int64_t> next{0};
    int active = 0;  // workers inside work(); guarded by the team's mutex
    std::mutex error_mutex{};
    std::int64_t error_at = std::numeric_limits<std::int64_t>::max();
    std::exception_ptr error{};
  };

  std::vector<std::thread> workers{};
  std::mutex mutex{}, submit{};
  std::condition_variable wake{}, done{};
  Job* job = nullptr;
  std::uint64_t generation = 0;
  bool stop = false;

  static void work(Job& job);
  void loop();
  void finish();
};

ThreadPool::ThreadPool(int threads) : team_(std::make_unique<Team>()), threads_(threads) {
  IL_CHECK(threads >= 1, "threads: {} asked for, at least 1 is needed", threads);
  for (int i = 1; i < threads; ++i) team_->workers.emplace_back([team = team_.get()] { team->loop(); });
}

ThreadPool::~ThreadPool() { team_->finish(); }

bool ThreadPool::inside() { return t_inside; }

void ThreadPool::Team::finish() {
  {
    std::lock_guard lock(mutex);
    stop = true;
  }
  wake.notify_all();
  for (std::thread& t : workers) t.join();
}

void ThreadPool::Team::work(Job& job) {
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
  Team& team = *team_;
  Team::Job job{n, body};
  if (n == 1 || team.workers.empty() || t_inside) {
    // The flag of the surrounding loop, if any, is left alone: a loop of one may still fan out further in.
    const bool nested = t_inside;
    if (nested || n == 1) {
      for (std::int64_t i = 0; i < n; ++i) body(i);
      return;
    }
    Team::work(job);
  } else {
    std::lock_guard one_job(team.submit);
    {
      std::lock_guard lock(team.mutex);
      team.job = &job;
      ++team.generation;
    }
    team.wake.notify_all();
    Team::work(job);
    std::unique_lock lock(team.mutex);
    team.job = nullptr;  // late wakers find nothing to do
    team.done.wait(lock, [&] { return job.active == 0; });
  }
  if (job.error) std::rethrow_exception(job.error);
}

void ThreadPool::Team::loop() {
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait(lock, [&] { return stop || generation != seen; });
    if (stop) return;
    seen = generation;
    Job* const now = job;
    if (now == nullptr) continue;
    ++now->active;
    lock.unlock();
    work(*now);
    lock.lock();
    if (--now->active == 0) done.notify_all();
  }
}

}  // namespace innerloop
