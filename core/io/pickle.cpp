#include "io/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/bytes.h"

namespace kandinsky::io {

void PickleReader::fail(std::string_view what) const {
  throw Error(ErrorCode::kCorruptFile, fmt::format("{}: its pickle is corrupt: {}", path_, what));
}

Span<const std::byte> PickleReader::take(std::uint64_t count) {
  if (count > rest_.size()) fail("it ends too early");
  const Span<const std::byte> taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::uint64_t PickleReader::take_number(std::size_t bytes) {
  const Span<const std::byte> taken = take(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i > 0; --i) value = value << 8U | byte_at(taken, i - 1);
  return value;
}

std::string_view PickleReader::take_text(std::uint64_t size) {
  const std::string_view text = text_of(take(size));
  if (find_invalid_utf8(text) != std::string_view::npos) fail("a string in it is not UTF-8");
  return text;
}

std::string_view PickleReader::take_line() {
  const std::size_t size = text_of(rest_).find('\n');
  if (size == std::string_view::npos) fail("it ends too early");
  const std::string_view line = take_text(size);
  take(1);
  return line;
}

PickleValue& PickleReader::make(PickleKind kind) {
  if (values_.size() == limits::kMaxPickleValues)
    fail(fmt::format("it has more than {} values", limits::kMaxPickleValues));
  return values_.emplace_back(PickleValue{.kind = kind});
}

void PickleReader::push(PickleKind kind, Items items) {
  PickleValue& value = make(kind);
  value.items = std::move(items);
  stack_.push_back(&value);
}

void PickleReader::push_integer(std::int64_t value) {
  push(PickleKind::kInteger);
  stack_.back()->integer = value;
}

void PickleReader::push_text(std::string_view text) {
  push(PickleKind::kText);
  stack_.back()->text = text;
}

void PickleReader::push_global(std::string_view module, std::string_view name) {
  push(PickleKind::kGlobal);
  stack_.back()->text = module;
  stack_.back()->name = name;
}

PickleValue& PickleReader::top() {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) fail("a value is missing");
  return *stack_.back();
}

const PickleValue* PickleReader::pop() {
  const PickleValue& value = top();
  stack_.pop_back();
  return &value;
}

PickleReader::Items PickleReader::pop_to_mark() {
  if (marks_.empty()) fail("a mark is missing");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  Items items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleReader::add_items(PickleKind to, const Items& items) {
  PickleValue& target = top();
  if (to == PickleKind::kDict && items.size() % 2 != 0) fail("a dictionary's value is missing");
  // A call may return a list- or dictionary-like object; its items are not used.
  if (target.kind == to) {
    target.items.insert(target.items.end(), items.begin(), items.end());
  } else if (target.kind != PickleKind::kCall && target.kind != PickleKind::kOther) {
    fail("items are added to a value that is not a container");
  }
}

void PickleReader::call() {
  const PickleValue* const arguments = pop();
  const PickleValue* const function = pop();
  const bool is_dict = function->is_global("collections", "OrderedDict") &&
                       arguments->kind == PickleKind::kTuple && arguments->items.empty();
  is_dict ? push(PickleKind::kDict) : push(PickleKind::kCall, {function, arguments});
}

void PickleReader::keep(std::uint64_t key) {
  PickleValue& value = top();
  if (memo_.size() == limits::kMaxPickleValues)
    fail(fmt::format("it keeps more than {} values", limits::kMaxPickleValues));
  memo_[key] = &value;
}

void PickleReader::push_kept(std::uint64_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) fail("it uses a value that was not memoized");
  stack_.push_back(found->second);
}

bool PickleReader::step() {
  const auto code = static_cast<std::uint8_t>(take_number(1));
  switch (code) {
    case 0x80:  // PROTO
      if (const std::uint64_t protocol = take_number(1); protocol < 2 || protocol > 5)
        fail(fmt::format("its protocol would be {}", protocol));
      break;
    case 0x95:  // FRAME
      take_number(8);
      break;
    case '.':  // STOP
      return false;

    case 'N':  // NONE
      push(PickleKind::kNone);
      break;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push(PickleKind::kBool);
      stack_.back()->integer = code == 0x88 ? 1 : 0;
      break;
    case 'K':  // BININT1
      push_integer(static_cast<std::int64_t>(take_number(1)));
      break;
    case 'M':  // BININT2
      push_integer(static_cast<std::int64_t>(take_number(2)));
      break;
    case 'J':  // BININT
      push_integer(static_cast<std::int32_t>(take_number(4)));
      break;
    case 0x8a: {  // LONG1
      const std::size_t size = take_number(1);
      if (size > 8) {
        const std::string_view bytes = text_of(take(size));
        push(PickleKind::kOther);
        stack_.back()->text = bytes;
        break;
      }
      const unsigned unused = 64 - 8 * static_cast<unsigned>(size);
      const std::uint64_t bits = take_number(size);
      push_integer(size == 0 ? 0 : std::bit_cast<std::int64_t>(bits << unused) >> unused);
      break;
    }
    case 'G':  // BINFLOAT
      take(8);
      push(PickleKind::kOther);
      break;

    case 'U':   // SHORT_BINSTRING
    case 0x8c:  // SHORT_BINUNICODE
      push_text(take_text(take_number(1)));
      break;
    case 'T':  // BINSTRING
    case 'X':  // BINUNICODE
      push_text(take_text(take_number(4)));
      break;
    case 0x8d:  // BINUNICODE8
      push_text(take_text(take_number(8)));
      break;
    case 'C':   // SHORT_BINBYTES
    case 'B':   // BINBYTES
    case 0x8e:  // BINBYTES8
      take(take_number(code == 'C' ? 1 : code == 'B' ? 4 : 8));
      push(PickleKind::kOther);
      break;

    case '(':  // MARK
      if (marks_.size() == limits::kMaxPickleDepth)
        fail(fmt::format("its values are nested more than {} deep", limits::kMaxPickleDepth));
      marks_.push_back(stack_.size());
      break;
    case ')':  // EMPTY_TUPLE
      push(PickleKind::kTuple);
      break;
    case 0x85:    // TUPLE1
    case 0x86:    // TUPLE2
    case 0x87: {  // TUPLE3
      Items items(code - 0x85U + 1U);
      std::ranges::generate(items.rbegin(), items.rend(), [&] { return pop(); });
      push(PickleKind::kTuple, std::move(items));
      break;
    }
    case 't':  // TUPLE
      push(PickleKind::kTuple, pop_to_mark());
      break;
    case ']':  // EMPTY_LIST
      push(PickleKind::kList);
      break;
    case '}':  // EMPTY_DICT
      push(PickleKind::kDict);
      break;
    case 0x8f:  // EMPTY_SET
      push(PickleKind::kOther);
      break;
    case 0x91:  // FROZENSET
      pop_to_mark();
      push(PickleKind::kOther);
      break;
    case 'a': {  // APPEND
      const PickleValue* const item = pop();
      add_items(PickleKind::kList, {item});
      break;
    }
    case 'e':   // APPENDS
    case 0x90:  // ADDITEMS
      add_items(PickleKind::kList, pop_to_mark());
      break;
    case 's': {  // SETITEM
      const PickleValue* const value = pop();
      const PickleValue* const key = pop();
      add_items(PickleKind::kDict, {key, value});
      break;
    }
    case 'u':  // SETITEMS
      add_items(PickleKind::kDict, pop_to_mark());
      break;

    case 'c': {  // GLOBAL
      const std::string_view module = take_line();
      push_global(module, take_line());
      break;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleValue* const name = pop();
      const PickleValue* const module = pop();
      if (name->kind != PickleKind::kText || module->kind != PickleKind::kText)
        fail("an imported name is not a string");
      push_global(module->text, name->text);
      break;
    }
    case 'R':   // REDUCE
    case 0x81:  // NEWOBJ
      call();
      break;
    case 'b':  // BUILD: attributes of the value before it, such as a dictionary's "_metadata"
      pop();
      break;
    case 'Q': {  // BINPERSID
      const PickleValue* const id = pop();
      push(PickleKind::kPersistent, {id});
      break;
    }

    case 'q':  // BINPUT
      keep(take_number(1));
      break;
    case 'r':  // LONG_BINPUT
      keep(take_number(4));
      break;
    case 0x94:  // MEMOIZE
      keep(memo_.size());
      break;
    case 'h':  // BINGET
      push_kept(take_number(1));
      break;
    case 'j':  // LONG_BINGET
      push_kept(take_number(4));
      break;

    default:
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: its pickle has the instruction 0x{:02x}, which torch.save does "
                              "not write; nothing in it was run",
                              path_, code));
  }
  return true;
}

const PickleValue& PickleReader::next() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (step()) {
  }
  const PickleValue* const value = pop();
  if (!stack_.empty() || !marks_.empty()) fail("values are left over");
  return *value;
}

}  // namespace kandinsky::io
