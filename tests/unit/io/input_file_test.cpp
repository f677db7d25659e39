#include "io/input_file.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "unit/support.h"

namespace kandinsky::io {
namespace {

std::string text_of(const InputFile& file) {
  const std::vector<std::byte> bytes = file.read_all(100);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string part_of(const InputFile& file, std::uint64_t position, std::size_t size) {
  std::string text(size, '\0');
  file.read(position, std::as_writable_bytes(Span<char>(text)));
  return text;
}

TEST(InputFile, GivesPathSizeAndBytes) {
  const test::TempFolder folder;
  const std::string path = folder.write("a", "hello");
  const InputFile file = InputFile::open(path);
  EXPECT_EQ(file.path(), path);
  EXPECT_EQ(file.size(), 5U);
  EXPECT_EQ(text_of(file), "hello");
  EXPECT_EQ(part_of(file, 1, 3), "ell");
  EXPECT_EQ(part_of(file, 5, 0), "");
  EXPECT_EQ(text_of(InputFile::open(folder.write("b", ""))), "");
}

TEST(InputFile, KeepsAFileThatIsRemovedOrReplaced) {
  const test::TempFolder folder;
  std::optional<InputFile> first = InputFile::open(folder.write("a", "hello"));
  const InputFile second = *first;
  first.reset();
  std::filesystem::rename(folder.write("b", "other"), folder.path("a"));
  EXPECT_EQ(text_of(second), "hello");
  std::filesystem::remove(folder.path("a"));
  EXPECT_EQ(text_of(second), "hello");
}

TEST(InputFile, MayGetOtherPermissionsAndNames) {
  const test::TempFolder folder;
  const std::string path = folder.write("a", "hello");
  const InputFile file = InputFile::open(path);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  std::filesystem::create_hard_link(path, folder.path("link"));
  std::filesystem::rename(path, folder.path("b"));
  EXPECT_EQ(text_of(file), "hello");
}

TEST(InputFile, SaysWhenItHasChangedAtAnyLength) {
  const test::TempFolder folder;
  const std::string whole(100, 'x');
  for (std::size_t length = 0; length <= 120; ++length) {
    const std::string path = folder.write("a", whole);
    std::filesystem::last_write_time(path, {});
    const InputFile file = InputFile::open(path);
    EXPECT_EQ(part_of(file, 10, 5), "xxxxx");
    // Also where the same bytes are written again: nobody can tell.
    folder.write("a", std::string(length, 'x'));
    test::expect_error(ErrorCode::kCorruptFile, "while it is in use", [&] { part_of(file, 0, 1); });
    test::expect_error(ErrorCode::kCorruptFile, path, [&] { part_of(file, 10, 90); });
  }
}

TEST(InputFile, HasAnotherStateOnceItIsWrittenAgain) {
  const test::TempFolder folder;
  const std::string path = folder.write("a", "hello");
  const std::filesystem::file_time_type not_now{};
  std::filesystem::last_write_time(path, not_now);
  const InputFile first = InputFile::open(path);
  EXPECT_EQ(InputFile::open(path).state(), first.state());
  folder.write("a", "other");  // in place
  EXPECT_NE(InputFile::open(path).state(), first.state());
  std::filesystem::last_write_time(folder.write("b", "other"), not_now);
  std::filesystem::rename(folder.path("b"), path);
  EXPECT_NE(InputFile::open(path).state(), first.state());
}

TEST(InputFile, RefusesMoreBytesThanAllowed) {
  const test::TempFolder folder;
  const InputFile file = InputFile::open(folder.write("a", std::string(101, 'x')));
  test::expect_error(ErrorCode::kCorruptFile, "101 bytes are too many, at most 100",
                     [&] { text_of(file); });
}

TEST(InputFile, RefusesWhatIsNoFile) {
  const test::TempFolder folder;
  using enum ErrorCode;
  const auto refuse = [](ErrorCode code, std::string_view part, const std::string& path) {
    test::expect_error(code, part, [&] { InputFile::open(path); });
  };
  refuse(kNotFound, "no such file", folder.path("b"));
  refuse(kNotFound, "no such file", folder.write("f", "x") + "/below");
  refuse(kInvalidArgument, "is a folder", folder.path());
  refuse(kInvalidArgument, "empty", "");
  refuse(kInvalidArgument, "null byte", std::string("a\0b", 3));
  refuse(kInvalidArgument, "is a device", "/dev/null");
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  refuse(kInvalidArgument, "is a pipe", folder.path("pipe"));
  std::filesystem::create_symlink("pipe", folder.path("link"));
  refuse(kInvalidArgument, "is a pipe", folder.path("link"));
  std::filesystem::create_symlink("nowhere", folder.path("dangling"));
  refuse(kNotFound, "is a link to something that is missing", folder.path("dangling"));
  std::filesystem::create_symlink("circle", folder.path("circle"));
  refuse(kIo, "Too many levels of symbolic links", folder.path("circle"));
  refuse(kIo, "File name too long", folder.path(std::string(300, 'x')));
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, folder.path("socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<::sockaddr*>(&address), sizeof address), 0);
  refuse(kInvalidArgument, "is a socket", folder.path("socket"));
  ::close(socket);
}

TEST(InputFile, SaysWhatTheSystemSays) {
  const test::TempFolder folder;
  const std::string path = folder.write("secret", "x");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  const int code = test::as_ordinary_user([&] {
    try {
      InputFile::open(path);
    } catch (const Error& error) {
      const bool is_named = std::string_view(error.what()).ends_with("Permission denied");
      return is_named ? static_cast<int>(error.code()) : 0;
    }
    return 0;
  });
  EXPECT_EQ(code, static_cast<int>(ErrorCode::kIo));

  ::rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const ::rlimit none{0, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  test::expect_error(ErrorCode::kIo, "Too many open files", [&] { InputFile::open(path); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  // A process's own memory begins with pages that are not there: a read error.
  test::expect_error(ErrorCode::kIo, "Input/output error", [] {
    std::array<std::byte, 1> byte{};
    InputFile::open("/proc/self/mem").read(0, byte);
  });
}

TEST(InputFile, TellsFilesFoldersAndNothing) {
  const test::TempFolder folder;
  const std::string file = folder.write("f", "x");
  EXPECT_TRUE(is_there(file));
  EXPECT_FALSE(is_folder(file));
  EXPECT_TRUE(is_there(folder.path()));
  EXPECT_TRUE(is_folder(folder.path()));
  EXPECT_FALSE(is_there(folder.path("gone")));
  EXPECT_FALSE(is_folder(file + "/below"));
  std::filesystem::create_symlink("nowhere", folder.path("dangling"));
  test::expect_error(ErrorCode::kNotFound, "dangling", [&] { is_there(folder.path("dangling")); });
}

}  // namespace
}  // namespace kandinsky::io
