#include "io/mapped_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
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

/// Bytes of `mapping` that are in this process's memory.
std::size_t resident_size(Span<const std::byte> mapping) {
  const auto address = reinterpret_cast<std::uintptr_t>(mapping.data());
  std::ifstream maps("/proc/self/smaps");
  bool is_ours = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::size_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "%lx-", &begin) == 1 && line.find('-') < line.find(' '))
      is_ours = begin == address;
    if (is_ours && std::sscanf(line.c_str(), "Rss: %zu kB", &kilobytes) == 1)
      return kilobytes << 10U;
  }
  ADD_FAILURE() << "the mapping is not listed";
  return 0;
}

TEST(MappedFile, GivesPagesBackAndReadsThemAgain) {
  constexpr std::size_t kSize = std::size_t{4} << 20U;
  const test::TempFolder folder;
  const MappedFile file = MappedFile::open(folder.write("a", std::string(kSize, 'x')));
  const auto count = [&] { return std::ranges::count(as_text(file.bytes()), 'x'); };
  EXPECT_EQ(count(), kSize);
  EXPECT_EQ(resident_size(file.bytes()), kSize);
  file.release(file.bytes().subspan(kSize / 2));
  EXPECT_EQ(resident_size(file.bytes()), kSize / 2);
  file.release(file.bytes().subspan(100, kSize / 2 - 100));
  EXPECT_EQ(resident_size(file.bytes()), 0);
  EXPECT_EQ(count(), kSize);
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
