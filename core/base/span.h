#pragma once

#include <span>

/// The one spelling of a borrowed array in this code base.
namespace kandinsky {

template <typename T>
using Span = std::span<T>;

}  // namespace kandinsky
