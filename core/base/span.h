#pragma once

#include <span>

/// A borrowed array.
namespace kandinsky {

template <typename T>
using Span = std::span<T>;

}  // namespace kandinsky
