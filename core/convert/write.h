/// Writes the files of a conversion.
#pragma once

#include "convert/convert.h"
#include "convert/inputs.h"
#include "convert/plan.h"

namespace kandinsky::convert {

/// Throws Error as its readers and writers, and kUnsupported for values beyond the precision's
/// range.
void write_weights(const PlannedFile& planned, const Target& target, const Report& report);

/// Settings, tokenizers, and the model_index.json of each folder that is complete. Throws
/// Error(kNotFound), after the rest, with the missing files and their source.
void write_folders(const Target& target, const Inputs& inputs);

}  // namespace kandinsky::convert
