/// Wraps every function of kandinsky.h: exceptions become a status and a message, and structs of
/// older callers are supported.
#pragma once

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

#include "base/error.h"
#include "base/out_of_memory.h"
#include "kandinsky.h"

namespace kandinsky::engine {

/// This thread's last message, for kandinsky_last_error().
const char* last_error() noexcept;

/// Stores the message and returns the code as a status.
kandinsky_status fail(ErrorCode code, std::string_view message) noexcept;

/// Runs a body and converts its exceptions to a status and this thread's message.
template <typename Body>
kandinsky_status guarded(const Body& body) noexcept {
  constexpr const char* kOutOfMemory =
      "memory ran out; use a smaller image or batch, close other programs, or free the host's "
      "own model first";
  try {
    body();
    return KANDINSKY_OK;
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const c10::OutOfMemoryError&) {
    return fail(ErrorCode::kOutOfMemory, kOutOfMemory);
  } catch (const c10::Error& error) {
    const char* message = error.what_without_backtrace();
    return speaks_of_memory(message) ? fail(ErrorCode::kOutOfMemory, kOutOfMemory)
                                     : fail(ErrorCode::kInternal, message);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kOutOfMemory, kOutOfMemory);
  } catch (const std::exception& error) {
    return speaks_of_memory(error.what()) ? fail(ErrorCode::kOutOfMemory, kOutOfMemory)
                                          : fail(ErrorCode::kInternal, error.what());
  } catch (...) {
    return fail(ErrorCode::kInternal, "unknown exception");
  }
}

template <typename T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr)
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} must not be NULL", name));
  return *pointer;
}

/// Clears a caller's struct, as much of it as the caller was built with.
template <typename Info>
void init_info(Info* to, size_t size) {
  if (to == nullptr || size < sizeof(uint32_t)) return;
  std::memset(to, 0, size);
  to->struct_size = static_cast<uint32_t>(size);
}

/// Throws for more items than any job can use, before the first is read.
inline void check_count(const char* name, size_t count, size_t most) {
  if (count <= most) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("there are {} {}, expected at most {}", count, name, most));
}

/// Writes as much of `value` as the caller's struct has room for.
template <typename Info>
void write_info(Info value, Info* to, const char* name) {
  const uint32_t size = required(to, name).struct_size;
  if (size < sizeof(uint32_t)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: struct_size is {}; was {}_init called?", name, size, name));
  }
  value.struct_size = size;
  std::memcpy(to, &value, std::min<size_t>(size, sizeof(Info)));
}

inline std::string_view or_empty(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

}  // namespace kandinsky::engine
