#include "text/prompt_weights.h"

#include <chrono>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "unit/support.h"

namespace kandinsky::text {
namespace {

/// "text|weight" of each part; "BREAK" between texts.
std::vector<std::string> shown(std::string_view prompt) {
  std::vector<std::string> result;
  for (const WeightedText& text : parse_prompt_weights(prompt)) {
    if (!result.empty()) result.emplace_back("BREAK");
    std::size_t part = 0;
    for (const std::string_view content : text.part_texts()) {
      std::ostringstream line;
      line << content << "|" << text.parts[part++].weight;
      result.push_back(line.str());
    }
  }
  return result;
}

using Lines = std::vector<std::string>;

TEST(PromptWeights, TheHostsOwnExamples) {
  EXPECT_EQ(shown("normal text"), (Lines{"normal text|1"}));
  EXPECT_EQ(shown("an (important) word"), (Lines{"an |1", "important|1.1", " word|1"}));
  EXPECT_EQ(shown("(unbalanced"), (Lines{"unbalanced|1.1"}));
  EXPECT_EQ(shown("\\(literal\\]"), (Lines{"(literal]|1"}));
  EXPECT_EQ(shown("(unnecessary)(parens)"), (Lines{"unnecessaryparens|1.1"}));
  EXPECT_EQ(shown("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky)))."),
            (Lines{"a |1", "house|1.573", " |1.1", "on|1", " a |1.1", "hill|0.55", ", sun, |1.1",
                   "sky|1.4641", ".|1.1"}));
}

TEST(PromptWeights, BracketsNestAndMultiply) {
  EXPECT_EQ(shown("((a))"), (Lines{"a|1.21"}));
  EXPECT_EQ(shown("[a]"), (Lines{"a|0.909091"}));
  EXPECT_EQ(shown("[[a"), (Lines{"a|0.826446"}));
  EXPECT_EQ(shown("(a (b:2):3) c"), (Lines{"a |3", "b|6", " c|1"}));
  EXPECT_EQ(shown("(a:0)b"), (Lines{"a|0", "b|1"}));
  EXPECT_EQ(shown("(a:-1.5)"), (Lines{"a|-1.5"}));
  EXPECT_EQ(shown("(a:+.5)(b: 1. )"), (Lines{"a|0.5", "b|1"}));
  // Crossing brackets reach from where they open to where they close.
  EXPECT_EQ(shown("(a [b) c]"), (Lines{"a |1.1", "b|1", " c|0.909091"}));
}

TEST(PromptWeights, WhatIsNoSyntaxIsText) {
  EXPECT_EQ(shown("at 10:30, a: b"), (Lines{"at 10:30, a: b|1"}));
  EXPECT_EQ(shown("closes) nothing] :1.3)"), (Lines{"closes) nothing] :1.3)|1"}));
  EXPECT_EQ(shown("(a:b)"), (Lines{"a:b|1.1"}));
  EXPECT_EQ(shown("(a:1.3 b)"), (Lines{"a:1.3 b|1.1"}));
  EXPECT_EQ(shown("(a:1e3)"), (Lines{"a:1e3|1.1"}));
  EXPECT_EQ(shown("back\\slash \\\\ \\"), (Lines{"backslash \\ |1"}));
  EXPECT_EQ(shown("()[]"), (Lines{"|1"}));
  EXPECT_EQ(shown(""), (Lines{"|1"}));
  EXPECT_EQ(shown("  "), (Lines{"  |1"}));
  EXPECT_EQ(shown("(кот:1.3) и дом"), (Lines{"кот|1.3", " и дом|1"}));
}

TEST(PromptWeights, EqualWeightsAreOnePart) {
  EXPECT_EQ(shown("a (red:1.0) circle"), (Lines{"a red circle|1"}));
  EXPECT_EQ(shown("(a:1)(b:1)[:c"), (Lines{"ab|1", ":c|0.909091"}));
}

TEST(PromptWeights, BreakEndsAText) {
  EXPECT_EQ(shown("a BREAK b"), (Lines{"a|1", "BREAK", "b|1"}));
  EXPECT_EQ(shown("a\n BREAK\tb"), (Lines{"a|1", "BREAK", "b|1"}));
  EXPECT_EQ(shown("a\034BREAK\u3000\037b"), (Lines{"a|1", "BREAK", "b|1"}));
  EXPECT_EQ(shown("a,BREAK,b"), (Lines{"a,|1", "BREAK", ",b|1"}));
  EXPECT_EQ(shown("BREAK a BREAK BREAK b BREAK"), (Lines{"a|1", "BREAK", "b|1"}));
  EXPECT_EQ(shown("BREAK"), (Lines{"|1"}));
  EXPECT_EQ(shown("( ) BREAK [ ]"), (Lines{" |1"}));
  EXPECT_EQ(shown("(a BREAK b:1.5) c"), (Lines{"a|1.5", "BREAK", "b|1.5", " c|1"}));
  for (const char* word : {"break a", "BREAKS a", "aBREAK b", "_BREAK b", "BREAK1 b", "éBREAK b"}) {
    EXPECT_EQ(shown(word), Lines{std::string(word) + "|1"});
  }
}

TEST(PromptWeights, TextWithoutSyntaxComesBackUnchanged) {
  const std::vector<std::string> words = {"a",  "red", "кот", "日本語", "🐈",  "e\u0301",
                                          " ",  "  ",  ",",   ".",      "\n", "break",
                                          "10", "'s",  "<s>", "-",      "|"};
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    std::string prompt;
    for (auto left = random() % 20; left > 0; --left) prompt += words[random() % words.size()];
    const std::vector<WeightedText> texts = parse_prompt_weights(prompt);
    ASSERT_EQ(texts.size(), 1U);
    EXPECT_EQ(std::string(texts[0].text.begin(), texts[0].text.end()), prompt);
    ASSERT_EQ(texts[0].parts.size(), 1U);
    EXPECT_EQ(texts[0].parts[0].weight, 1.0);
    EXPECT_EQ(texts[0].parts[0].size, prompt.size());
  }
}

TEST(PromptWeights, AnySyntaxGivesPartsThatCoverTheText) {
  const std::vector<std::string> words = {"(", ")",   "[", "]",   ":",       "\\", ":1.2)", ":0.5)",
                                          "a", "кот", " ", "\\(", " BREAK ", "1.", ":-1 )"};
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    std::string prompt;
    for (auto left = random() % 30; left > 0; --left) prompt += words[random() % words.size()];
    const std::vector<WeightedText> texts = parse_prompt_weights(prompt);
    ASSERT_FALSE(texts.empty()) << prompt;
    for (const WeightedText& text : texts) {
      ASSERT_FALSE(text.parts.empty()) << prompt;
      std::size_t size = 0;
      for (std::size_t part = 0; part < text.parts.size(); ++part) {
        size += text.parts[part].size;
        EXPECT_TRUE(std::abs(text.parts[part].weight) <= limits::kMaxPromptWeight) << prompt;
        if (part > 0) {
          EXPECT_NE(text.parts[part].weight, text.parts[part - 1].weight) << prompt;
        }
      }
      EXPECT_EQ(size, text.text.size()) << prompt;
    }
  }
}

