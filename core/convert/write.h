/// The files that a conversion leaves.
#pragma once

#include "convert/inputs.h"
#include "convert/plan.h"

namespace kandinsky::convert {

/// Throws Error as its readers and writers, and kUnsupported for values beyond the precision's
/// range.
void write_weights(const PlannedFile& planned, const Target& target, const Report& report);

/// Settings, tokenizers, and the model_index.json of each folder that is complete. Throws
/// Error(kNotFound), after all else is done, naming what is missing and where to get it.
void write_folders(const Target& target, const Inputs& inputs);

}  // namespace kandinsky::convert
