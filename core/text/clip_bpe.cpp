#include "text/clip_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/file_kind.h"
#include "io/input_file.h"
#include "io/json_config.h"
#include "text/repair.h"
#include "text/token_row.h"
#include "text/tokens.h"
#include "text/unicode.h"

namespace kandinsky::text {
namespace {

constexpr std::string_view kBos = "<|startoftext|>";
constexpr std::string_view kEos = "<|endoftext|>";
constexpr std::string_view kEndOfWord = "</w>";
constexpr std::size_t kNumBytes = 256;
/// The file may have more lines, but the reference reads only these: 49408 minus 2 times 256 bytes
/// and 2 special tokens.
constexpr std::size_t kMaxMerges = 48894;
/// Above any embedding table; keeps ids in 32 bits.
constexpr std::int64_t kMaxId = 100'000'000;

/// GPT-2's stand-in for each byte: itself where it is a visible Latin-1 character, else U+0100
/// onwards.
std::array<char32_t, kNumBytes> byte_symbols() {
  std::array<char32_t, kNumBytes> symbols{};
  char32_t next = 0x100;
  for (std::size_t byte = 0; byte < kNumBytes; ++byte) {
    const bool visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    symbols[byte] = visible ? static_cast<char32_t>(byte) : next++;
  }
  return symbols;
}

std::string to_utf8(char32_t c) {
  std::array<unsigned char, 4> bytes{};
  const std::size_t size = encode_utf8(c, bytes.data());
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

struct Merge {
  std::uint32_t rank = 0;
  std::int32_t id = 0;  ///< of the merged token
};

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32U | static_cast<std::uint32_t>(right);
}

/// One piece of a word while it is being merged: a node of a list inside a vector.
struct Piece {
  std::int32_t id = 0;
  std::size_t end = 0;  ///< the place after its last character
  std::int32_t previous = -1;
  std::int32_t next = -1;
  bool alive = true;
};

struct Candidate {
  std::uint32_t rank = 0;
  std::int32_t position = 0;
  std::int32_t id = 0;

  /// priority_queue gives the greatest: that is the lowest rank, then the leftmost.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

bool matches(Span<const char32_t> text, std::size_t at, std::u32string_view part) {
  return text.size() - at >= part.size() &&
         std::equal(part.begin(), part.end(), text.begin() + static_cast<std::ptrdiff_t>(at));
}

/// A token that the text may contain literally, in just this spelling.
struct SpecialToken {
  std::u32string text;
  std::int64_t id = 0;
};

/// Characters between pieces: white space, and the iota below a letter, which the reference's
/// pattern treats both as a letter and not, depending on case.
bool is_between_pieces(char32_t c) {
  constexpr char32_t kCombiningIota = 0x345;
  return is_space(c) || c == kCombiningIota;
}

/// The end of the piece that starts at begin, which is not between pieces.
std::size_t piece_end(Span<const char32_t> text, std::size_t begin) {
  // The long s counts as an s here.
  constexpr std::array<std::u32string_view, 8> kContractions = {U"'s",  U"'\u017F", U"'t",  U"'re",
                                                                U"'ve", U"'m",      U"'ll", U"'d"};
  for (const std::u32string_view contraction : kContractions) {
    if (matches(text, begin, contraction)) return begin + contraction.size();
  }
  std::size_t end = begin + 1;
  if (is_number(text[begin])) return end;
  if (is_letter(text[begin])) {
    while (end < text.size() && is_letter(text[end])) ++end;
    return end;
  }
  while (end < text.size() && !is_between_pieces(text[end]) && !is_letter(text[end]) &&
         !is_number(text[end])) {
    ++end;
  }
  return end;
}

/// The padding token that a tokenizer's own files declare: "x" or {"content": "x"}; empty for none.
std::string declared_pad_token(const std::string& path) {
  if (!io::is_there(path)) return {};
  const io::JsonConfig config = io::JsonConfig::load(path);
  if (!config.has("pad_token")) return {};
  const bool nested = config.is_object("pad_token");
  return std::string(nested ? config.get_object("pad_token").get_string_view("content")
                            : config.get_string_view("pad_token"));
}

}  // namespace

struct ClipTokenizer::Impl {
  std::array<std::int32_t, kNumBytes> inner_symbol{};  ///< id of a byte inside a word
  std::array<std::int32_t, kNumBytes> last_symbol{};   ///< id of a byte that ends a word
  std::unordered_map<std::uint64_t, Merge> merges;
  std::int64_t bos = 0;
  std::int64_t eos = 0;
  std::int64_t pad = 0;
  std::int64_t vocab_size = 0;
  std::vector<SpecialToken> specials;   ///< looked for before the text is repaired
  std::array<SpecialToken, 2> markers;  ///< its first and last: those that begin a piece also after

