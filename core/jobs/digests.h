#pragma once

#include <string>
#include <string_view>

namespace kandinsky::jobs {

/// The SHA-256 of a text, in 64 lower-case digits.
std::string sha256(std::string_view text);

/// Of a file. Throws StatusError(KANDINSKY_IO), KANDINSKY_NOT_FOUND if it does not exist.
std::string sha256_of_file(const std::string& path);

/// A model's hash in the hosts' form: the first ten digits of folder_digest().
std::string model_hash(const std::string& dir);

}  // namespace kandinsky::jobs
