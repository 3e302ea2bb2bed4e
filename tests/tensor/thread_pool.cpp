#include "tensor/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace innerloop {
namespace {

TEST(ThreadPool, EveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> hits(1000);
    pool.parallel_for(1000, [&](std::int64_t i) { ++hits[static_cast<std::size_t>(i)]; });
    for (auto& h : hits) EXPECT_EQ(h, 1);
  }
}

TEST(ThreadPool, NestedLoopsRunOnTheSpot) {
  ThreadPool pool(3);
  std::atomic<int> sum{0};
  pool.parallel_for(8, [&](std::int64_t) {
    EXPECT_TRUE(ThreadPool::inside());
    pool.parallel_for(10, [&](std::int64_t) { ++sum; });
  });
  EXPECT_EQ(sum, 80);
  EXPECT_FALSE(ThreadPool::inside());
}

TEST(ThreadPool, TheSmallestFailureWinsAndThePoolLivesOn) {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    try {
      pool.parallel_for(64, [](std::int64_t i) {
        if (i == 11 || i == 12) throw std::runtime_error(std::to_string(i));
      });
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "11");
    }
  }
  std::atomic<int> n{0};
  pool.parallel_for(5, [&](std::int64_t) { ++n; });
  EXPECT_EQ(n, 5);
}

TEST(ThreadPool, ManyShortLoops) {
  ThreadPool pool(2);
  std::atomic<long> sum{0};
  for (int i = 0; i < 20000; ++i) pool.parallel_for(2, [&](std::int64_t k) { sum += k; });
  EXPECT_EQ(sum, 20000);
}

}  // namespace
}  // namespace innerloop