  const SpecialToken* special_at(Span<const char32_t> text, std::size_t at) const;
  void append_word(Span<const char32_t> text, std::size_t begin, std::size_t end,
                   PlacedTokens* tokens) const;
  void append_text(Span<const char32_t> text, std::size_t begin, PlacedTokens* tokens) const;
  PartTokens tokenize(Span<const std::string_view> parts) const;
  void load_vocab_and_merges(const std::string& folder);
};

/// The longest special token that starts there, or null.
const SpecialToken* ClipTokenizer::Impl::special_at(Span<const char32_t> text,
                                                    std::size_t at) const {
  const SpecialToken* best = nullptr;
  for (const SpecialToken& special : specials) {
    if (matches(text, at, special.text) &&
        (best == nullptr || special.text.size() > best->text.size())) {
      best = &special;
    }
  }
  return best;
}

void ClipTokenizer::Impl::append_word(Span<const char32_t> text, std::size_t begin, std::size_t end,
                                      PlacedTokens* tokens) const {
  std::vector<Piece> pieces;
  pieces.reserve(end - begin);
  std::array<unsigned char, 4> bytes{};
  unsigned char last_byte = 0;
  for (std::size_t at = begin; at < end; ++at) {
    const std::size_t size = encode_utf8(text[at], bytes.data());
    for (std::size_t i = 0; i < size; ++i) {
      const auto index = static_cast<std::int32_t>(pieces.size());
      pieces.push_back({inner_symbol[bytes[i]], at + 1, index - 1, index + 1, true});
    }
    last_byte = bytes[size - 1];
  }
  pieces.back().id = last_symbol[last_byte];
  pieces.back().next = -1;

  std::priority_queue<Candidate> queue;
  const auto offer = [&](std::int32_t left) {
    const Piece& piece = pieces[static_cast<std::size_t>(left)];
    if (piece.next < 0) return;
    const auto found =
        merges.find(pair_key(piece.id, pieces[static_cast<std::size_t>(piece.next)].id));
    if (found != merges.end()) queue.push({found->second.rank, left, found->second.id});
  };
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i) offer(static_cast<std::int32_t>(i));

  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Piece& left = pieces[static_cast<std::size_t>(top.position)];
    if (!left.alive || left.next < 0) continue;
    Piece& right = pieces[static_cast<std::size_t>(left.next)];
    // The pair may have changed since it was offered; its successor was offered in its own right.
    const auto found = merges.find(pair_key(left.id, right.id));
    if (found == merges.end() || found->second.id != top.id) continue;
    left.id = top.id;
    left.end = right.end;
    left.next = right.next;
    right.alive = false;
    if (left.next >= 0) pieces[static_cast<std::size_t>(left.next)].previous = top.position;
    if (left.previous >= 0) offer(left.previous);
    offer(top.position);
  }
  for (std::int32_t i = 0; i >= 0; i = pieces[static_cast<std::size_t>(i)].next) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    tokens->add(piece.id, piece.end);
  }
}

void ClipTokenizer::Impl::append_text(Span<const char32_t> text, std::size_t begin,
                                      PlacedTokens* tokens) const {
  std::size_t at = begin;
  while (at < text.size()) {
    if (is_between_pieces(text[at])) {
      ++at;
      continue;
    }
    const auto* const marker = std::find_if(
        markers.begin(), markers.end(), [&](const auto& m) { return matches(text, at, m.text); });
    if (marker != markers.end()) {
      at += marker->text.size();
      tokens->add(marker->id, at);
      continue;
    }
    const std::size_t next = piece_end(text, at);
    append_word(text, at, next, tokens);
    at = next;
  }
}

