/// The files of CLIP's tokenizer: what follows the bytes in vocab.json, merges.txt and the two
/// files that name the padding. An input that starts with "{" is vocab.json as a whole.
#include <fstream>
#include <iterator>

#include "fuzz/files.h"
#include "fuzz/tokenizer_checks.h"
#include "text/clip_bpe.h"

namespace fuzz = kandinsky::fuzz;

namespace {

/// The vocabulary's beginning: all bytes, both as they are and at the end of a word, and the two
/// marks.
std::string bytes_of_vocabulary() {
  std::string text = "{\n\"<|startoftext|>\": 512,\n\"<|endoftext|>\": 513,\n";
  int id = 0;
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    unsigned char utf8[4];
    std::string symbol(reinterpret_cast<char*>(utf8),
                       kandinsky::encode_utf8(visible ? byte : next++, utf8));
    if (symbol == "\"" || symbol == "\\") symbol = "\\" + symbol;
    text += "\"" + symbol + "\": " + std::to_string(id++) + ",\n";
    text += "\"" + symbol + "</w>\": " + std::to_string(id++) + ",\n";
  }
  return text;
}

void put(const fuzz::Folder& folder, const char* name, std::string_view content) {
  if (content.empty()) {
    folder.remove(name);
  } else {
    folder.write(name, content);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const std::string bytes = bytes_of_vocabulary();
  fuzz::Input input(data, size);
  const std::string_view vocabulary = input.part();
  folder.write("vocab.json", vocabulary.starts_with('{') ? std::string(vocabulary)
                                                         : bytes + std::string(vocabulary) + "}");
  put(folder, "merges.txt", input.part());
  put(folder, "special_tokens_map.json", input.part());
  put(folder, "tokenizer_config.json", input.part());
  fuzz::accepts([&] {
    const auto tokenizer = kandinsky::text::ClipTokenizer::load(folder.path());
    for (const std::int64_t id : {tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id()})
      fuzz::require(id >= 0 && id < tokenizer.vocab_size(), "marks are in the vocabulary");
    fuzz::check_text(tokenizer,
                     "A red circle, it's 4k! <|endoftext|> \xD0\xBA\xD1\x80\xD1\x83\xD0\xB3");
  });
  return 0;
}
