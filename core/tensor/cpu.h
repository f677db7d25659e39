#pragma once

#include <string>

namespace kandinsky::tensor {

/// Whether this CPU and the system have bf16 tile instructions (AMX), which decide between
/// algorithms: fixed for a machine, independent of its load.
bool has_bf16_tiles();

/// Whether this CPU has the integer products of AVX-VNNI.
bool has_avx_vnni();

/// This CPU's support for bf16.
enum class Bf16Support : int {
  kNone,  ///< no instructions: emulated, and several times slower than fp32
  kSome,  ///< instructions, or unknown
};

Bf16Support bf16_support();

/// The kind of CPU: its model and its features, as the system lists them. Whatever libraries choose
/// by the CPU is the same where this text is.
std::string cpu_description();

}  // namespace kandinsky::tensor
