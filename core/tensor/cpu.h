#pragma once

namespace kandinsky::tensor {

/// Whether this CPU multiplies bf16 in tiles (AMX). What is worth doing around a product depends on
/// it: the same on every start, whatever else the machine does.
bool has_bf16_tiles();

}  // namespace kandinsky::tensor
