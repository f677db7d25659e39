#pragma once

#include <string_view>

namespace kandinsky::serve {

/// The page at "/": page.html, which the build puts into the program.
std::string_view page();

}  // namespace kandinsky::serve
