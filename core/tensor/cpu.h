#pragma once

namespace kandinsky::tensor {

/// Whether this CPU multiplies bf16 in tiles (AMX). What is worth doing around a product depends on
/// it: the same on every start, whatever else the machine does.
bool has_bf16_tiles();

/// What computing in bf16 is on this CPU.
enum class Bf16Support : int {
  kNone,  ///< there are no instructions for it: it is imitated, and several times slower than fp32
  kSome,  ///< there are, or nobody knows
};

Bf16Support bf16_support();

}  // namespace kandinsky::tensor
