/// A prompt for XLM-R's tokenizer.
#include "fuzz/tokenizer_checks.h"
#include "text/xlmr_unigram.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizer =
      kandinsky::text::XlmrTokenizer::load(KANDINSKY_TESTS_DIR "/unit/text/data/xlmr");
  kandinsky::fuzz::check_text(tokenizer, {reinterpret_cast<const char*>(data), size});
  return 0;
}
