#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// The machine's memory, as far as this process is concerned.
namespace kandinsky {

/// Left of the machine's or a control group's memory: for other programs, and for what a plan does
/// not know.
inline constexpr std::int64_t kSharedReserve = 500'000'000;

/// Left of a limit of this process alone: only for what a plan does not know.
inline constexpr std::int64_t kOwnReserve = 128'000'000;

/// Bytes that this process could still take without pushing others out, less a reserve: what the
/// machine has available, or less where a limit is set on it or its control group (a container, a
/// service). Caches of files count as available. Negative where less than the reserve is left;
/// nothing where that cannot be told.
/// root: the folder in which "proc" and "sys" are looked for.
std::optional<std::int64_t> available_memory(std::string_view root = "/");

/// Hands freed memory back to the machine. The C library keeps most of what is freed in pieces of
/// some megabytes, as weights are, in case it is asked for again.
void trim_heap() noexcept;

}  // namespace kandinsky
