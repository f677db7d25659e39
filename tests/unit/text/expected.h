#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/tokens.h"

namespace kandinsky::test {

inline std::string text_data(const std::string& name) {
  return std::string(KANDINSKY_TESTS_DIR) + "/unit/text/data/" + name;
}

/// Calls body(prompt, row) for each recorded prompt; row is transformers' answer (see
/// make_data.py).
template <typename Body>
void for_each_expected(const std::string& tokenizer, const Body& body) {
  std::ifstream stream(text_data("expected.json"));
  const nlohmann::json expected = nlohmann::json::parse(stream);
  ASSERT_GE(expected.at("rows").size(), 60U);
  for (const nlohmann::json& entry : expected.at("rows")) {
    const auto text = entry.at("text").get<std::string>();
    std::string prompt;
    for (int i = 0; i < entry.at("times").get<int>(); ++i) prompt += text;
    SCOPED_TRACE(entry.at("text").dump() + " x " + entry.at("times").dump());
    body(prompt, entry.at(tokenizer));
  }
}

/// Calls body(prompt, ids) for each of the odd prompts that make_data.py puts together.
template <typename Body>
void for_each_odd_prompt(const Body& body) {
  std::ifstream stream(text_data("clip_odd.json"));
  const nlohmann::json rows = nlohmann::json::parse(stream);
  ASSERT_GE(rows.size(), 800U);
  for (const nlohmann::json& row : rows) {
    SCOPED_TRACE(row.at(0).dump(-1, ' ', true));
    body(row.at(0).get<std::string>(), row.at(1).get<std::vector<std::int64_t>>());
  }
}

inline void expect_row(const text::Tokens& actual, const nlohmann::json& expected) {
  EXPECT_EQ(actual.ids, expected.at("ids").get<std::vector<std::int64_t>>());
  const auto num_ones = expected.at("num_ones").get<std::size_t>();
  std::vector<std::int64_t> mask(actual.ids.size(), 0);
  std::fill_n(mask.begin(), num_ones, 1);
  EXPECT_EQ(actual.attention_mask, mask);
  const auto kept = static_cast<std::int64_t>(num_ones) - 2;
  EXPECT_EQ(actual.num_dropped, expected.at("num_tokens").get<std::int64_t>() - kept);
}

}  // namespace kandinsky::test
