#pragma once

#include <string_view>

/// Memory that runs out where nobody says so.
namespace kandinsky {

/// Throws Error(kOutOfMemory) where a limit on the process's address space (`ulimit -v`) is all but
/// used up. What asks for a lot is told when there is no more; but oneDNN and OpenMP, asking for a
/// little, end the process.
void check_address_space();

/// Whether an exception's message, whose type says nothing, tells that memory ran out: of
/// LibTorch's allocator on the CPU, and of oneDNN, which cannot make what it has agreed to for no
/// other reason.
bool speaks_of_memory(std::string_view message) noexcept;

}  // namespace kandinsky
