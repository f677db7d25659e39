#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace kandinsky {

/// Counts the values of a JSON text without storing them. A parser callback that keeps values would
/// take quadratic time.
template <typename Refuse>
class JsonCounter : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonCounter(std::size_t most_values, std::size_t most_depth, Refuse refuse)
      : most_values_(most_values), most_depth_(most_depth), refuse_(std::move(refuse)) {}

  bool null() override { return count(); }
  bool boolean(bool /*value*/) override { return count(); }
  bool number_integer(number_integer_t /*value*/) override { return count(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return count(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return count(); }
  bool string(string_t& /*value*/) override { return count(); }
  bool binary(binary_t& /*value*/) override { return count(); }
  bool key(string_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*elements*/) override { return begin(); }
  bool start_array(std::size_t /*elements*/) override { return begin(); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t /*position*/, const std::string& /*last_token*/,
                   const nlohmann::json::exception& /*error*/) override {
    return false;  // reported when the values are parsed
  }

 private:
  bool count() {
    if (++values_ > most_values_) refuse_("values", most_values_);
    return true;
  }
  bool begin() {
    if (++depth_ > most_depth_) refuse_("lists and objects inside each other", most_depth_);
    return count();
  }
  bool end() {
    --depth_;
    return true;
  }

  std::size_t most_values_;
  std::size_t most_depth_;
  Refuse refuse_;
  std::size_t values_ = 0;
  std::size_t depth_ = 0;
};

/// Calls refuse(what, most), which throws, for JSON with more values (including lists and objects)
/// or deeper nesting: before it is in memory, and before code recurses into it.
template <typename Refuse>
void check_json_caps(std::string_view text, std::size_t most_values, std::size_t most_depth,
                     Refuse refuse) {
  JsonCounter<Refuse> counter(most_values, most_depth, std::move(refuse));
  nlohmann::json::sax_parse(text.begin(), text.end(), &counter);
}

}  // namespace kandinsky
