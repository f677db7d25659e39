/// A prompt for CLIP's tokenizer.
#include "fuzz/tokenizer_checks.h"
#include "text/clip_bpe.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizer =
      kandinsky::text::ClipTokenizer::load(KANDINSKY_TESTS_DIR "/unit/text/data/clip");
  kandinsky::fuzz::check_text(tokenizer, {reinterpret_cast<const char*>(data), size});
  return 0;
}
