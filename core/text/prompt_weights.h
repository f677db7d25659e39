/// Emphasis in prompts, in the hosts' syntax.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace kandinsky::text {

/// A part of a text with one weight.
struct WeightedPart {
  std::size_t size = 0;  ///< bytes of UTF-8
  double weight = 1.0;   ///< -limits::kMaxPromptWeight to limits::kMaxPromptWeight
};

/// A text without the syntax, between two BREAKs.
struct WeightedText {
  std::vector<char> text;           ///< UTF-8
  std::vector<WeightedPart> parts;  ///< at least one; their sizes sum to the text's

  /// A text with equal weights.
  static WeightedText plain(std::string_view text);

  /// The parts' texts, valid as long as this object.
  std::vector<std::string_view> part_texts() const;
};

/// Parses the syntax: (word) has weight 1.1, (word:1.3) 1.3, [word] 1/1.1; brackets
/// nest and their weights multiply, an unclosed bracket extends to the end, an unmatched closing
/// one is text; \( \) \[ \] \\ are the characters, any other backslash is
/// dropped; BREAK as a separate word, with the white space around it, ends a text, also inside
/// brackets. Digits of weights are ASCII. Returns the texts between the BREAKs in order, without
/// blank ones unless all are blank; adjacent parts differ in weight.
/// Throws Error(kInvalidArgument): as check_prompt; for a weight that is not a number or
/// exceeds the limit; for more than limits::kMaxPromptNesting open brackets. Takes time
/// linear in the prompt. Source: AUTOMATIC1111/stable-diffusion-webui,
/// prompt_parser.parse_prompt_attention.
std::vector<WeightedText> parse_prompt_weights(std::string_view prompt);

}  // namespace kandinsky::text