TEST(PromptWeights, EscapedTextIsWhatItWas) {
  const std::string characters = "a()[]\\:1.3) ";
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i) {
    std::string plain;
    std::string escaped;
    for (auto left = random() % 20; left > 0; --left) {
      const char c = characters[random() % characters.size()];
      plain += c;
      if (std::string_view("()[]\\").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
    EXPECT_EQ(shown(escaped), Lines{plain + "|1"}) << escaped;
  }
}

TEST(PromptWeights, RefusesWhatCannotBeMeant) {
  const auto refuse = [](std::string_view part, const std::string& prompt) {
    test::expect_error(ErrorCode::kInvalidArgument, part,
                       [&] { (void)parse_prompt_weights(prompt); });
  };
  refuse("the weight \"1.2.3\" is not a number", "(a:1.2.3)");
  refuse("the weight \".\" is not a number", "(a:.)");
  refuse("the weight of \"кот\" comes to 101, expected -100 to 100", "(кот:101)");
  refuse("comes to -200", "((a:2):-100)");
  refuse("is not a number", "(a:" + std::string(400, '9') + ")");
  refuse("comes to 106.7", std::string(49, '(') + "a");
  refuse("more than 100 brackets are open at once at character 101", std::string(100'000, '('));
  refuse("more than 100 brackets", std::string(100'000, '[') + "a" + std::string(100'000, ']'));
  refuse("byte 0xff at offset 1", "a\xFF");
  refuse("2097153 bytes", std::string(limits::kMaxPromptBytes + 1, '('));
}

TEST(PromptWeights, HostilePromptsTakeLinearTime) {
  const auto repeated = [](std::string_view unit) {
    std::string prompt;
    while (prompt.size() + unit.size() <= limits::kMaxPromptBytes) prompt += unit;
    return prompt;
  };
  const std::string open(100, '[');
  for (const std::string& prompt :
       {repeated("()"), repeated("(a)"), repeated("(a:1.1)b"), repeated(")"), repeated(":1"),
        repeated(": "), repeated(":"), repeated("\\"), repeated("BREAK "), repeated("a BREAK"),
        repeated("BREAKBREAK"), repeated("  BREAK"), open + repeated("\\(").substr(200)}) {
    const auto start = std::chrono::steady_clock::now();
    (void)parse_prompt_weights(prompt);
    // Seconds on a slow machine with sanitizers; hours if it were quadratic.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  }
}

}  // namespace
}  // namespace kandinsky::text
