// Files that are whole or absent. A reader never sees half of a checkpoint, whatever stops the writer.
//
// The bytes go to a temporary file in the same folder, where possible one without a name, which is flushed to the disk and then
// renamed over the target; the folder is flushed too. A symbolic link is followed, as by any other writer: its target is replaced. Errors name
// the path, the cause and, for a missing folder, the folder to make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tensor/function_ref.h"

namespace innerloop::io {

/// A file being written. Until commit() the target keeps its old content; without commit() the new bytes vanish.
class AtomicFile {
 public:
  /// Opens the temporary file. Throws Error when the folder is missing or may not be written, and when
  /// `path` is there and no regular file (a folder, a device, a pipe, a socket): that is never replaced.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws Error when the disk is full or the write fails.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Flushes and puts the file in place. Call once, last.
  void commit();

 private:
  /// Calls `make` with one new name after another in `temporary_`, until it is made.
  void with_new_name(FunctionRef<bool()> make);

  std::string path_, temporary_;  ///< the second is empty while the file has no name
  int fd_ = -1;
};

/// Writes `bytes` as the whole content of `path`, atomically.
void write_file(const std::string& path, std::string_view bytes);
void write_file(const std::string& path, std::span<const std::byte> bytes);

/// The whole content of a regular file. Throws Error when it is missing, a folder, unreadable, or larger than
/// `max_bytes`.
std::string read_file(const std::string& path, std::uint64_t max_bytes = std::uint64_t{1} << 32);

}  // namespace innerloop::io
