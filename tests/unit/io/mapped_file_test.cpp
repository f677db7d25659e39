#include "io/mapped_file.h"

#include <sys/stat.h>

#include <optional>

#include "unit/support.h"

namespace kandinsky::io {
namespace {

std::string_view as_text(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(MappedFile, GivesTheBytesAndPath) {
  const test::TempFolder folder;
  const std::string path = folder.write("a", "hello");
  const MappedFile file = MappedFile::open(path);
  EXPECT_EQ(as_text(file.bytes()), "hello");
  EXPECT_EQ(file.path(), path);
}

TEST(MappedFile, CopiesKeepTheMappingAlive) {
  const test::TempFolder folder;
  std::optional<MappedFile> first = MappedFile::open(folder.write("a", "hello"));
  const MappedFile second = *first;
  first.reset();
  std::filesystem::remove(folder.path("a"));
  EXPECT_EQ(as_text(second.bytes()), "hello");
}

TEST(MappedFile, AnEmptyFileIsEmpty) {
  const test::TempFolder folder;
  EXPECT_TRUE(MappedFile::open(folder.write("a", "")).bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  const test::TempFolder folder;
  using enum ErrorCode;
  test::expect_error(kNotFound, "no such file", [&] { MappedFile::open(folder.path("b")); });
  const std::string file = folder.write("f", "x");
  test::expect_error(kNotFound, "no such file", [&] { MappedFile::open(file + "/below"); });
  test::expect_error(kInvalidArgument, "a folder", [&] { MappedFile::open(folder.path()); });
  test::expect_error(kInvalidArgument, "empty", [] { MappedFile::open(""); });
  test::expect_error(kInvalidArgument, "null byte",
                     [] { MappedFile::open(std::string_view("a\0b", 3)); });
  test::expect_error(kInvalidArgument, "device", [] { MappedFile::open("/dev/null"); });
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  test::expect_error(kInvalidArgument, "pipe", [&] { MappedFile::open(folder.path("pipe")); });
}

TEST(MappedFile, RefusesAFileThatMayNotBeRead) {
  const test::TempFolder folder;
  const std::string path = folder.write("secret", "x");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  const int code = test::as_ordinary_user([&] {
    try {
      MappedFile::open(path);
    } catch (const Error& error) {
      return static_cast<int>(error.code());
    }
    return 0;
  });
  EXPECT_EQ(code, static_cast<int>(ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace kandinsky::io
