#include "cli/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "jobs/text.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw StatusError(KANDINSKY_INVALID_ARGUMENT, message);
}

template <typename Number>
Number parse(std::string_view option, std::string_view text, const char* kind) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (stop != end || text.empty() || error == std::errc::invalid_argument) {
    refuse(fmt::format("{}: \"{}\" is not a {}", option, text, kind));
  }
  if (error == std::errc::result_out_of_range) {
    refuse(fmt::format("{}: {} is too large or too small a number", option, text));
  }
  return value;
}

template <typename Number>
void check_range(std::string_view option, std::string_view text, Number value, Number lowest,
                 Number highest) {
  if (value < lowest || value > highest) {
    refuse(fmt::format("{}: {} is out of range, it must be from {} to {}", option, text, lowest,
                       highest));
  }
}

}  // namespace

std::string parse_text(std::string_view option, std::string_view text) {
  if (!jobs::is_utf8(text)) {
    refuse(fmt::format("{}: the text is not UTF-8; check the encoding of the terminal or script",
                       option));
  }
  return std::string(text);
}

std::int32_t parse_integer(std::string_view option, std::string_view text, std::int32_t lowest,
                           std::int32_t highest) {
  const auto value = parse<std::int64_t>(option, text, "whole number");
  check_range<std::int64_t>(option, text, value, lowest, highest);
  return static_cast<std::int32_t>(value);
}

double parse_number(std::string_view option, std::string_view text, double lowest, double highest) {
  const auto value = parse<double>(option, text, "number");
  if (!std::isfinite(value)) refuse(fmt::format("{}: {} is not a finite number", option, text));
  check_range(option, text, value, lowest, highest);
  return value;
}

std::pair<std::int32_t, std::int32_t> parse_size(std::string_view option, std::string_view text,
                                                 std::int32_t most) {
  const std::size_t cross = text.find_first_of("xX");
  if (cross == std::string_view::npos) {
    refuse(fmt::format("{}: \"{}\" is not a size such as 640x480", option, text));
  }
  return {parse_integer(option, text.substr(0, cross), 1, most),
          parse_integer(option, text.substr(cross + 1), 1, most)};
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

std::uint64_t parse_bytes(std::string_view option, std::string_view text) {
  struct Unit {
    const char* name;
    double bytes;
  };
  constexpr std::array<Unit, 6> kUnits{{{"mb", 1e6},
                                        {"gb", 1e9},
                                        {"tb", 1e12},
                                        {"mib", 1024.0 * 1024},
                                        {"gib", 1024.0 * 1024 * 1024},
                                        {"tib", 1024.0 * 1024 * 1024 * 1024}}};
  const std::size_t end = text.find_last_of("0123456789.");
  const std::size_t letters = end == std::string_view::npos ? 0 : end + 1;
  const std::size_t unit = std::min(text.find_first_not_of(' ', letters), text.size());
  const auto* const found = std::ranges::find_if(
      kUnits, [&](const Unit& known) { return jobs::same_word(text.substr(unit), known.name); });
  if (letters == 0 || found == kUnits.end()) {
    refuse(fmt::format("{}: \"{}\" is not a size of memory such as 3GB, 2500MB or 3GiB", option,
                       text));
  }
  constexpr double kMost = 1e6;
  const double number = parse<double>(option, text.substr(0, letters), "number");
  if (!(number > 0) || number > kMost) {
    refuse(fmt::format("{}: {} is out of range, the number must be above 0 and up to {}", option,
                       text, kMost));
  }
  const double bytes = number * found->bytes;
  if (bytes < 1) refuse(fmt::format("{}: {} is less than one byte", option, text));
  return static_cast<std::uint64_t>(bytes);
}

std::string parse_word(std::string_view option, std::string_view text,
                       const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (jobs::same_word(word, text)) return word;
  }
  refuse(fmt::format("{}: there is no \"{}\", only {}", option, text, fmt::join(words, ", ")));
}

std::uint64_t parse_seed(std::string_view option, std::string_view text, std::int32_t batch_size) {
  if (text == "-1") {
    std::random_device device;
    return std::uniform_int_distribution<std::uint64_t>(
        0, std::numeric_limits<std::uint32_t>::max() - 1)(device);
  }
  const auto seed =
      parse<std::uint64_t>(option, text, "seed: a whole number from 0, or -1 for a random one");
  const auto last = static_cast<std::uint64_t>(batch_size) - 1;
  if (seed > std::numeric_limits<std::uint64_t>::max() - last) {
    refuse(fmt::format("{}: {} is too large, image i of a batch has seed + i", option, text));
  }
  return seed;
}

}  // namespace kandinsky::cli
