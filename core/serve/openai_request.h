#pragma once

#include <string>

#include "jobs/request.h"
#include "serve/task.h"

namespace kandinsky::serve {

enum class OpenaiRoute : int { kGenerations, kEdits, kVariations };

/// Reads a request of OpenAI's image routes: JSON for generations, a form for the others. The field
/// "kandinsky", or "kandinsky[NAME]" of a form, holds options by name. Throws RequestError, as
/// read_order() and parse_form() do.
Order read_openai(const jobs::RequestReader& reader, OpenaiRoute route,
                  const std::string& content_type, const std::string& body);

}  // namespace kandinsky::serve
