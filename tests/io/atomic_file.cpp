#include "io/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "data_fixtures.h"
#include "io/sha256.h"

namespace innerloop::io {
namespace {

namespace fs = std::filesystem;

std::size_t entries_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicFile, ReplacesTheWholeFileAndLeavesNothingBeside) {
  const TempFolder folder;
  const std::string path = folder.path("a.bin");
  write_file(path, std::string(100'000, 'x'));
  write_file(path, std::string_view("new\0bytes", 9));
  EXPECT_EQ(read_file(path), std::string("new\0bytes", 9));
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(AtomicFile, WithoutCommitTheOldFileStays) {
  const TempFolder folder;
  const std::string path = folder.write("a", "old");
  {
    AtomicFile file(path);
    file.write("half of the n");
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(AtomicFile, HasNoNameUntilItIsWhole) {
  const TempFolder folder;
  const int supported = ::open(folder.path().c_str(), O_WRONLY | O_TMPFILE, 0600);
  if (supported < 0) GTEST_SKIP() << "this file system has no files without a name";
  ::close(supported);
  AtomicFile file(folder.path("a"));
  file.write("whole");
  EXPECT_EQ(entries_in(folder.path()), 0u);
  file.commit();
  EXPECT_EQ(read_file(folder.path("a")), "whole");
  EXPECT_EQ(entries_in(folder.path()), 1u);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(static_cast<unsigned>(fs::status(folder.path("a")).permissions()), 0666u & ~mask);
}

TEST(AtomicFile, NamesWhatIsWrong) {
  const TempFolder folder;
  EXPECT_SAYS(write_file(folder.path("no/such/a"), "x"), folder.path("no/such") + " does not exist");
  EXPECT_SAYS(write_file("/proc/a", "x"), "/proc takes no new files");
  EXPECT_SAYS(write_file(folder.path(), "x"), "is a folder");
  EXPECT_SAYS(read_file(folder.path("gone")), folder.path("gone") + ": no such file");
  EXPECT_SAYS(read_file(folder.path()), "is a folder");
  EXPECT_SAYS(read_file(folder.write("big", "12345"), 4), "5 bytes, more than the 4");
}

TEST(AtomicFile, WhatIsNoRegularFileIsNeitherReplacedNorWaitedFor) {
  const TempFolder folder;
  const std::string pipe = folder.path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("pipe", folder.path("link"));
  for (const std::string& path : {pipe, folder.path("link")}) {
    EXPECT_SAYS(write_file(path, "x"), path + ": is a device, a pipe or a socket");
    EXPECT_SAYS(read_file(path), path + ": is not a regular file");
  }
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(entries_in(folder.path()), 2u);
}

TEST(AtomicFile, ALinkIsFollowed) {
  const TempFolder folder;
  fs::create_directory(folder.path("runs"));
  fs::create_symlink("runs/second", folder.path("middle"));
  fs::create_symlink(folder.path("middle"), folder.path("best"));
  for (const std::string content : {"made where the links lead", "replaced there"}) {
    write_file(folder.path("best"), content);
    EXPECT_EQ(read_file(folder.path("runs/second")), content);
    EXPECT_TRUE(fs::is_symlink(folder.path("best")) && fs::is_symlink(folder.path("middle")));
  }
  EXPECT_EQ(entries_in(folder.path("runs")), 1u);
  fs::create_symlink("b", folder.path("a"));
  fs::create_symlink("a", folder.path("b"));
  EXPECT_SAYS(write_file(folder.path("a"), "x"), folder.path("a") + ": cannot be written: ");
}

TEST(AtomicFile, NamesALockedFolder) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const TempFolder folder;
  fs::create_directory(folder.path("locked"));
  fs::permissions(folder.path("locked"), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_SAYS(write_file(folder.path("locked/a"), "x"), "no permission to write in " + folder.path("locked"));
  fs::permissions(folder.path("locked"), fs::perms::owner_all);
}

TEST(AtomicFile, AFailedWriteKeepsTheOldFile) {
  // A limit on the size of files stands in for a full disk: write() fails half way through.
  const TempFolder folder;
  const std::string path = folder.write("a", "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text = text_of([&] { write_file(path, std::string(10'000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(text.find(path + ": cannot be written"), std::string::npos) << text;
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(Sha256, AgreesWithThePublishedVectors) {
  EXPECT_EQ(Sha256().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256().add("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().add("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.add(std::string(1000, 'a'));  // 1000 is no multiple of 64
  EXPECT_EQ(million.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace innerloop::io
