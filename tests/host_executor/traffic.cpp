// Traffic of known patterns, to the sector and the wavefront.
#include "kernels/cuda/host/traffic.h"

#include <gtest/gtest.h>

#include "kernels/cuda/host/monitor.h"
#include "kernels/cuda/host/options.h"
#include "tests/host_executor/device_array.h"
#include "tests/host_executor/traffic_patterns.h"

namespace innerloop::tests {
namespace {

namespace traffic = host_executor::traffic;

class TrafficTest : public testing::Test {
 protected:
  TrafficTest() : options_(counting()) {}
  void SetUp() override {
    if (host_executor::monitor == nullptr) GTEST_SKIP() << "only the checked executor counts";
    traffic::reset();
  }
  static host_executor::Options counting() {
    host_executor::Options o = host_executor::options();
    o.traffic = host_executor::TrafficCount::kOn;
    return o;
  }
  traffic::Report finished(const char* kernel) {
    require(cudaDeviceSynchronize());
    return traffic::of(kernel);
  }

  host_executor::ScopedOptions options_;
  DeviceArray<float> x_{sample_values(2048)}, y_{2048};
};

TEST_F(TrafficTest, CoalescedFloatsTakeFourSectors) {
  strided_copy(y_.data(), x_.data(), 1, 0, nullptr);
  const auto r = finished("strided_copy");
  EXPECT_EQ(r.launches, 1u);
  EXPECT_EQ(r.blocks, 1u);
  EXPECT_EQ(r.loads.requests, 1u);
  EXPECT_EQ(r.loads.sectors, 4u);
  EXPECT_EQ(r.loads.bytes_asked, 128u);
  EXPECT_EQ(r.loads.bytes_useful, 128u);
  EXPECT_EQ(r.loads.efficiency(), 1.0);
  EXPECT_EQ(r.stores.requests, 1u);
  EXPECT_EQ(r.stores.sectors, 4u);
}

TEST_F(TrafficTest, StridesAndOffsetsTakeMore) {
  strided_copy(y_.data(), x_.data(), 2, 0, nullptr);
  EXPECT_EQ(finished("strided_copy").loads.sectors, 8u);
  EXPECT_EQ(finished("strided_copy").loads.efficiency(), 0.5);
  traffic::reset();
  strided_copy(y_.data(), x_.data(), 1, 1, nullptr);
  EXPECT_EQ(finished("strided_copy").loads.sectors, 5u);
  traffic::reset();
  strided_copy(y_.data(), x_.data(), 32, 0, nullptr);
  EXPECT_EQ(finished("strided_copy").loads.sectors, 32u);
  EXPECT_EQ(finished("strided_copy").loads.efficiency(), 0.125);
}

TEST_F(TrafficTest, BroadcastTakesOneSector) {
  broadcast_copy(y_.data(), x_.data(), nullptr);
  const auto r = finished("broadcast_copy");
  EXPECT_EQ(r.loads.requests, 1u);
  EXPECT_EQ(r.loads.sectors, 1u);
  EXPECT_EQ(r.loads.bytes_asked, 128u);
  EXPECT_EQ(r.loads.bytes_useful, 4u);
}

TEST_F(TrafficTest, VectorsAreOneRequest) {
  vector_copy(y_.data(), x_.data(), nullptr);
  const auto r = finished("vector_copy");
  EXPECT_EQ(r.loads.requests, 1u);
  EXPECT_EQ(r.loads.sectors, 16u);
  EXPECT_EQ(r.stores.requests, 1u);
  EXPECT_EQ(r.stores.sectors, 16u);
  EXPECT_EQ(r.shared_loads.requests, 1u);
  EXPECT_EQ(r.shared_loads.wavefronts, 4u);
  EXPECT_EQ(r.shared_loads.conflicts, 0u);
  EXPECT_EQ(r.shared_stores.wavefronts, 4u);
}

TEST_F(TrafficTest, AtomicsAreCountedApart) {
  const DeviceArray<unsigned> sum(1, 0u);
  count_lanes(sum.data(), nullptr);
  const auto r = finished("count_lanes");
  EXPECT_EQ(sum.get()[0], 32u);
  EXPECT_EQ(r.atomics.requests, 1u);
  EXPECT_EQ(r.atomics.sectors, 1u);
  EXPECT_EQ(r.loads.requests, 0u);
  EXPECT_EQ(r.stores.requests, 0u);
}

TEST_F(TrafficTest, PaddingRemovesBankConflicts) {
  transpose_tile(y_.data(), x_.data(), Padding::kNone, nullptr);
  transpose_tile(y_.data(), x_.data(), Padding::kOneColumn, nullptr);
  const auto plain = finished("transpose_tile<32>"), padded = finished("transpose_tile<33>");
  EXPECT_EQ(plain.shared_stores.requests, 32u);
  EXPECT_EQ(plain.shared_stores.conflicts, 0u);
  EXPECT_EQ(plain.shared_loads.requests, 32u);
  EXPECT_EQ(plain.shared_loads.wavefronts, 32u * 32u);
  EXPECT_EQ(plain.shared_loads.conflicts, 32u * 31u);
  EXPECT_EQ(padded.shared_loads.requests, 32u);
  EXPECT_EQ(padded.shared_loads.conflicts, 0u);
  EXPECT_EQ(finished("transpose_tile").launches, 2u) << "without template arguments: all instances";
}

TEST_F(TrafficTest, StrideTwoConflictsTwoWays) {
  for (const auto& [stride, wavefronts] : {std::pair{1, 1u}, std::pair{2, 2u}, std::pair{0, 1u}, std::pair{33, 1u}}) {
    traffic::reset();
    shared_stride(y_.data(), stride, nullptr);
    EXPECT_EQ(finished("shared_stride").shared_loads.wavefronts, wavefronts) << "stride " << stride;
  }
}

TEST_F(TrafficTest, DivergentLoopsAreGroupedByTrip) {
  ragged_rows(y_.data(), x_.data(), nullptr);
  const auto r = finished("ragged_rows");
  EXPECT_EQ(r.loads.requests, 4u);
  EXPECT_EQ(r.loads.sectors, 16u);  // trip i: 8 * (4 - i) lanes, spread over all four sectors
  EXPECT_EQ(r.loads.bytes_asked, 4u * (32 + 24 + 16 + 8));
}

TEST_F(TrafficTest, AsyncCopiesReadGlobalAndWriteShared) {
  staged_copy(y_.data(), x_.data(), nullptr);
  const auto r = finished("staged_copy");
  EXPECT_EQ(r.loads.requests, 1u);
  EXPECT_EQ(r.loads.sectors, 16u);
  EXPECT_EQ(r.shared_stores.wavefronts, 4u);
  EXPECT_EQ(r.shared_loads.wavefronts, 4u);  // every fourth word: four lanes to a bank
}

TEST_F(TrafficTest, OrderDoesNotMatter) {
  for (const auto order : {host_executor::ThreadOrder::kReverse, host_executor::ThreadOrder::kRandom,
                           host_executor::ThreadOrder::kEager}) {
    host_executor::options().order = order;
    traffic::reset();
    transpose_tile(y_.data(), x_.data(), Padding::kNone, nullptr);
    const auto r = finished("transpose_tile");
    EXPECT_EQ(r.loads.sectors, 32u * 4u);
    EXPECT_EQ(r.shared_loads.conflicts, 32u * 31u);
  }
}

TEST_F(TrafficTest, ByKernelIsTheSumOverInstances) {
  transpose_tile(y_.data(), x_.data(), Padding::kNone, nullptr);
  transpose_tile(y_.data(), x_.data(), Padding::kOneColumn, nullptr);
  broadcast_copy(y_.data(), x_.data(), nullptr);
  require(cudaDeviceSynchronize());
  const auto all = traffic::by_kernel();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at("transpose_tile").launches, 2u);
  EXPECT_EQ(all.at("transpose_tile").shared_loads.conflicts, 32u * 31u);
  EXPECT_EQ(all.at("broadcast_copy").loads.sectors, 1u);
}

TEST(Traffic, NeedsTheCheckedExecutor) {
  if (host_executor::monitor != nullptr) GTEST_SKIP();
  EXPECT_THROW(traffic::of("any"), Error);
  EXPECT_THROW(traffic::by_kernel(), Error);
}

}  // namespace
}  // namespace innerloop::tests
