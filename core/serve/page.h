#pragma once

#include <string_view>

namespace kandinsky::serve {

/// The page at "/": page.html, embedded by the build.
std::string_view page();

}  // namespace kandinsky::serve
