#include "kernels/cuda/vendor/cublas_of.h"

#include <map>

namespace innerloop::kernels::cuda {

cublas::Handle& cublas_of(cudaStream_t stream, Precision precision) {
  // Never destroyed: at the program's end the driver may be gone before it. Callers hold the convolutions' lock.
  static auto* const handles = new std::map<Precision, cublas::Handle>;
  const auto it = handles->try_emplace(precision, stream, cublas::HandleOptions{.precision = precision}).first;
  IL_CHECK(it->second.stream() == stream, "cublas: a second stream in one process");
  return it->second;
}

}  // namespace innerloop::kernels::cuda
