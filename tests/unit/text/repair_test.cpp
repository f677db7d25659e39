/// What CLIP's tokenizer reads. That its ids are the reference's is in clip_bpe_test.cpp.
#include "text/repair.h"

#include <chrono>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/utf8.h"
#include "unit/support.h"
#include "unit/text/expected.h"

namespace kandinsky::text {
namespace {

std::u32string repaired(std::string_view text) {
  const std::vector<char32_t> result = repair(decode_utf8(text));
  return {result.begin(), result.end()};
}

TEST(TextRepair, MakesOrdinaryCharactersOfTypography) {
  EXPECT_EQ(repaired("it’s “fine” ‘so’ ‛ʼ"), U"it's \"fine\" 'so' ''");
  EXPECT_EQ(repaired("ﬂuﬃeﬆ Ǆ ŉ"), U"fluffiest D\u017D 'n");
  EXPECT_EQ(repaired("ＡＢＣ　１２３！ ｶﾞ ￠"), U"ABC 123! \u30AC \u00A2");
  EXPECT_EQ(repaired("cafe\u0301"), U"caf\u00E9");
}

TEST(TextRepair, ReadsEntitiesOutsideOfTags) {
  EXPECT_EQ(repaired("&lt;a&gt; &hellip; &EACUTE; &#x2019; &#65;"), U"<a> \u2026 \u00C9 ' A");
  EXPECT_EQ(repaired("&amp;amp;lt; &am\x01p;lt; ＆ａｍｐ；gt;"), U"< < >");
  EXPECT_EQ(repaired("&foo; &amp &; &#; &#x; &#12ab; &#59; &nosuch"),
            U"&foo; &amp &; &#; &#x; &#12ab; &#59; &nosuch");
  EXPECT_EQ(repaired("&lt;\n<b> &lt;\n&lt;"), U"<\n<b> &lt;\n&lt;");
  EXPECT_EQ(repaired("&#0; &#xD800; &#1114112; &#1; &#150;"), U"\uFFFD \uFFFD \uFFFD  \u2013");
  EXPECT_EQ(repaired("&#00000000000000000000065;&#000000000000000000000000065;"),
            U"A&#000000000000000000000000065;");
}

TEST(TextRepair, TakesControlsOut) {
  EXPECT_EQ(repaired("a\x1b[1;31mb\x1b[mc\x7f\x01\xEF\xBB\xBF\x1b[9"), U"abc[9");
  EXPECT_EQ(repaired("\xC2\x93quoted\xC2\x94\xC2\x81"), U"\"quoted\"\u0081");
  EXPECT_EQ(repaired("a\tb\r\nc\u200Dd\u202Ee"), U"a\tb\r\nc\u200Dd\u202Ee")
      << "these mean something";
}

TEST(TextRepair, DoesNotGuessHowATextWasDecoded) {
  EXPECT_EQ(repaired("cafÃ© âœ”"), U"caf\u00C3\u00A9 \u00E2\u0153\"");
}

TEST(TextRepair, LeavesARepairedTextAlone) {
  test::for_each_odd_prompt([](const std::string& prompt, const std::vector<std::int64_t>&) {
    const std::vector<char32_t> once = repair(decode_utf8(prompt));
    if (std::find(once.begin(), once.end(), U'<') != once.end()) return;  // entities rest after it
    EXPECT_EQ(repair(once), once);
  });
}

TEST(TextRepair, TakesTimeLinearInTheText) {
  const auto filled = [](std::string text, std::string_view with) {
    while (text.size() + with.size() <= limits::kMaxPromptBytes) text += with;
    return text;
  };
  // Each of these would need a pass over all of it for each of its levels.
  for (const std::string& text :
       {filled("&", "amp;"), filled("&", "#xFF06;amp;"), filled("&semi", "&semi") + ";",
        filled("", "&"), filled("", "\x1b["), filled("\x1b[", "1"), filled("", "<\n")}) {
    const auto start = std::chrono::steady_clock::now();
    (void)repair(decode_utf8(text));
    // As in clip_bpe_test.cpp.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  }
  EXPECT_EQ(repaired(filled("&", "amp;")), U"&");
}

}  // namespace
}  // namespace kandinsky::text
