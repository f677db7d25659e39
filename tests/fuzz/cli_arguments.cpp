/// Words of the command line: numbers, sizes, amounts of memory, names. The input's first byte says
/// which.
#include <algorithm>
#include <cmath>

#include "cli/arguments.h"
#include "fuzz/fuzz.h"
#include "kandinsky.hpp"

namespace fuzz = kandinsky::fuzz;
namespace cli = kandinsky::cli;

extern "C" const char* kandinsky_last_error(void) { return ""; }

namespace {

/// As fuzz::accepts, for the command line's errors.
template <typename Reader>
bool accepts(const Reader& reader) {
  try {
    reader();
    return true;
  } catch (const kandinsky::StatusError& error) {
    const std::string_view words = error.what();
    fuzz::require(error.status() == KANDINSKY_INVALID_ARGUMENT,
                  "a wrong word is the caller's fault");
    fuzz::require(words.starts_with("--option"), "an error names the option:", words);
  } catch (const std::exception& error) {
    fuzz::require(false, "only our own errors come out:", error.what());
  }
  return false;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const int kind = input.byte() % 6;
  const std::string text(input.rest());
  if (kind == 0) {
    std::int32_t value = 0;
    if (accepts([&] { value = cli::parse_integer("--option", text, -50, 1000); })) {
      fuzz::require(value >= -50 && value <= 1000, "a number is in its range");
      fuzz::require(cli::parse_integer("--option", std::to_string(value), -50, 1000) == value,
                    "a number is read as it is written");
    }
  } else if (kind == 1) {
    double value = 0;
    if (accepts([&] { value = cli::parse_number("--option", text, -2.5, 1e6); }))
      fuzz::require(std::isfinite(value) && value >= -2.5 && value <= 1e6,
                    "a number is in its range");
  } else if (kind == 2) {
    std::pair<std::int32_t, std::int32_t> value;
    if (accepts([&] { value = cli::parse_size("--option", text, 16384); })) {
      fuzz::require(
          std::min(value.first, value.second) >= 1 && std::max(value.first, value.second) <= 16384,
          "a side is in its range");
      const std::string written = std::to_string(value.first) + "x" + std::to_string(value.second);
      fuzz::require(cli::parse_size("--option", written, 16384) == value,
                    "a size is read as it is written");
    }
  } else if (kind == 3) {
    std::uint64_t value = 0;
    if (accepts([&] { value = cli::parse_bytes("--option", text); }))
      fuzz::require(value > 0, "an amount is not nothing");
  } else if (kind == 4) {
    const std::vector<std::string> words = {"stretch", "crop", "Latent Noise"};
    std::string value;
    if (accepts([&] { value = cli::parse_word("--option", text, words); }))
      fuzz::require(std::find(words.begin(), words.end(), value) != words.end(),
                    "a word is one of the list");
  } else {
    const std::int32_t batch = 1 + static_cast<std::int32_t>(text.size() % 64);
    std::uint64_t value = 0;
    if (accepts([&] { value = cli::parse_seed("--option", text, batch); }))
      fuzz::require(value <= UINT64_MAX - static_cast<std::uint64_t>(batch - 1),
                    "every seed of a batch is a seed");
  }
  return 0;
}
