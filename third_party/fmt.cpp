// The functions of fmt that messages need, see fmt.cmake. Here they are inline functions that are
// used, and so are kept as weak symbols: where two archives with the same fmt meet in one program,
// either one's will do; those with another layout of std::string have a namespace of their own.
#define FMT_HEADER_ONLY
#include <fmt/format.h>

#include <cstdio>
#include <string>

namespace {

// All others are called by these.
[[gnu::used]] std::string (*const kFormat)(fmt::string_view, fmt::format_args) = &fmt::vformat;
[[gnu::used]] void (*const kPrint)(fmt::string_view, fmt::format_args) = &fmt::vprint;
[[gnu::used]] void (*const kPrintTo)(std::FILE*, fmt::string_view, fmt::format_args) = &fmt::vprint;

// What the templates of fmt's headers call besides.
[[gnu::used]] void make_error() { const fmt::format_error error(""); }

}  // namespace
