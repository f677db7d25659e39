#pragma once

#include <string>

namespace kandinsky::jobs {

/// A short name for the weights in a model folder, whatever the folder is called: the first ten
/// digits of the SHA-256 of the names and sizes of its weight files and of sixteen pieces of 64 KiB
/// of each, as hosts show it, see docs/api.md. Throws StatusError as File does.
std::string weights_digest(const std::string& dir);

}  // namespace kandinsky::jobs
