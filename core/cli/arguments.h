#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Command line arguments -> checked values. Numbers are parsed here and not by CLI11, which reads
/// "010" as 8 and whose messages do not give the range.
namespace kandinsky::cli {

/// Any text. `option` is its name in messages, such as "--prompt". Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT) unless it is UTF-8. File names may be any bytes.
std::string parse_text(std::string_view option, std::string_view text);

/// A whole decimal number in [lowest, highest]. Throws as parse_text.
std::int32_t parse_integer(std::string_view option, std::string_view text, std::int32_t lowest,
                           std::int32_t highest);

/// A finite decimal number in [lowest, highest]. Throws as parse_integer.
double parse_number(std::string_view option, std::string_view text, double lowest, double highest);

/// {width, height} of "640x480", each 1 to `most`. Throws as parse_integer.
std::pair<std::int32_t, std::int32_t> parse_size(std::string_view option, std::string_view text,
                                                 std::int32_t most);

/// "a, b" -> a and b
std::vector<std::string> split_list(std::string_view text);

/// Bytes of "3GB", "2.5 GB", "800MB" or "3GiB": a decimal number above 0 and its unit, in any case:
/// MB, GB and TB count in thousands, MiB, GiB and TiB in 1024. Throws as parse_integer.
std::uint64_t parse_bytes(std::string_view option, std::string_view text);

/// The one of `words` that equals `text`, ignoring case. Throws as parse_integer, listing the
/// words.
std::string parse_word(std::string_view option, std::string_view text,
                       const std::vector<std::string>& words);

/// The first seed of a batch: the given number, or for -1 a random one in [0, 2^32 - 2], as in
/// hosts. Throws as parse_integer, also when a seed of the batch would exceed 2^64 - 1.
std::uint64_t parse_seed(std::string_view option, std::string_view text, std::int32_t batch_size);

}  // namespace kandinsky::cli
