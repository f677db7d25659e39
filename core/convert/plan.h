/// The weight files that a conversion writes, and their sources.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "convert/convert.h"
#include "convert/inputs.h"
#include "convert/key_map.h"
#include "convert/parts.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"

namespace kandinsky::convert {

/// The metadata key for the origin of a written file.
inline constexpr const char* kOrigin = "kandinsky_origin";

/// Output folder and data type.
struct Target {
  std::string output;
  std::string precision;  ///< "fp32", "fp16" or "bf16"
  at::ScalarType type;    ///< the same

  std::string folder_of(const Part& part) const;
  std::string weights_of(const Part& part) const;
  /// Integers are unchanged.
  io::DType type_of(const Piece& piece) const;
};

/// Throws Error(kInvalidArgument) for another precision and for no output.
Target target_of(const ConvertRequest& request);

bool is_floating(io::DType dtype);

/// A file to write.
struct PlannedFile {
  const Part* part;
  std::string path;
  std::string origin{};
  std::deque<io::TensorFile> files{};
  std::vector<Piece> pieces{};
  uint64_t bytes = 0;
  bool is_done = false;  ///< by an earlier run
};

/// Throws Error(kInvalidArgument) for an existing file of another origin, kIo if the disk has too
/// little space.
std::deque<PlannedFile> plan_files(const Target& target, const Inputs& inputs, const Say& say);

}  // namespace kandinsky::convert
