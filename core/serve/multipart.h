#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::serve {

/// A field of a form, or a file of it.
struct FormPart {
  std::string name;
  std::string_view content;  ///< borrowed from the body
  bool is_file = false;
};

/// The parts of multipart/form-data. Source: RFC 7578. Throws RequestError for another content type
/// and for a body that is none.
std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body);

}  // namespace kandinsky::serve
