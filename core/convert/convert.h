/// Weights in other forms -> folders in diffusers' layout, as safetensors.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace kandinsky::convert {

struct ConvertRequest {
  /// Each an original checkpoint, a folder of such, or a folder in diffusers' layout, of which what
  /// the others lack is taken, settings and tokenizers included.
  std::vector<std::string> inputs;
  /// Of the decoder; the prior and the inpainting model go to <output>-prior and <output>-inpaint.
  std::string output;
  std::string precision;  ///< "fp32", "fp16" or "bf16"
};

/// Tells how many of a component's tensors are written; may throw to stop.
using Report = std::function<void(const char* component, int step, int steps)>;
using Say = std::function<void(const std::string& remark)>;

/// Every file is written whole or not at all, and one that an earlier run finished from the same
/// input is left as it is, so that a run that was stopped can be made again. A folder gets its
/// model_index.json when it is complete. Throws Error: kInvalidArgument for inputs whose kind is
/// not known or that are there twice, and for an output file of another origin; kNotFound, after
/// all that can be done is done, naming what is missing and where to get it; kIo where the disk has
/// no room for all, before anything is written; kUnsupported for values beyond the precision's
/// range; as the readers and writers of the files.
void convert(const ConvertRequest& request, const Report& report, const Say& say);

}  // namespace kandinsky::convert
