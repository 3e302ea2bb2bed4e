#include "meta/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

/// Whether the open file is still the one of that name.
bool is_still_named(const std::string& path, int fd) {
  struct stat named {}, held {};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
         named.st_ino == held.st_ino;
}

}  // namespace

RunLock::~RunLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());  // while it is locked: whoever has opened it since finds that it is gone
  ::close(fd_);
}

void RunLock::take(const std::string& folder) {
  if (fd_ >= 0) return;
  path_ = folder + "/.lock";
  while (true) {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0) return;  // what is wrong with the folder is said where its first file is written
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
      if (is_still_named(path_, fd)) {
        fd_ = fd;
        return;
      }
      ::close(fd);  // its last holder took it away in between
      continue;
    }
    const bool is_held = errno == EWOULDBLOCK;
    ::close(fd);
    IL_CHECK(!is_held, "{}: another innerloop is at work in it; wait for it, or give another folder", folder);
    return;  // a file system without locks
  }
}

}  // namespace innerloop::meta
