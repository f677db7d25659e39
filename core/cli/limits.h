#pragma once

#include <cstdint>

/// Ranges of kandinsky.h. They are checked here as well so that messages name the option.
namespace kandinsky::cli {

inline constexpr std::int32_t kMaxBatchSize = 64;
inline constexpr std::int32_t kMaxSide = 16384;
inline constexpr std::int32_t kMaxSteps = 1000;
inline constexpr double kMaxScale = 100;
inline constexpr double kMaxWeight = 1e6;
inline constexpr std::int32_t kMaxMaskBlur = 64;
inline constexpr std::int32_t kMaxCacheInterval = 100;
inline constexpr std::int32_t kMaxThreads = 1024;
inline constexpr std::uint64_t kMaxImageFileBytes = std::uint64_t{1} << 28U;

}  // namespace kandinsky::cli
