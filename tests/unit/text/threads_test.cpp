/// Tokenizers that several threads share. Also run under the thread sanitizer (make sanitize).
#include <thread>

#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"
#include "unit/support.h"
#include "unit/text/expected.h"

namespace kandinsky::text {
namespace {

template <typename Tokenizer>
void share(const Tokenizer& tokenizer) {
  const std::string prompt = "A red circle, it's 4k! красный круг на белом фоне";
  const Tokens expected = tokenizer.encode(prompt);
  std::vector<int> right(4, 0);
  std::vector<std::thread> threads;
  for (int& count : right) {
    threads.emplace_back([&, tokenizer] {
      for (int i = 0; i < 100; ++i) count += tokenizer.encode(prompt).ids == expected.ids ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(4, 100));
}

TEST(TokenizerThreads, ShareAClipTokenizer) { share(ClipTokenizer::load(test::text_data("clip"))); }

TEST(TokenizerThreads, ShareAnXlmrTokenizer) {
  share(XlmrTokenizer::load(test::text_data("xlmr")));
}

}  // namespace
}  // namespace kandinsky::text
