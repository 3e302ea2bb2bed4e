// RunLock: one process at a time works in a run folder.
//
// A lock of the operating system (flock) on RUN/.lock. It ends with the process, however that ends, so a file that was left
// behind stands in nobody's way. Where a file system has no locks, or the folder takes no file, the work goes on without.
#pragma once

#include <string>

namespace innerloop::meta {

class RunLock {
 public:
  RunLock() = default;
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Locks `folder` until the end of this object; nothing where it is held already, or where there is no such folder yet.
  /// Throws Error when another holds it.
  void take(const std::string& folder);

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace innerloop::meta
