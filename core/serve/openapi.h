#pragma once

#include <nlohmann/json_fwd.hpp>

namespace kandinsky::serve {

/// The OpenAPI 3.1 document of all routes, made from their table, the table of options, and that of
/// the fields of Automatic1111's API.
nlohmann::ordered_json openapi_document();

}  // namespace kandinsky::serve
