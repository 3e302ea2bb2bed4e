// cp.async on a CPU: copies are put off until the thread waits for them, so that a forgotten wait shows as poison.
#pragma once

#include "kernels/cuda/host/primitive.h"

namespace innerloop::host_executor {

/// Copies `valid` bytes from global to shared memory and fills up to `bytes` (4, 8 or 16) with zeros, at the wait.
/// Throws KernelError: an address that is not a multiple of `bytes`, a target outside shared memory, valid > bytes.
void copy_later(void* shared, const void* global, unsigned bytes, unsigned valid, const void* return_address, Site site);
void commit_copies();
/// Completes all of the calling thread's committed groups but the latest `groups_left`.
void wait_copies(unsigned groups_left);
/// Completes everything, committed or not.
void wait_all_copies();

}  // namespace innerloop::host_executor
