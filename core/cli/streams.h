#pragma once

#include <string_view>

/// Standard output and standard error. Nothing here throws or ends the program, whatever became of
/// the terminal, pipe or file behind them.
namespace kandinsky::cli {

/// To be called before any file is opened: fills the numbers 0 to 2 where the parent process closed
/// them. An image would get them otherwise, and then what is meant for standard error.
void reserve_descriptors() noexcept;

/// Writes to standard error; what cannot be written is lost.
void say(std::string_view text) noexcept;

/// Writes "kandinsky: <message>" as one line to standard error: line breaks become blanks, and
/// other control characters, which may come from a file's name, are shown as \x1b.
void say_line(std::string_view message) noexcept;

/// Writes results to standard output. What cannot be written shows in print_error().
void print(std::string_view text) noexcept;

/// The first reason why a result could not be printed, as errno has it; 0 if there was none.
int print_error() noexcept;

}  // namespace kandinsky::cli
