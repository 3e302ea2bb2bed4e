// Stands where the tests of the vendor wrappers would, so that a run says that they were not built.
#include <gtest/gtest.h>

TEST(CudnnPlans, NeedsTheCudaToolkitAndCudnn) {
  GTEST_SKIP() << "built without the CUDA toolkit and cuDNN: their plans are not checked here";
}
