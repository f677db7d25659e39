#pragma once

#include <cstdint>

/// Ranges of kandinsky.h that belong to no option.
namespace kandinsky::jobs {

inline constexpr double kMaxWeight = 1e6;
inline constexpr std::int32_t kMaxThreads = 1024;
inline constexpr std::uint64_t kMaxImageFileBytes = std::uint64_t{1} << 28U;

}  // namespace kandinsky::jobs
