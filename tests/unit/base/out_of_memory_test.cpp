#include "base/out_of_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "unit/support.h"

namespace kandinsky {
namespace {

/// What check_address_space() throws, as a number, in a process with so much left of its limit.
int with_address_space(rlim_t left) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t used = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
    const rlimit limit{.rlim_cur = used + left, .rlim_max = RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &limit);
    int code = 0;
    try {
      check_address_space();
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
    }
    ::_exit(code);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(AddressSpace, IsUpBeforeNothingIsLeft) {
  constexpr rlim_t kMegabyte = rlim_t{1} << 20U;
  EXPECT_NO_THROW(check_address_space());
  EXPECT_EQ(with_address_space(200 * kMegabyte), 0);
  EXPECT_EQ(with_address_space(32 * kMegabyte), static_cast<int>(ErrorCode::kOutOfMemory));
}

TEST(SpeaksOfMemory, KnowsWhatLibrariesSay) {
  EXPECT_TRUE(speaks_of_memory(
      "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"));
  EXPECT_TRUE(speaks_of_memory("could not create a primitive"));
  EXPECT_TRUE(speaks_of_memory("CUDA out of memory. Tried to allocate 20 MiB"));
  // A descriptor is refused for what it asks, not for want of memory.
  EXPECT_FALSE(speaks_of_memory("could not create a primitive descriptor for a matmul"));
  EXPECT_FALSE(speaks_of_memory("expected a tensor of 4 dimensions"));
}

}  // namespace
}  // namespace kandinsky
