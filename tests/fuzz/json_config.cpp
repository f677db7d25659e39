/// A component's config, read by every getter.
#include "io/json_config.h"

#include <cmath>

#include "fuzz/fuzz.h"

namespace fuzz = kandinsky::fuzz;
using kandinsky::io::JsonConfig;

namespace {

template <typename Get>
bool answers(const Get& get) {
  return fuzz::accepts([&] { (void)get(); });
}

void read_all(const JsonConfig& config, int depth) {
  constexpr int kDeepest = 8;
  std::string_view last;
  bool first = true;
  for (const std::string_view key : config.keys()) {
    fuzz::require(first || last < key, "keys are sorted and differ");
    first = false;
    last = key;
    fuzz::require(config.has(key), "a listed key is there");
    const bool is_int = answers([&] { return config.get_int(key); });
    const bool is_double = answers([&] {
      fuzz::require(std::isfinite(config.get_double(key)), "numbers are finite");
      return 0;
    });
    const bool is_bool = answers([&] { return config.get_bool(key); });
    const bool is_text = answers([&] {
      fuzz::require(
          kandinsky::find_invalid_utf8(config.get_string_view(key)) == std::string_view::npos,
          "texts are UTF-8");
      return 0;
    });
    answers([&] { return config.get_ints(key); });
    answers([&] { return config.get_doubles(key); });
    const bool is_texts = answers([&] { return config.get_string_views(key); });
    const bool is_object = answers([&] {
      const JsonConfig inner = config.get_object(key);
      if (depth < kDeepest) read_all(inner, depth + 1);
      return 0;
    });
    fuzz::require(!is_int || is_double, "a whole number is a number");
    fuzz::require(static_cast<int>(is_double) + static_cast<int>(is_bool) +
                          static_cast<int>(is_text) + static_cast<int>(is_texts) +
                          static_cast<int>(is_object) <=
                      1,
                  "a value has one type");
    fuzz::require(!is_texts || config.is_list(key), "a list of texts is a list");
    fuzz::require(is_object == config.is_object(key), "an object is an object");
  }
  fuzz::require(config.get_int("no such key, surely", 7) == 7, "what is not there is the fallback");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepts([&] {
    read_all(JsonConfig::parse({reinterpret_cast<const char*>(data), size}, "config.json"), 0);
  });
  return 0;
}