/// Special tokens part a text; what lies between them is repaired part by part, so that the parts'
/// ends are known: a mark that begins a part is not composed with the letter before it.
PartTokens ClipTokenizer::Impl::tokenize(Span<const std::string_view> parts) const {
  std::vector<char32_t> given;
  std::vector<std::size_t> given_ends;
  for (const std::string_view part : parts) {
    const std::vector<char32_t> characters = decode_utf8(part);
    given.insert(given.end(), characters.begin(), characters.end());
    given_ends.push_back(given.size());
  }
  const Span<const char32_t> all(given);
  std::vector<char32_t> text;
  std::vector<std::size_t> part_ends;
  PlacedTokens tokens;
  std::size_t done = 0;
  // Takes over what was given up to a place. One special token may come from several parts.
  const auto take = [&](std::size_t end, bool is_special) {
    const std::size_t begin = text.size();
    while (done < end) {
      const std::size_t to = std::min(end, given_ends[part_ends.size()]);
      const Span<const char32_t> piece = all.subspan(done, to - done);
      const std::vector<char32_t> read =
          is_special ? std::vector<char32_t>(piece.begin(), piece.end()) : lower(repair(piece));
      text.insert(text.end(), read.begin(), read.end());
      done = to;
      while (part_ends.size() < given_ends.size() && given_ends[part_ends.size()] == done) {
        part_ends.push_back(text.size());
      }
    }
    return begin;
  };
  std::size_t at = 0;
  while (at < all.size()) {
    const SpecialToken* special = special_at(all, at);
    if (special == nullptr) {
      ++at;
      continue;
    }
    const std::size_t begin = take(at, false);
    append_text(text, begin, &tokens);
    at += special->text.size();
    take(at, true);
    tokens.add(special->id, text.size());
  }
  const std::size_t begin = take(at, false);
  append_text(text, begin, &tokens);
  part_ends.resize(given_ends.size(), text.size());
  return {.ids = std::move(tokens.ids), .parts = parts_of(tokens.ends, part_ends)};
}

