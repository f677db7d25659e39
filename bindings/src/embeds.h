#pragma once

#include <memory>

#include "kandinsky.hpp"

namespace kandinsky::bindings {

/// Shared, so that a job keeps its embeds when Python drops them meanwhile.
using SharedEmbeds = std::shared_ptr<Embeds>;

}  // namespace kandinsky::bindings
