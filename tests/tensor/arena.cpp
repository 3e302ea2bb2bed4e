#include "tensor/arena.h"
#include "tensor/arena_stats.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace innerloop {
namespace {

TEST(Arena, CountsToTheByte) {
  auto arena = Arena::create();
  auto a = arena->allocate(100);  // 128 after rounding to 64
  auto b = arena->allocate(64);
  EXPECT_EQ(arena->stats().current, 192u);
  a.reset();
  EXPECT_EQ(arena->stats().current, 64u);
  EXPECT_EQ(arena->stats().peak, 192u);
  EXPECT_EQ(arena->stats().cached, 128u);
  auto c = arena->allocate(128);
  EXPECT_EQ(arena->stats().cached, 0u);
  EXPECT_EQ(arena->stats().system_allocations, 2u);
  EXPECT_EQ(arena->stats().allocations, 3u);
}

TEST(Arena, PeaksByPhase) {
  auto arena = Arena::create();
  auto base = arena->allocate(64);
  {
    Arena::Phase outer(*arena, "outer");
    auto a = arena->allocate(128);
    {
      Arena::Phase inner(*arena, "inner");
      auto b = arena->allocate(256);
    }
    a.reset();
  }
  auto late = arena->allocate(4096);
  EXPECT_EQ(arena->stats().phase_peak.at("outer"), 448u);
  EXPECT_EQ(arena->stats().phase_peak.at("inner"), 448u);
  arena->reset_peak();
  EXPECT_EQ(arena->stats().peak, 64u + 4096u);
  EXPECT_TRUE(arena->stats().phase_peak.empty());
}

TEST(Arena, BuffersOutliveTheHandleAndTrimGivesBack) {
  auto arena = Arena::create();
  auto buffer = arena->allocate(1);
  auto weak = std::weak_ptr<Arena>(arena);
  arena.reset();
  EXPECT_FALSE(weak.expired());
  buffer.reset();
  EXPECT_TRUE(weak.expired());
}

TEST(Arena, SurvivesManyThreads) {
  auto arena = Arena::create();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) auto buffer = arena->allocate(static_cast<std::size_t>(i % 7) * 64 + 1);
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(arena->stats().current, 0u);
  EXPECT_EQ(arena->stats().allocations, 4000u);
}

}  // namespace
}  // namespace innerloop
