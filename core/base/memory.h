#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// The machine's memory, as far as this process is concerned.
namespace kandinsky {

/// Bytes that this process could still take without pushing others out: what the machine has
/// available, or less where a limit is set on it or its control group (a container, a service).
/// Caches of files count as available. Nothing where that cannot be told.
/// root: the folder in which "proc" and "sys" are looked for.
std::optional<std::uint64_t> available_memory(std::string_view root = "/");

/// Hands freed memory back to the machine. The C library keeps most of what is freed in pieces of
/// some megabytes, as weights are, in case it is asked for again.
void trim_heap() noexcept;

}  // namespace kandinsky
