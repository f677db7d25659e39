#include "io/file_kind.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "io/json_config.h"
#include "io/safetensors.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

struct Kind {
  std::string_view part;
  std::string content;
};

std::vector<Kind> kinds() {
  using std::string_literals::operator""s;
  return {
      {"is empty", ""},
      {"a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"},
      {"a web page", "<!DOCTYPE html>\n<html><title>404</title>" + std::string(1000, 'x')},
      {"a web page", "\xEF\xBB\xBF \n<HTML lang=\"en\">"},
      {"a web page", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"},
      {"a ZIP archive", "PK\3\4\0\0\0\0\0\0"s + std::string(100, 'x')},
      {"a Python pickle",
       "\x80\2\x8A\nl\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\2M\xE9\3.\x80\2}q"s},
      {"a Python pickle", "\x80\4\x95\x10\0\0\0\0\0\0\0}"s},
      {"a gzip archive", "\x1F\x8B\x08\0\0\0\0\0"s},
      {"a GGUF file", "GGUF\3\0\0\0"s},
  };
}

TEST(FileKind, EachReaderSaysWhatItFoundInstead) {
  const test::TempFolder folder;
  const auto refuse = [](std::string_view part, const std::string& path, auto&& read) {
    test::expect_error(ErrorCode::kCorruptFile, part, [&] { read(); });
    test::expect_error(ErrorCode::kCorruptFile, path, [&] { read(); });
    test::expect_error(ErrorCode::kCorruptFile, "; expected ", [&] { read(); });
  };
  std::string vocab = "{}";
  folder.write("good/vocab.json", vocab);
  for (const auto& [part, content] : kinds()) {
    const std::string weights = folder.write("x.safetensors", content);
    refuse(part, weights, [&] { SafetensorsFile::open(weights); });
    const std::string json = folder.write("config.json", content);
    refuse(part, json, [&] { JsonConfig::load(json); });
    refuse(part, folder.write("xlmr/sentencepiece.bpe.model", content),
           [&] { text::XlmrTokenizer::load(folder.path("xlmr")); });
    refuse(part, folder.write("clip/vocab.json", content),
           [&] { text::ClipTokenizer::load(folder.path("clip")); });
    refuse(part, folder.write("good/merges.txt", content),
           [&] { text::ClipTokenizer::load(folder.path("good")); });
  }
}

TEST(FileKind, LeavesAllElseToTheReaders) {
  using std::string_literals::operator""s;
  // The last three: headers of safetensors whose length begins like a pickle, an archive or a page.
  for (const std::string& content : {"{"s, "#version: 0.2\n"s, "\x0A\x0E\x0A\5<unk>"s,
                                     "\x80\2\0\0\0\0\0\0{"s, "\x1F\x8C\0\0\0\0\0\0{"s, "< html"s}) {
    refuse_other_kinds("x", std::as_bytes(Span<const char>(content)), "a file");
  }
}

}  // namespace
}  // namespace kandinsky::io
