#pragma once

#include <cstddef>
#include <cstdint>

/// Ranges that belong to no option: those of kandinsky.h, and caps on requests.
namespace kandinsky::jobs {

inline constexpr double kMaxWeight = 1e6;
inline constexpr std::int32_t kMaxThreads = 1024;
inline constexpr std::uint64_t kMaxImageFileBytes = std::uint64_t{1} << 28U;

/// Values of a request's JSON, lists and objects included, and how many of these are inside each
/// other. The longest mix that is allowed has some two hundred, and three.
inline constexpr std::size_t kMaxRequestValues = 10'000;
inline constexpr std::size_t kMaxRequestDepth = 16;

}  // namespace kandinsky::jobs
