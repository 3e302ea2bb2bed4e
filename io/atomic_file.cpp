#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "tensor/error.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string reason_of(int error) { return std::generic_category().message(error); }

/// Why `path` cannot be written, with the remedy.
[[noreturn]] void fail_write(const std::string& path, int error) {
  std::error_code ignored;
  if (error == ENOENT && fs::is_directory(folder_of(path), ignored))  // as /proc answers
    fail("{}: {} takes no new files; choose another place", path, folder_of(path));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      fail("{}: the folder {} does not exist; make it first", path, folder_of(path));
    case EACCES:
    case EPERM:
      fail("{}: no permission to write in {}; choose another place or change its mode", path, folder_of(path));
    case EROFS:
      fail("{}: the file system is read-only; choose another place", path);
    case ENOSPC:
    case EDQUOT:
      fail("{}: the disk is full; free some space and try again (the old file, if any, is intact)", path);
    default:
      fail("{}: cannot be written: {}", path, reason_of(error));
  }
}

/// The file that writing `path` would change: what it names, or, for a symbolic link, what that leads to in the end,
/// be it there or not. Renaming over the link itself would leave its target as it was, and no link.
std::string behind_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel follows
  fs::path target = path;
  std::error_code none;
  for (int links = 0; fs::is_symlink(target, none); ++links) {
    if (links == kMostLinks) fail_write(path, ELOOP);
    const fs::path next = fs::read_symlink(target, none);
    if (none) fail_write(path, none.value());
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target.string();
}

/// Refuses what a rename would destroy: a folder, and a device, pipe or socket, which is no file to be replaced.
void check_may_be_replaced(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return;  // not there, or not to be seen: opening says why
  IL_CHECK(!S_ISDIR(info.st_mode), "{}: is a folder; name a file in it", path);
  IL_CHECK(S_ISREG(info.st_mode), "{}: is a device, a pipe or a socket, which is not replaced; name a file", path);
}

/// An open descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_unnamed(const std::string& folder) { return ::open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666); }

bool give_name(int fd, const std::string& path) {
  return ::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

/// Unique among the writers of `path` on this machine; whoever makes the file finds out if there are others.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return fmt::format("{}.{}-{}.tmp", path, ::getpid(), counter++);
}

/// Whether a file can be made there without a name and be given one when it is whole; tried once a file system, since some that
/// make such files do not name them, which would be found out with the content at stake.
bool names_later(const std::string& path) {
  struct stat folder {};
  if (::stat(folder_of(path).c_str(), &folder) != 0) return false;
  static std::mutex mutex;
  static std::map<dev_t, bool> known;
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = known.try_emplace(folder.st_dev, false);
  if (!is_new) return entry->second;
  const Descriptor trial(open_unnamed(folder_of(path)));
  const std::string name = temporary_name(path);
  entry->second = trial.get() >= 0 && give_name(trial.get(), name);
  if (entry->second) ::unlink(name.c_str());
  return entry->second;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  if (path_.empty()) fail("an empty path cannot be written; name a file");
  check_may_be_replaced(path_);
  path_ = behind_links(path_);
  // Without a name where the file system can: then nothing is left of it, however the process ends.
  if (names_later(path_) && (fd_ = open_unnamed(folder_of(path_))) >= 0) return;
  with_new_name([&] { return (fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) >= 0; });
}

void AtomicFile::with_new_name(FunctionRef<bool()> make) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    temporary_ = temporary_name(path_);
    if (make()) return;
    if (errno != EEXIST) {
      temporary_.clear();
      fail_write(path_, errno);
    }
  }
  temporary_.clear();
  fail("{}: too many temporary files beside it; delete {}.*.tmp", path_, path_);
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  IL_CHECK(fd_ >= 0, "{}: written to after it was committed", path_);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_write(path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void AtomicFile::commit() {
  IL_CHECK(fd_ >= 0, "{}: committed twice", path_);
  if (::fsync(fd_) != 0) fail_write(path_, errno);
  if (temporary_.empty()) {
    with_new_name([&] { return give_name(fd_, temporary_); });
  }
  if (::close(std::exchange(fd_, -1)) != 0) fail_write(path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_write(path_, errno);
  temporary_.clear();
  // The rename is in the folder; until that is on the disk too, a power cut may bring the old file back. Some file
  // systems cannot flush a folder: the file is then as safe as they make it.
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file(const std::string& path, std::string_view bytes) {
  write_file(path, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  // O_NONBLOCK: a pipe that nobody writes to is refused below, not waited for. Regular files do not know it.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) fail("{}: no such file", path);
    if (error == EACCES) fail("{}: no permission to read it", path);
    fail("{}: cannot be opened: {}", path, reason_of(error));
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) fail("{}: cannot be read: {}", path, reason_of(errno));
  IL_CHECK(!S_ISDIR(info.st_mode), "{}: is a folder, a file is needed", path);
  IL_CHECK(S_ISREG(info.st_mode), "{}: is not a regular file", path);
  const std::uint64_t size = static_cast<std::uint64_t>(info.st_size);
  IL_CHECK(size <= max_bytes, "{}: {} bytes, more than the {} that such a file may have", path, size, max_bytes);
  std::string content(size, '\0');
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t n = ::read(fd.get(), content.data() + have, content.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: cannot be read: {}", path, reason_of(errno));
    IL_CHECK(n > 0, "{}: became shorter while it was read", path);
    have += static_cast<std::size_t>(n);
  }
  return content;
}

}  // namespace innerloop::io
