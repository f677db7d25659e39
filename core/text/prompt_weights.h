/// Emphasis in prompts, as hosts write it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace kandinsky::text {

/// A stretch of a text that has one weight.
struct WeightedPart {
  std::size_t size = 0;  ///< bytes of UTF-8
  double weight = 1.0;   ///< -limits::kMaxPromptWeight to limits::kMaxPromptWeight
};

/// A text that is read in one go, without the syntax.
struct WeightedText {
  std::vector<char> text;           ///< UTF-8
  std::vector<WeightedPart> parts;  ///< at least one; their sizes add up to the text's

  /// A text all of whose words count alike.
  static WeightedText plain(std::string_view text);

  /// The parts' texts, which live as long as this object.
  std::vector<std::string_view> part_texts() const;
};

/// Reads the syntax: (word) counts 1.1 times, (word:1.3) 1.3 times, [word] 1/1.1 times; brackets
/// nest and their weights multiply, a bracket that is never closed reaches to the end, one that
/// closes nothing is text; \( \) \[ \] \\ stand for the character, and any other backslash for
/// nothing; BREAK as a word of its own, with the white space around it, ends a text, also inside
/// brackets. Digits of weights are ASCII. Returns the texts between the BREAKs in order, without
/// blank ones unless all are; neighbouring parts differ in weight.
/// Throws Error(kInvalidArgument): as check_prompt; for a weight that is no number or that
/// multiplies beyond the limit; for more than limits::kMaxPromptNesting open brackets. Takes time
/// linear in the prompt. Source: AUTOMATIC1111/stable-diffusion-webui,
/// prompt_parser.parse_prompt_attention.
std::vector<WeightedText> parse_prompt_weights(std::string_view prompt);

}  // namespace kandinsky::text
