#include "io/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <utility>

#include "unit/support.h"

namespace kandinsky::io {
namespace {

Span<const std::byte> bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

void write(const std::string& path, std::string_view text) {
  const Span<const std::byte> piece = bytes(text);
  write_file_atomically(path, {&piece, 1});
}

TEST(AtomicFile, WritesThePiecesInOrderAndLeavesNothingElse) {
  const test::TempFolder folder;
  const std::array pieces = {bytes("one "), bytes(""), bytes("two")};
  write_file_atomically(folder.path("out"), pieces);
  EXPECT_EQ(test::read_file(folder.path("out")), "one two");
  EXPECT_EQ(folder.num_files(), 1U);
}

TEST(AtomicFile, ReplacesAFileAndKeepsItsPermissions) {
  const test::TempFolder folder;
  const std::string path = folder.write("out", "old and longer");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  write(path, "new");
  EXPECT_EQ(test::read_file(path), "new");
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
  EXPECT_EQ(folder.num_files(), 1U);
}

TEST(AtomicFile, RefusesPathsThatCannotBeAFile) {
  const test::TempFolder folder;
  using enum ErrorCode;
  const std::string file = folder.write("f", "x");
  test::expect_error(kNotFound, "folder does not exist", [&] { write(folder.path("no/f"), "x"); });
  test::expect_error(kNotFound, "folder does not exist", [&] { write(file + "/f", "x"); });
  test::expect_error(kInvalidArgument, "is a folder", [&] { write(folder.path(), "x"); });
  test::expect_error(kInvalidArgument, "is a folder", [&] { write(folder.path("g") + "/", "x"); });
  test::expect_error(kInvalidArgument, "device", [] { write("/dev/null", "x"); });
  test::expect_error(kInvalidArgument, "empty", [] { write("", "x"); });
  test::expect_error(kIo, "File name too long",
                     [&] { write(folder.path(std::string(256, 'x')), "x"); });
  EXPECT_EQ(folder.num_files(), 1U);
  EXPECT_EQ(test::read_file(file), "x");
}

TEST(AtomicFile, TakesNamesAsLongAsTheFileSystem) {
  const test::TempFolder folder;
  for (const std::size_t length : {240, 251, 255}) {
    const std::string path = folder.path(std::string(length, 'x'));
    check_writable(path);
    write(path, "new");
    EXPECT_EQ(test::read_file(path), "new") << length;
  }
  EXPECT_EQ(folder.num_files(), 3U);
}

TEST(AtomicFile, RefusesAPlaceBeforeAnythingIsWritten) {
  const test::TempFolder folder;
  using enum ErrorCode;
  const std::string kept = folder.write("kept", "old");
  check_writable(kept);
  check_writable(folder.path("new"));
  EXPECT_EQ(test::read_file(kept), "old");
  EXPECT_EQ(folder.num_files(), 1U);
  test::expect_error(kNotFound, "folder does not exist",
                     [&] { check_writable(folder.path("no/f")); });
  test::expect_error(kInvalidArgument, "is a folder", [&] { check_writable(folder.path()); });
  test::expect_error(kInvalidArgument, "empty", [] { check_writable(""); });
  test::expect_error(kIo, "File name too long",
                     [&] { check_writable(folder.path(std::string(256, 'x'))); });
  test::expect_error(kIo, "/sys/new", [] { check_writable("/sys/new"); });
}

TEST(AtomicFile, SaysThatTooManyFilesAreOpen) {
  const test::TempFolder folder;
  const std::string path = folder.path("out");
  ::rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const ::rlimit none{0, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  test::expect_error(ErrorCode::kIo, "Too many open files", [&] { write(path, "x"); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
}

TEST(AtomicFile, RefusesAFolderThatMayNotBeWritten) {
  const test::TempFolder folder;
  const std::string kept = folder.write("kept", "old");
  ASSERT_EQ(::chmod(kept.c_str(), 0444), 0);
  // The second file may not be written although its folder may: a rename would get past that.
  for (const auto& [mode, name] : {std::pair{0555, "new"}, std::pair{0777, "kept"}}) {
    ASSERT_EQ(::chmod(folder.path().c_str(), static_cast<mode_t>(mode)), 0);
    const int code = test::as_ordinary_user([&] {
      try {
        write(folder.path(name), "x");
      } catch (const Error& error) {
        return static_cast<int>(error.code());
      }
      return 0;
    });
    EXPECT_EQ(code, static_cast<int>(ErrorCode::kIo)) << name;
  }
  ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
  EXPECT_EQ(test::read_file(kept), "old");
  EXPECT_EQ(folder.num_files(), 1U);
}

TEST(AtomicFile, AFullDiskLeavesTheOldFileAndNoOther) {
  const test::TempFolder folder;
  const std::string path = folder.write("out", "old");
  // A limit on this process's file size stands in for a full disk.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const ::rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
    try {
      write(path, std::string(100'000, 'x'));
    } catch (const Error& error) {
      ::_exit(error.code() == ErrorCode::kIo ? 0 : 3);
    }
    ::_exit(4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(test::read_file(path), "old");
  EXPECT_EQ(folder.num_files(), 1U);
}

}  // namespace
}  // namespace kandinsky::io
