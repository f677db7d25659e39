#include "serve/multipart.h"

#include "jobs/text.h"
#include "serve/reply.h"

namespace kandinsky::serve {
namespace {

constexpr int kBad = 400;
constexpr int kOtherType = 415;
constexpr std::size_t kMostParts = 64;
constexpr std::string_view kLineEnd = "\r\n";

[[noreturn]] void refuse_body() {
  throw RequestError(kBad, "the body is not complete multipart/form-data");
}

/// The parameter `name` of a header's value, without quotes; null data: none.
std::string_view parameter(std::string_view header, std::string_view name) {
  while (true) {
    const std::size_t semicolon = header.find(';');
    if (semicolon == std::string_view::npos) return {};
    header.remove_prefix(semicolon + 1);
    const std::size_t equals = header.find('=');
    if (equals == std::string_view::npos) return {};
    const bool is_it = jobs::same_word(jobs::stripped(header.substr(0, equals)), name);
    header.remove_prefix(equals + 1);
    std::string_view value = jobs::stripped(header.substr(0, header.find(';')));
    if (header.starts_with('"')) {
      const std::size_t end = header.find('"', 1);
      if (end == std::string_view::npos) return {};
      value = header.substr(1, end - 1);
      header.remove_prefix(end + 1);
    }
    if (is_it) return value;
  }
}

FormPart read_part(std::string_view part) {
  const std::size_t end = part.find("\r\n\r\n");
  if (end == std::string_view::npos) refuse_body();
  FormPart read{.name = {}, .content = part.substr(end + 4)};
  std::string_view headers = part.substr(0, end);
  while (!headers.empty()) {
    const std::size_t line_end = std::min(headers.find(kLineEnd), headers.size());
    const std::string_view line = headers.substr(0, line_end);
    headers.remove_prefix(std::min(line_end + kLineEnd.size(), headers.size()));
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (!jobs::same_word(line.substr(0, colon), "content-disposition")) continue;
    read.name = parameter(line, "name");
    read.is_file = parameter(line, "filename").data() != nullptr;
  }
  if (read.name.empty()) refuse_body();
  return read;
}

}  // namespace

std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body) {
  const std::string_view type = jobs::stripped(content_type.substr(0, content_type.find(';')));
  const std::string_view boundary = parameter(content_type, "boundary");
  if (!jobs::same_word(type, "multipart/form-data") || boundary.empty())
    throw RequestError(kOtherType, "this route takes multipart/form-data");
  const std::string delimiter = "--" + std::string(boundary);
  if (!body.starts_with(delimiter)) refuse_body();
  body.remove_prefix(delimiter.size());
  std::vector<FormPart> parts;
  while (!body.starts_with("--")) {
    if (!body.starts_with(kLineEnd) || parts.size() >= kMostParts) refuse_body();
    body.remove_prefix(kLineEnd.size());
    const std::size_t end = body.find("\r\n" + delimiter);
    if (end == std::string_view::npos) refuse_body();
    parts.push_back(read_part(body.substr(0, end)));
    body.remove_prefix(end + kLineEnd.size() + delimiter.size());
  }
  return parts;
}

}  // namespace kandinsky::serve
