#include "text/prompt_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace kandinsky::text {
namespace {

constexpr double kRound = 1.1;
constexpr double kSquare = 1.0 / 1.1;
constexpr std::u32string_view kBreak = U"BREAK";
constexpr std::u32string_view kSyntax = U"\\()[]:";
constexpr std::u32string_view kEscapable = U"\\()[]";

bool is_in(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }

bool is_word(char32_t c) { return c == U'_' || is_letter(c) || is_number(c); }

/// \s of Python's regular expressions, which hosts use for prompts.
bool is_pattern_space(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

std::string to_utf8(Span<const char32_t> text) {
  std::string result;
  std::array<unsigned char, 4> bytes{};
  for (const char32_t c : text) {
    const std::size_t size = encode_utf8(c, bytes.data());
    result.append(reinterpret_cast<const char*>(bytes.data()), size);
  }
  return result;
}

Error bad_prompt(std::string_view what) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("prompt: {}; write \\( and \\) for brackets that are no weights", what)};
}

/// A piece of the prompt: text with its weight so far, or a BREAK.
struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
  double weight = 1.0;
  bool is_break = false;
};

class Parser {
 public:
  explicit Parser(Span<const char32_t> prompt) : prompt_(prompt) {}

  std::vector<Piece> parse() && {
    std::size_t at = 0;
    while (at < prompt_.size()) at = read(at);
    // Unclosed brackets extend to the end: the round ones first, as in the host.
    for (const std::size_t first : round_) multiply(first, kRound);
    for (const std::size_t first : square_) multiply(first, kSquare);
    return std::move(pieces_);
  }

 private:
  /// Parses the item at a position and returns the position of the next one.
  std::size_t read(std::size_t at) {
    switch (prompt_[at]) {
      case U'\\':
        if (at + 1 == prompt_.size() || !is_in(prompt_[at + 1], kEscapable)) return at + 1;
        add_text(at + 1, at + 2);
        return at + 2;
      case U'(':
        return open(&round_, at);
      case U'[':
        return open(&square_, at);
      case U')':
        return close(&round_, kRound, at);
      case U']':
        return close(&square_, kSquare, at);
      case U':':
        return read_weight(at);
      default:
        return read_run(at);
    }
  }

  std::size_t open(std::vector<std::size_t>* brackets, std::size_t at) {
    if (round_.size() + square_.size() == limits::kMaxPromptNesting) {
      throw bad_prompt(fmt::format("more than {} brackets are open at once at character {}",
                                   limits::kMaxPromptNesting, at + 1));
    }
    brackets->push_back(pieces_.size());
    return at + 1;
  }

  std::size_t close(std::vector<std::size_t>* brackets, double factor, std::size_t at) {
    if (brackets->empty()) {
      add_text(at, at + 1);
    } else {
      multiply(brackets->back(), factor);
      brackets->pop_back();
    }
    return at + 1;
  }

  /// ":1.3)" closes a round bracket; without one, or in any other form, a colon is text.
  std::size_t read_weight(std::size_t at) {
    const auto skip_spaces = [this](std::size_t i) {
      while (i < prompt_.size() && is_pattern_space(prompt_[i])) ++i;
      return i;
    };
    const std::size_t begin = skip_spaces(at + 1);
    std::size_t end = begin;
    if (end < prompt_.size() && is_in(prompt_[end], U"+-")) ++end;
    const std::size_t digits = end;
    while (end < prompt_.size() && is_in(prompt_[end], U".0123456789")) ++end;
    const std::size_t closing = skip_spaces(end);
    if (end == digits || closing == prompt_.size() || prompt_[closing] != U')') {
      add_text(at, at + 1);
      return at + 1;
    }
    if (round_.empty()) {
      add_text(at, closing + 1);
    } else {
      multiply(round_.back(), number(prompt_.subspan(begin, end - begin)));
      round_.pop_back();
    }
    return closing + 1;
  }

