#pragma once

#include <string_view>

/// Standard output and standard error. Nothing here throws or ends the program, even if the
/// terminal, pipe or file behind them is gone.
namespace kandinsky::cli {

/// Call this before any file is opened: opens descriptors 0 to 2 that the parent process closed.
/// Otherwise an image file could get one of them, and the output meant for standard error.
void reserve_descriptors() noexcept;

/// Writes to standard error; what cannot be written is lost.
void say(std::string_view text) noexcept;

/// Writes "kandinsky: <message>" as one line to standard error: line breaks become spaces, and
/// other control characters, for example from a file name, are escaped as \x1b.
void say_line(std::string_view message) noexcept;

/// Writes results to standard output. What cannot be written shows in print_error().
void print(std::string_view text) noexcept;

/// The errno of the first result that could not be printed; 0 if there was none.
int print_error() noexcept;

}  // namespace kandinsky::cli
