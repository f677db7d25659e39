#pragma once

#include "base/span.h"
#include "io/model_dir.h"
#include "pipelines/family.h"

namespace kandinsky::pipelines {

/// The table of all families.
Span<const Family> families();

/// The family of a folder, or null.
const Family* find_family(const io::ModelDir& model);

}  // namespace kandinsky::pipelines
