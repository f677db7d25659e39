#include "text/xlmr_unigram.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/file_kind.h"
#include "io/input_file.h"
#include "io/json_config.h"
#include "text/token_row.h"
#include "text/tokens.h"
#include "text/unicode.h"

namespace kandinsky::text {
namespace {

constexpr std::int64_t kBosId = 0;
constexpr std::int64_t kPadId = 1;
constexpr std::int64_t kEosId = 2;
constexpr std::int64_t kUnkId = 3;
/// fairseq puts <pad> between <s> and </s>, which moves every piece of the model up by one.
constexpr std::int64_t kOffset = 1;
/// SentencePiece's stand-in for the space before a word.
constexpr std::string_view kWordMark = "\u2581";

}  // namespace

struct XlmrTokenizer::Impl {
  sentencepiece::SentencePieceProcessor model;
  std::int64_t mask_id = 0;

  PlacedTokens tokenize(std::string_view prompt) const;
  void append_text(std::string_view prompt, std::size_t begin, std::size_t end,
                   PlacedTokens* tokens) const;
};

void XlmrTokenizer::Impl::append_text(std::string_view prompt, std::size_t begin, std::size_t end,
                                      PlacedTokens* tokens) const {
  if (begin == end) return;
  sentencepiece::ImmutableSentencePieceText pieces;
  try {
    const auto status = model.Encode(prompt.substr(begin, end - begin), pieces.mutable_proto());
    if (!status.ok()) {
      throw Error(ErrorCode::kInternal, fmt::format("SentencePiece: {}", status.ToString()));
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kInternal, fmt::format("SentencePiece: {}", error.what()));
  }
  const auto count = static_cast<int>(pieces.pieces_size());
  for (int i = 0; i < count; ++i) {
    const auto piece = pieces.pieces(i);
    // A mark alone belongs to the word that it begins.
    const bool is_mark = piece.piece() == kWordMark && i + 1 < count;
    const std::size_t piece_end = is_mark ? pieces.pieces(i + 1).end() : piece.end();
    // 0 is the model's unknown piece; 1 and 2, <s> and </s>, never come out of ordinary text.
    tokens->add(piece.id() == 0 ? kUnkId : piece.id() + kOffset, begin + piece_end);
  }
}

PlacedTokens XlmrTokenizer::Impl::tokenize(std::string_view prompt) const {
  const std::array<std::pair<std::string_view, std::int64_t>, 5> specials = {{
      {"<s>", kBosId},
      {"<pad>", kPadId},
      {"</s>", kEosId},
      {"<unk>", kUnkId},
      {"<mask>", mask_id},
  }};
  PlacedTokens tokens;
  std::size_t begin = 0;
  std::size_t at = prompt.find('<');
  while (at != std::string_view::npos) {
    std::size_t next = at + 1;
    for (const auto& [token, id] : specials) {
      if (!prompt.substr(at).starts_with(token)) continue;
      append_text(prompt, begin, at, &tokens);
      next = begin = at + token.size();
      tokens.add(id, next);
      break;
    }
    at = prompt.find('<', next);
  }
  append_text(prompt, begin, prompt.size(), &tokens);
  return tokens;
}

XlmrTokenizer::XlmrTokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

XlmrTokenizer XlmrTokenizer::load(std::string_view folder) {
  // No key of these is used: XLM-R's special tokens have fixed numbers beside the model's pieces.
  // But a truncated file reveals an incomplete download.
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const std::string config = fmt::format("{}/{}", folder, name);
    if (io::is_there(config)) io::JsonConfig::load(config);
  }
  const std::string path = fmt::format("{}/sentencepiece.bpe.model", folder);
  const std::vector<std::byte> bytes =
      io::InputFile::open(path).read_all(limits::kMaxSentencePieceBytes);
  io::refuse_other_kinds(path, bytes, "a SentencePiece model");
  // SentencePiece quotes the file's pieces, which may be any bytes.
  const auto refuse = [&](std::string_view what) {
    const std::vector<char> shown = replace_invalid_utf8(what);
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: {}", path, std::string_view(shown.data(), shown.size())));
  };
  auto impl = std::make_shared<Impl>();
  constexpr int kNoLevel = 4;  // above FATAL: errors are in the status, not on standard error
  sentencepiece::SetMinLogLevel(kNoLevel);
  try {
    const auto status = impl->model.LoadFromSerializedProto(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!status.ok()) {
      refuse(fmt::format("no usable SentencePiece model; perhaps an incomplete download ({})",
                         status.ToString()));
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    refuse(fmt::format("no usable SentencePiece model ({})", error.what()));
  }
  constexpr std::array<std::string_view, 3> kFirst = {"<unk>", "<s>", "</s>"};
  for (int id = 0; id < static_cast<int>(kFirst.size()); ++id) {
    if (impl->model.GetPieceSize() <= id ||
        impl->model.IdToPiece(id) != kFirst[static_cast<std::size_t>(id)]) {
      refuse(fmt::format("piece {} is not '{}', so this is not XLM-R's model", id,
                         kFirst[static_cast<std::size_t>(id)]));
    }
  }
  impl->mask_id = impl->model.GetPieceSize() + kOffset;
  return XlmrTokenizer(std::move(impl));
}

std::vector<std::int64_t> XlmrTokenizer::tokenize(std::string_view prompt) const {
  check_prompt(prompt);
  return impl_->tokenize(prompt).ids;
}

PartTokens XlmrTokenizer::tokenize(Span<const std::string_view> parts) const {
  check_prompt_parts(parts);
  std::string text;
  std::vector<std::size_t> part_ends;
  for (const std::string_view part : parts) {
    text += part;
    part_ends.push_back(text.size());
  }
  PlacedTokens tokens = impl_->tokenize(text);
  return {.ids = std::move(tokens.ids), .parts = parts_of(tokens.ends, part_ends)};
}

Tokens XlmrTokenizer::make_row(const std::vector<std::int64_t>& ids, int max_length) const {
  return text::make_row(ids, {kBosId, kEosId, kPadId}, max_length);
}

Tokens XlmrTokenizer::encode(std::string_view prompt, int max_length) const {
  check_max_length(max_length);
  return make_row(tokenize(prompt), max_length);
}

std::int64_t XlmrTokenizer::vocab_size() const noexcept { return impl_->mask_id + 1; }

}  // namespace kandinsky::text
