/// Converts weights to folders in diffusers' layout, as safetensors.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace kandinsky::convert {

struct ConvertRequest {
  /// Each an original checkpoint, a folder of such, or a folder in diffusers' layout, which
  /// supplies what the others lack, including settings and tokenizers.
  std::vector<std::string> inputs;
  /// Of the decoder; the prior and the inpainting model go to <output>-prior and <output>-inpaint.
  std::string output;
  std::string precision;  ///< "fp32", "fp16" or "bf16"
};

/// Reports the number of written tensors of a component; may throw to stop.
using Report = std::function<void(const char* component, int step, int steps)>;
using Say = std::function<void(const std::string& remark)>;

/// Every file is written whole or not at all, and kept if an earlier run finished it from the same
/// input, so that a stopped run can be resumed. A folder gets its
/// model_index.json when it is complete. Throws Error: kInvalidArgument for inputs of unknown kind
/// or given twice, and for an output file of another origin; kNotFound, after converting the rest,
/// with the missing files and their source; kUnsupported for a folder of Kandinsky 2.2; kIo if the
/// disk has too little space, before anything is written; kUnsupported for values beyond the
/// precision's range; as the readers and writers of the files.
void convert(const ConvertRequest& request, const Report& report, const Say& say);

}  // namespace kandinsky::convert
