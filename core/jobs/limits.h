#pragma once

#include <cstddef>
#include <cstdint>

#include "base/limits.h"

/// Ranges without an option: those of kandinsky.h, and limits of requests.
namespace kandinsky::jobs {

inline constexpr double kMaxWeight = 1e6;
inline constexpr std::int32_t kMaxThreads = 1024;
using limits::kMaxImageFileBytes;

/// Values of a request's JSON, including lists and objects, and their nesting depth. The longest
/// allowed mix has about two hundred, and three.
inline constexpr std::size_t kMaxRequestValues = 10'000;
inline constexpr std::size_t kMaxRequestDepth = 16;

}  // namespace kandinsky::jobs
