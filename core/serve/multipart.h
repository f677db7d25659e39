#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::serve {

/// A field or file of a form.
struct FormPart {
  std::string name;
  std::string_view content;  ///< borrowed from the body
  bool is_file = false;
};

/// The parts of multipart/form-data. Source: RFC 7578. Throws RequestError for another content type
/// or an invalid body.
std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body);

}  // namespace kandinsky::serve
