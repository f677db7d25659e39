#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// The memory available to this process.
namespace kandinsky {

/// Reserve of the machine's or a control group's memory: for other programs, and for memory outside
/// a plan.
inline constexpr std::int64_t kSharedReserve = 500'000'000;

/// Reserve of a limit of this process alone: only for memory outside a plan.
inline constexpr std::int64_t kOwnReserve = 128'000'000;

/// Bytes that this process can still allocate, less a reserve: the machine's available memory, or
/// less if the process or its control group (a container, a service) has a limit. File caches count
/// as available. Negative if less than the reserve is left; empty if unknown.
/// root: the folder of "proc" and "sys".
std::optional<std::int64_t> available_memory(std::string_view root = "/");

/// Returns freed memory to the system. The C library keeps most freed blocks of some megabytes,
/// such as weights, for later allocations.
void trim_heap() noexcept;

}  // namespace kandinsky
