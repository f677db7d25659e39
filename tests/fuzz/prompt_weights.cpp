/// A prompt with weights.
#include "text/prompt_weights.h"

#include <fmt/format.h>

#include <cmath>

#include "base/limits.h"
#include "fuzz/fuzz.h"

namespace fuzz = kandinsky::fuzz;
using kandinsky::text::WeightedText;

namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view("()[]\\").find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

/// A prompt that means the texts.
std::string written(const std::vector<WeightedText>& texts) {
  std::string prompt;
  for (const WeightedText& text : texts) {
    if (!prompt.empty()) prompt += " BREAK ";
    const std::vector<std::string_view> parts = text.part_texts();
    for (std::size_t i = 0; i < parts.size(); ++i)
      prompt += fmt::format("({}:{:.20f})", escaped(parts[i]), text.parts[i].weight);
  }
  return prompt;
}

bool is_same(const WeightedText& left, const WeightedText& right) {
  if (left.text != right.text || left.parts.size() != right.parts.size()) return false;
  for (std::size_t i = 0; i < left.parts.size(); ++i) {
    if (left.parts[i].size != right.parts[i].size ||
        std::abs(left.parts[i].weight - right.parts[i].weight) > 1e-12)
      return false;
  }
  return true;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view prompt(reinterpret_cast<const char*>(data), size);
  std::vector<WeightedText> texts;
  if (!fuzz::accepts([&] { texts = kandinsky::text::parse_prompt_weights(prompt); })) return 0;
  fuzz::require(kandinsky::find_invalid_utf8(prompt) == std::string_view::npos,
                "a prompt is UTF-8");
  fuzz::require(!texts.empty(), "there is a text");
  bool is_plain_break = false;
  bool nothing_is_tiny = true;
  for (const WeightedText& text : texts) {
    const std::string_view all(text.text.data(), text.text.size());
    fuzz::require(kandinsky::find_invalid_utf8(all) == std::string_view::npos, "a text is UTF-8");
    std::size_t sum = 0;
    for (std::size_t i = 0; i < text.parts.size(); ++i) {
      const double weight = text.parts[i].weight;
      sum += text.parts[i].size;
      fuzz::require(std::abs(weight) <= kandinsky::limits::kMaxPromptWeight,
                    "weights are in their range");
      fuzz::require(i == 0 || weight != text.parts[i - 1].weight, "neighbours differ in weight");
      nothing_is_tiny =
          nothing_is_tiny && (i == 0 || std::abs(weight - text.parts[i - 1].weight) > 1e-9);
    }
    fuzz::require(!text.parts.empty() && sum == text.text.size(), "the parts are the text");
    is_plain_break = is_plain_break || all.find("BREAK") != std::string_view::npos;
  }
  // Escaped, every character is text. BREAK is a word without an escape.
  if (!is_plain_break && nothing_is_tiny) {
    const std::vector<WeightedText> again = kandinsky::text::parse_prompt_weights(written(texts));
    const bool is_blank = texts.size() == 1 && again.size() == 1 && texts[0].text == again[0].text;
    fuzz::require(again.size() == texts.size(), "a prompt with the same weights has as many texts");
    for (std::size_t i = 0; i < texts.size(); ++i) {
      fuzz::require(is_same(texts[i], again[i]) || is_blank,
                    "a prompt with the same weights means the same");
    }
  }
  return 0;
}
