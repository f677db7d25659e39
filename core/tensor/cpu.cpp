#include "tensor/cpu.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <string_view>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace kandinsky::tensor {
namespace {

struct Features {
  bool bf16_tiles = false;
  bool avx_vnni = false;
  Bf16Support bf16 = Bf16Support::kSome;
};

#if defined(__x86_64__) && defined(__GNUC__)
/// Whether the system keeps the tiles' state: Linux before 5.16 does not, and then they cannot be
/// used.
bool system_has_tiles() {
  constexpr unsigned kHasXgetbv = 1U << 27U;  // leaf 1, ecx
  constexpr unsigned kTileState = 3U << 17U;  // configuration and data
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kHasXgetbv) == 0) return false;
  __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (eax & kTileState) == kTileState;
}
#endif

Features ask_cpu() {
  Features features;
#if defined(__x86_64__) && defined(__GNUC__)
  constexpr unsigned kAmxBf16 = 1U << 22U;    // leaf 7, subleaf 0, edx
  constexpr unsigned kAvxVnni = 1U << 4U;     // leaf 7, subleaf 1, eax
  constexpr unsigned kAvx512Bf16 = 1U << 5U;  // the same
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  features.bf16_tiles = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 &&
                        (edx & kAmxBf16) != 0 && system_has_tiles();
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) == 0) eax = 0;
  features.avx_vnni = (eax & kAvxVnni) != 0;
  if (!features.bf16_tiles && (eax & kAvx512Bf16) == 0) features.bf16 = Bf16Support::kNone;
#elif defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kBf16 = 1UL << 14U;  // HWCAP2_BF16
  if ((getauxval(AT_HWCAP2) & kBf16) == 0) features.bf16 = Bf16Support::kNone;
#endif
  return features;
}

const Features& features() {
  static const Features all = ask_cpu();
  return all;
}

}  // namespace

bool has_bf16_tiles() { return features().bf16_tiles; }

bool has_avx_vnni() { return features().avx_vnni; }

Bf16Support bf16_support() { return features().bf16; }

std::string cpu_description() {
  // Clock rate, core and its number differ from line to line and from moment to moment.
  constexpr std::array<std::string_view, 9> kFields{"vendor_id", "cpu family",  "model",
                                                    "stepping",  "flags",       "Features",
                                                    "CPU part",  "CPU variant", "CPU implementer"};
  std::string text;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {  // of the first CPU
    const std::string_view name = std::string_view(line).substr(0, line.find('\t'));
    if (std::ranges::find(kFields, name) != kFields.end()) text += line + '\n';
  }
  return text;
}

}  // namespace kandinsky::tensor
