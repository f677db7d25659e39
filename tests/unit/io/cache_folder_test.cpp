#include "io/cache_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "unit/support.h"

namespace kandinsky::io {
namespace {

constexpr std::int64_t kSize = 10'000;

class CacheFolderTest : public testing::Test {
 protected:
  CacheFolder cache(std::uint64_t most_bytes = 1'000'000) const {
    return {folder_.path("cache"), most_bytes};
  }

  static void write(const CacheFolder& cache, std::string_view name) {
    const TensorOutline outline{.name = "x", .dtype = DType::kU8, .shape = {&kSize, 1}};
    cache.write(name, kSize, {&outline, 1}, {}, [](std::size_t /*i*/, const WriteBytes& write) {
      write(std::vector<std::byte>(kSize, std::byte{7}));
    });
  }

  std::string path_of(const std::string& name) const {
    return folder_.path("cache/" + name + ".safetensors");
  }

  /// Both times, since either may be the later one.
  static void set_age(const std::string& path, std::time_t seconds) {
    const ::timespec time{std::time(nullptr) - seconds, 0};
    const std::array times{time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
  }

  test::TempFolder folder_;
};

TEST_F(CacheFolderTest, OpensWhatWasWritten) {
  EXPECT_FALSE(cache().open("a"));
  write(cache(), "a");
  const auto file = cache().open("a");
  ASSERT_TRUE(file);
  ASSERT_NE(file->find("x"), nullptr);
  EXPECT_EQ(file->find("x")->position % 64, 0U);
  const auto bytes = file->file().map();
  EXPECT_EQ(bytes.get()[file->find("x")->position + kSize - 1], std::byte{7});
}

TEST_F(CacheFolderTest, DeletesWhatWasNotUsedForLongest) {
  for (const char* const name : {"a", "b", "c"}) {
    write(cache(), name);
    set_age(path_of(name), 10'000 - name[0]);
  }
  EXPECT_TRUE(cache().open("a"));  // which is now the last one
  write(cache(3 * kSize + 1000), "d");
  EXPECT_TRUE(cache().open("a"));
  EXPECT_FALSE(cache().open("b"));
  EXPECT_TRUE(cache().open("c"));
  EXPECT_TRUE(cache().open("d"));
}

TEST_F(CacheFolderTest, KeepsWhatWasUsedInTheLastHour) {
  write(cache(), "a");
  set_age(path_of("a"), 3000);
  test::expect_error(ErrorCode::kUnsupported, "used in the last hour",
                     [&] { write(cache(2 * kSize), "b"); });
  set_age(path_of("a"), 4000);
  write(cache(2 * kSize), "b");
  EXPECT_FALSE(cache().open("a"));
}

TEST_F(CacheFolderTest, RefusesMoreThanTheLimitAndDeletesNothing) {
  write(cache(), "a");
  set_age(path_of("a"), 4000);
  test::expect_error(ErrorCode::kUnsupported, "above the limit",
                     [&] { write(cache(kSize - 1), "b"); });
  EXPECT_TRUE(cache().open("a"));
}

TEST_F(CacheFolderTest, RefusesMoreThanTheDiskHas) {
  const std::uint64_t most = std::uint64_t{1} << 62U;
  write(cache(most), "a");
  test::expect_error(ErrorCode::kIo, "the disk has", [&] {
    cache(most).write("b", most / 2, {}, {}, [](std::size_t /*i*/, const WriteBytes& /*write*/) {});
  });
}

TEST_F(CacheFolderTest, LeavesFilesOfOthersAlone) {
  folder_.write("cache/notes.txt", std::string(5 * kSize, 'x'));
  write(cache(2 * kSize), "a");
  EXPECT_TRUE(std::filesystem::exists(folder_.path("cache/notes.txt")));
}

TEST_F(CacheFolderTest, DeletesWhatAnInterruptedProcessLeft) {
  const std::string old = folder_.write("cache/.kandinsky-1-1.part", "x");
  const std::string now = folder_.write("cache/.kandinsky-2-1.part", "x");
  set_age(old, 100'000);
  write(cache(), "a");
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_TRUE(std::filesystem::exists(now));
}

TEST_F(CacheFolderTest, DoesNotOpenDamagedFiles) {
  write(cache(), "a");
  std::filesystem::resize_file(path_of("a"), kSize / 2);
  EXPECT_FALSE(cache().open("a"));
}

TEST_F(CacheFolderTest, DoesNotOpenWhatEverybodyMayWrite) {
  write(cache(), "a");
  ASSERT_EQ(::chmod(path_of("a").c_str(), 0666), 0);
  EXPECT_FALSE(cache().open("a"));
}

TEST_F(CacheFolderTest, NamesAFolderThatCannotBeMade) {
  folder_.write("cache", "a file");
  test::expect_error(ErrorCode::kNotFound, folder_.path("cache"), [&] { write(cache(), "a"); });
}

TEST_F(CacheFolderTest, AMappedFileStaysWhenItIsDeleted) {
  write(cache(), "a");
  const auto file = cache().open("a");
  ASSERT_TRUE(file);
  const auto bytes = file->file().map();
  std::filesystem::remove_all(folder_.path("cache"));
  EXPECT_EQ(bytes.get()[file->find("x")->position], std::byte{7});
}

}  // namespace
}  // namespace kandinsky::io
