/// For our own loops over elements: code for each kind of CPU, and bf16.
#pragma once

#include <bit>
#include <cstdint>

// The code is selected when the library is loaded.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KANDINSKY_FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KANDINSKY_FOR_EACH_CPU
#endif
#if defined(__GNUC__)
#define KANDINSKY_INLINE inline __attribute__((always_inline))
#else
#define KANDINSKY_INLINE inline
#endif

namespace kandinsky::nn::kernels {

/// bf16 in its memory format.
struct BFloat16 {
  uint16_t bits;
};

KANDINSKY_INLINE float to_float(float x) { return x; }
KANDINSKY_INLINE float to_float(BFloat16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16U);
}

KANDINSKY_INLINE void store(float x, float& to) { to = x; }
KANDINSKY_INLINE void store(float x, BFloat16& to) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;  // half to even
  const uint32_t quiet_nan = (bits >> 16U) | 0x40U;
  to.bits = static_cast<uint16_t>(x == x ? rounded : quiet_nan);
}

}  // namespace kandinsky::nn::kernels
