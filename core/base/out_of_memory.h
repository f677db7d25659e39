#pragma once

#include <string_view>

/// Out-of-memory conditions without a proper error.
namespace kandinsky {

/// Throws Error(kOutOfMemory) if a limit on the process's address space (`ulimit -v`) is almost
/// reached. Large allocations fail with an error; but oneDNN and OpenMP end the process when a
/// small one fails.
void check_address_space();

/// Whether an exception's message means that memory ran out, for exceptions of a general type: from
/// LibTorch's CPU allocator, and from oneDNN, which fails to create a supported primitive only for
/// this reason.
bool speaks_of_memory(std::string_view message) noexcept;

}  // namespace kandinsky
