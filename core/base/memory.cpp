#include "base/memory.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace kandinsky {
namespace {

namespace fs = std::filesystem;

using Bytes = std::optional<std::uint64_t>;

constexpr std::uint64_t kKilobyte = 1024;

/// Independent of the process's locale, unlike a stream.
Bytes leading_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), value).ec;
  return error == std::errc() ? Bytes(value) : std::nullopt;
}

/// The number behind `key` in a file of lines "key number ...". Such files come from the kernel and
/// are short.
Bytes find_number(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t end = line.find_first_of(" \t");
    const std::size_t number = line.find_first_not_of(" \t", end);
    if (number != std::string::npos && std::string_view(line).substr(0, end) == key) {
      if (const Bytes value = leading_number(std::string_view(line).substr(number))) return value;
    }
  }
  return std::nullopt;
}

/// The file's only number; empty if there is none, as in "max".
Bytes read_number(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? leading_number(line) : std::nullopt;
}

struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* active_cache;
  const char* inactive_cache;
};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "active_file", "inactive_file"};
constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_active_file", "total_inactive_file"};

/// The remaining memory of a control group, empty without a limit.
Bytes left_in_group(const fs::path& group, const GroupFiles& files) {
  const Bytes limit = read_number(group / files.limit);
  const Bytes usage = read_number(group / files.usage);
  if (!limit || !usage) return std::nullopt;
  const std::uint64_t cached = find_number(group / "memory.stat", files.active_cache).value_or(0) +
                               find_number(group / "memory.stat", files.inactive_cache).value_or(0);
  const std::uint64_t used = *usage - std::min(*usage, cached);
  return *limit - std::min(*limit, used);
}

template <typename Number>
std::optional<Number> least(std::optional<Number> a, std::optional<Number> b) {
  return a && b ? std::min(a, b) : a ? a : b;
}

/// The tightest limit of this process's groups.
Bytes left_in_groups(const fs::path& root) {
  std::ifstream groups(root / "proc/self/cgroup");
  Bytes left;
  // "0::/path" in version 2, "7:cpu,memory:/path" in version 1.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const bool is_version_2 = controllers == ",,";
    if (!is_version_2 && controllers.find(",memory,") == std::string::npos) continue;
    const fs::path mount = root / (is_version_2 ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    const GroupFiles& files = is_version_2 ? kVersion2 : kVersion1;
    // In a container the path may be the outer one, which does not exist inside.
    for (fs::path path = fs::path(line.substr(second + 1)).relative_path();;
         path = path.parent_path()) {
      left = least(left, left_in_group(mount / path, files));
      if (path.empty()) break;
    }
  }
  return left;
}

/// The rest of a limit of the process (`ulimit -v`, `ulimit -d`), empty without one. Lines are
/// "Max address space  1073741824  unlimited  bytes".
Bytes left_in_process(const fs::path& root, std::string_view limit_name,
                      std::string_view used_key) {
  std::ifstream limits(root / "proc/self/limits");
  for (std::string line; std::getline(limits, line);) {
    if (!line.starts_with(limit_name)) continue;
    const std::size_t number = line.find_first_not_of(' ', limit_name.size());
    if (number == std::string::npos) return std::nullopt;
    const Bytes limit = leading_number(std::string_view(line).substr(number));
    const Bytes used = find_number(root / "proc/self/status", used_key);
    if (!limit || !used) return std::nullopt;
    return *limit - std::min(*limit, *used * kKilobyte);
  }
  return std::nullopt;
}

std::optional<std::int64_t> less_reserve(Bytes bytes, std::int64_t reserve) {
  if (!bytes) return std::nullopt;
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(*bytes, kMost)) - reserve;
}

}  // namespace

std::optional<std::int64_t> available_memory(std::string_view root) {
  const fs::path folder(root);
  Bytes shared = find_number(folder / "proc/meminfo", "MemAvailable:");
  if (shared) *shared *= kKilobyte;
  shared = least(shared, left_in_groups(folder));
  const Bytes own = least(left_in_process(folder, "Max address space", "VmSize:"),
                          left_in_process(folder, "Max data size", "VmData:"));
  return least(less_reserve(shared, kSharedReserve), less_reserve(own, kOwnReserve));
}

void trim_heap() noexcept {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

}  // namespace kandinsky
