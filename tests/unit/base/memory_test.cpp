#include "base/memory.h"

#include <gtest/gtest.h>

#include "unit/support.h"

namespace kandinsky {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30U;

class AvailableMemory : public testing::Test {
 protected:
  AvailableMemory() {
    root_.write("proc/meminfo",
                "MemTotal:       16777216 kB\nMemFree:         1048576 kB\n"
                "MemAvailable:    8388608 kB\n");
  }
  std::optional<std::int64_t> available() const { return available_memory(root_.path()); }
  void write(const std::string& name, std::int64_t value) const {
    root_.write(name, std::to_string(value) + "\n");
  }

  test::TempFolder root_;
};

TEST_F(AvailableMemory, IsTheMachinesWithoutALimit) {
  EXPECT_EQ(available(), 8 * kGiB - kSharedReserve);
  root_.write("proc/self/cgroup", "0::/user.slice\n");
  root_.write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/memory.current", kGiB);
  EXPECT_EQ(available(), 8 * kGiB - kSharedReserve);
}

TEST_F(AvailableMemory, IsWhatTheTightestGroupLeaves) {
  root_.write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/memory.max", 4 * kGiB);
  write("sys/fs/cgroup/outer/memory.current", 3 * kGiB);
  write("sys/fs/cgroup/outer/inner/memory.max", 16 * kGiB);
  write("sys/fs/cgroup/outer/inner/memory.current", kGiB);
  EXPECT_EQ(available(), kGiB - kSharedReserve);
}

TEST_F(AvailableMemory, CountsCachedFilesAsFree) {
  root_.write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", 4 * kGiB);
  write("sys/fs/cgroup/memory.current", 3 * kGiB);
  root_.write("sys/fs/cgroup/memory.stat", "anon 1073741824\nactive_file " + std::to_string(kGiB) +
                                               "\ninactive_file " + std::to_string(kGiB) + "\n");
  EXPECT_EQ(available(), 3 * kGiB - kSharedReserve);
}

TEST_F(AvailableMemory, ReadsTheFirstVersionOfGroups) {
  root_.write("proc/self/cgroup", "8:cpu,cpuacct:/a\n7:hugetlb,memory:/a\n");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", 4 * kGiB);
  write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", 3 * kGiB);
  root_.write("sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file 1073741824\n");
  EXPECT_EQ(available(), 2 * kGiB - kSharedReserve);
}

TEST_F(AvailableMemory, IsWhatTheProcessesOwnLimitsLeave) {
  const std::string title =
      "Limit                     Soft Limit           Hard Limit           Units\n";
  root_.write("proc/self/status", "VmSize:\t 1048576 kB\nVmData:\t  524288 kB\n");
  root_.write("proc/self/limits",
              title +
                  "Max data size             unlimited            unlimited            bytes\n" +
                  "Max address space         unlimited            unlimited            bytes\n");
  EXPECT_EQ(available(), 8 * kGiB - kSharedReserve);
  root_.write("proc/self/limits",
              title +
                  "Max data size             unlimited            unlimited            bytes\n" +
                  "Max address space         3221225472           unlimited            bytes\n");
  EXPECT_EQ(available(), 2 * kGiB - kOwnReserve);
  root_.write("proc/self/limits",
              title +
                  "Max data size             1610612736           unlimited            bytes\n" +
                  "Max address space         3221225472           unlimited            bytes\n");
  EXPECT_EQ(available(), kGiB - kOwnReserve);
}

TEST_F(AvailableMemory, IsNothingBeyondALimit) {
  root_.write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", kGiB);
  write("sys/fs/cgroup/memory.current", 2 * kGiB);
  EXPECT_EQ(available(), -kSharedReserve);
}

TEST(Memory, IsToldOnThisMachine) { EXPECT_GT(available_memory().value_or(0), 0); }

TEST(Memory, UnknownIsNothing) {
  const test::TempFolder empty;
  EXPECT_EQ(available_memory(empty.path()), std::nullopt);
}

}  // namespace
}  // namespace kandinsky