void ClipTokenizer::Impl::load_vocab_and_merges(const std::string& folder) {
  const std::string vocab_path = folder + "/vocab.json";
  const std::string merges_path = folder + "/merges.txt";
  const io::JsonConfig vocab = io::JsonConfig::load(vocab_path);
  // Read first, so that the message for a missing file names that file.
  const std::vector<std::byte> merges_bytes =
      io::InputFile::open(merges_path).read_all(limits::kMaxMergesBytes);
  io::refuse_other_kinds(merges_path, merges_bytes, "a BPE's merges");

  std::unordered_map<std::string, std::int32_t> ids;
  std::size_t plain_tokens = 0;  // all but <|startoftext|> and its like
  for (const std::string_view token : vocab.keys()) {
    const std::int64_t id = vocab.get_int(token);
    if (id < 0 || id > kMaxId) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: the id of '{}' is {}", vocab_path, token, id));
    }
    ids.emplace(token, static_cast<std::int32_t>(id));
    vocab_size = std::max(vocab_size, id + 1);
    if (!token.starts_with('<') || !token.ends_with('>')) ++plain_tokens;
  }
  const auto require = [&](const std::string& token) {
    const auto found = ids.find(token);
    if (found == ids.end()) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: the token '{}' is missing", vocab_path, token));
    }
    return found->second;
  };
  const std::array<char32_t, kNumBytes> symbols = byte_symbols();
  for (std::size_t byte = 0; byte < kNumBytes; ++byte) {
    const std::string symbol = to_utf8(symbols[byte]);
    inner_symbol[byte] = require(symbol);
    last_symbol[byte] = require(symbol + std::string(kEndOfWord));
  }
  bos = require(std::string(kBos));
  eos = require(std::string(kEos));

  // In both files "pad_token" is the only key in use: begin and end are the vocabulary's own,
  // rows have the prior's length for any "model_max_length", and the rest concerns Python's
  // object. Both are read, since a truncated file reveals an incomplete download.
  std::string pad_token = declared_pad_token(folder + "/special_tokens_map.json");
  const std::string configured = declared_pad_token(folder + "/tokenizer_config.json");
  if (pad_token.empty()) pad_token = configured;
  pad = pad_token.empty() ? eos : require(pad_token);
  const auto special = [](std::string_view token, std::int64_t id) {
    const std::vector<char32_t> characters = decode_utf8(token);
    return SpecialToken{{characters.begin(), characters.end()}, id};
  };
  markers = {special(kBos, bos), special(kEos, eos)};
  specials.assign(markers.begin(), markers.end());
  // As in the reference: a prompt's "!" is a separate token if "!" is the padding.
  if (!pad_token.empty()) specials.push_back(special(pad_token, pad));

  std::string_view text(reinterpret_cast<const char*>(merges_bytes.data()), merges_bytes.size());
  for (std::size_t line_number = 0; !text.empty(); ++line_number) {
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line_number == 0) continue;  // the version comment
    if (line.empty() && text.find_first_not_of("\r\n \t") == std::string_view::npos) break;
    if (line_number > kMaxMerges) break;
    const std::size_t space = line.find(' ');
    if (space == 0 || space + 1 >= line.size() || space == std::string_view::npos ||
        line.find(' ', space + 1) != std::string_view::npos) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: line {} is not a pair of tokens", merges_path, line_number + 1));
    }
    const auto id_of = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (found != ids.end()) return found->second;
      const std::vector<char> shown = replace_invalid_utf8(token);
      throw Error(
          ErrorCode::kCorruptFile,
          fmt::format("{}: line {}: the token '{}' is missing in {}; one of the two files is "
                      "not whole",
                      merges_path, line_number + 1, std::string_view(shown.data(), shown.size()),
                      vocab_path));
    };
    const std::string left(line.substr(0, space));
    const std::string right(line.substr(space + 1));
    const auto rank = static_cast<std::uint32_t>(line_number - 1);
    const std::int32_t left_id = id_of(left);
    const std::int32_t right_id = id_of(right);
    merges.emplace(pair_key(left_id, right_id), Merge{rank, id_of(left + right)});
  }
  // All tokens except bytes are made by merges. With a truncated file prompts would be spelled out.
  if (merges.size() + 2 * kNumBytes < plain_tokens) {
    throw Error(
        ErrorCode::kCorruptFile,
        fmt::format("{}: {} merges cannot make the {} tokens of vocab.json; the file is not "
                    "whole",
                    merges_path, merges.size(), plain_tokens));
  }
}

ClipTokenizer::ClipTokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

ClipTokenizer ClipTokenizer::load(std::string_view folder) {
  auto impl = std::make_shared<Impl>();
  impl->load_vocab_and_merges(std::string(folder));
  return ClipTokenizer(std::move(impl));
}

std::vector<std::int64_t> ClipTokenizer::tokenize(std::string_view prompt) const {
  check_prompt(prompt);
  return impl_->tokenize({&prompt, 1}).ids;
}

PartTokens ClipTokenizer::tokenize(Span<const std::string_view> parts) const {
  check_prompt_parts(parts);
  return impl_->tokenize(parts);
}

Tokens ClipTokenizer::make_row(const std::vector<std::int64_t>& ids, int max_length) const {
  return text::make_row(ids, {impl_->bos, impl_->eos, impl_->pad}, max_length);
}

Tokens ClipTokenizer::encode(std::string_view prompt, int max_length) const {
  check_max_length(max_length);
  return make_row(tokenize(prompt), max_length);
}

std::int64_t ClipTokenizer::bos_id() const noexcept { return impl_->bos; }

std::int64_t ClipTokenizer::eos_id() const noexcept { return impl_->eos; }

std::int64_t ClipTokenizer::pad_id() const noexcept { return impl_->pad; }

std::int64_t ClipTokenizer::vocab_size() const noexcept { return impl_->vocab_size; }

}  // namespace kandinsky::text
