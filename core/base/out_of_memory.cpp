#include "base/out_of_memory.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "base/error.h"

namespace kandinsky {

void check_address_space() {
  constexpr rlim_t kLeast = rlim_t{64} << 20U;
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const auto page = static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  if (!(statm >> pages) || pages * page + kLeast <= limit.rlim_cur) return;
  throw Error(ErrorCode::kOutOfMemory,
              fmt::format("the {} MB of address space that this process may have (ulimit -v) are "
                          "used up; allow more, or use a smaller image or batch",
                          limit.rlim_cur >> 20U));
}

bool speaks_of_memory(std::string_view message) noexcept {
  constexpr std::array<std::string_view, 6> kWords = {
      "DefaultCPUAllocator",
      "out of memory",
      "Cannot allocate memory",
      "could not create a primitive",
      "could not create a memory object",
      "could not execute a primitive",
  };
  // For an unsupported primitive, oneDNN reports that it cannot create a primitive descriptor.
  return message.find("primitive descriptor") == std::string_view::npos &&
         std::any_of(kWords.begin(), kWords.end(), [message](std::string_view words) {
           return message.find(words) != std::string_view::npos;
         });
}

}  // namespace kandinsky
