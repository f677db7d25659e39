/// The file of XLM-R's tokenizer, a SentencePiece model.
#include "fuzz/files.h"
#include "fuzz/tokenizer_checks.h"
#include "text/xlmr_unigram.h"

namespace fuzz = kandinsky::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  folder.write("sentencepiece.bpe.model", {reinterpret_cast<const char*>(data), size});
  fuzz::accepts([&] {
    const auto tokenizer = kandinsky::text::XlmrTokenizer::load(folder.path());
    fuzz::require(tokenizer.vocab_size() >= 5, "the marks are in the vocabulary");
    fuzz::check_text(tokenizer, "A red circle, 4k! </s> \xD0\xBA\xD1\x80\xD1\x83\xD0\xB3");
  });
  return 0;
}