  static double number(Span<const char32_t> digits) {
    const std::string text = to_utf8(digits);
    const char* const begin = text.data() + (text.front() == '+' ? 1 : 0);
    const char* const end = text.data() + text.size();
    double value = 0.0;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error != std::errc() || stop != end) {
      throw bad_prompt(fmt::format("the weight \"{}\" is not a number", text.substr(0, 40)));
    }
    return value;
  }

  /// Text up to the next character of the syntax, with BREAKs in it.
  std::size_t read_run(std::size_t begin) {
    std::size_t end = begin;
    while (end < prompt_.size() && !is_in(prompt_[end], kSyntax)) ++end;
    const std::u32string_view run(prompt_.data() + begin, end - begin);
    std::size_t text = 0;
    std::size_t found = run.find(kBreak);
    while (found != std::u32string_view::npos) {
      std::size_t after = found + kBreak.size();
      if ((found == 0 || !is_word(run[found - 1])) &&
          (after == run.size() || !is_word(run[after]))) {
        std::size_t before = found;
        while (before > text && is_pattern_space(run[before - 1])) --before;
        while (after < run.size() && is_pattern_space(run[after])) ++after;
        add_text(begin + text, begin + before);
        pieces_.push_back({.is_break = true});
        text = after;
      }
      found = run.find(kBreak, after);
    }
    add_text(begin + text, end);
    return end;
  }

  void add_text(std::size_t begin, std::size_t end) {
    if (begin < end) pieces_.push_back({.begin = begin, .end = end});
  }

  /// In the host's order, so that products are equal to the last bit.
  void multiply(std::size_t first, double factor) {
    for (std::size_t i = first; i < pieces_.size(); ++i) pieces_[i].weight *= factor;
  }

  Span<const char32_t> prompt_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> round_;  // the first piece of each open bracket
  std::vector<std::size_t> square_;
};

void check_weight(double weight, Span<const char32_t> text) {
  constexpr std::size_t kQuoted = 40;
  // Written so that a NaN is refused.
  if (std::abs(weight) <= limits::kMaxPromptWeight) return;
  throw bad_prompt(fmt::format("the weight of \"{}\" comes to {:.4g}, expected {:g} to {:g}",
                               to_utf8(text.first(std::min(text.size(), kQuoted))), weight,
                               -limits::kMaxPromptWeight, limits::kMaxPromptWeight));
}

bool is_blank(const WeightedText& text) {
  const std::vector<char32_t> characters = decode_utf8({text.text.data(), text.text.size()});
  return std::all_of(characters.begin(), characters.end(), is_pattern_space);
}

}  // namespace

WeightedText WeightedText::plain(std::string_view text) {
  return {.text = {text.begin(), text.end()}, .parts = {{.size = text.size()}}};
}

std::vector<std::string_view> WeightedText::part_texts() const {
  std::vector<std::string_view> texts;
  std::size_t begin = 0;
  for (const WeightedPart& part : parts) {
    texts.emplace_back(text.data() + begin, part.size);
    begin += part.size;
  }
  return texts;
}

std::vector<WeightedText> parse_prompt_weights(std::string_view prompt) {
  check_prompt(prompt);
  const std::vector<char32_t> characters = decode_utf8(prompt);
  const Span<const char32_t> all(characters);
  std::vector<WeightedText> texts(1);
  for (const Piece& piece : Parser(all).parse()) {
    if (piece.is_break) {
      texts.emplace_back();
      continue;
    }
    WeightedText& text = texts.back();
    const Span<const char32_t> content = all.subspan(piece.begin, piece.end - piece.begin);
    check_weight(piece.weight, content);
    const std::string utf8 = to_utf8(content);
    text.text.insert(text.text.end(), utf8.begin(), utf8.end());
    if (text.parts.empty() || text.parts.back().weight != piece.weight) {
      text.parts.push_back({.size = utf8.size(), .weight = piece.weight});
    } else {
      text.parts.back().size += utf8.size();
    }
  }
  if (std::all_of(texts.begin(), texts.end(), is_blank)) {
    const std::vector<char>& first = texts.front().text;
    return {WeightedText::plain({first.data(), first.size()})};
  }
  std::erase_if(texts, is_blank);
  return texts;
}

}  // namespace kandinsky::text
