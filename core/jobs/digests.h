#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "jobs/files.h"

namespace kandinsky::jobs {

/// The SHA-256 of a text, in 64 lower-case digits.
std::string sha256(std::string_view text);

/// Of a file. Throws as read_file.
std::string sha256_of_file(const std::string& path, std::uint64_t most = kAnySize);

/// A model's hash in the hosts' form: the first ten digits of folder_digest().
std::string model_hash(const std::string& dir);

}  // namespace kandinsky::jobs
