#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/span.h"

/// Python's pickles, read as data. A pickle is a program for a small machine whose instructions
/// build values, import names and call them; here an import is a name and a call is a value that
/// says what was to be called with what.
namespace kandinsky::io {

enum class PickleKind : int {
  kNone,
  kBool,
  kInteger,
  kText,
  kTuple,
  kList,
  kDict,
  kGlobal,      ///< a name that Python would import
  kCall,        ///< of the first item with the second, a tuple
  kPersistent,  ///< what the file holds elsewhere, by its id
  kOther,       ///< a number with a fraction, bytes, a set: nothing that weights are made of
};

/// Refers to other values by pointers; they may form circles.
struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;  ///< of a bool, too
  std::string_view text{};   ///< valid UTF-8; of a global its module; of an integer of more than 64
                             ///< bits its bytes
  std::string_view name{};   ///< of a global
  std::vector<const PickleValue*> items{};  ///< of a dictionary keys and values by turns

  bool is_global(std::string_view module, std::string_view global) const {
    return kind == PickleKind::kGlobal && text == module && name == global;
  }
};

/// Reads the pickles in `bytes`, one after another. Values and texts live as long as it and the
/// bytes do.
class PickleReader {
 public:
  /// path: of the file that they are from, for messages.
  PickleReader(std::string_view path, Span<const std::byte> bytes) : path_(path), rest_(bytes) {}

  /// The next one's value. Throws Error(kCorruptFile) for bytes that are no pickle, or are over the
  /// caps in base/limits.h, Error(kUnsupported) for instructions that PyTorch's do not have.
  const PickleValue& next();

  /// What follows the pickles that were read.
  Span<const std::byte> rest() const { return rest_; }

 private:
  using Items = std::vector<const PickleValue*>;

  [[noreturn]] void fail(std::string_view what) const;
  Span<const std::byte> take(std::uint64_t count);
  std::uint64_t take_number(std::size_t bytes);
  std::string_view take_text(std::uint64_t size);
  std::string_view take_line();
  PickleValue& make(PickleKind kind);
  void push(PickleKind kind, Items items = {});
  void push_integer(std::int64_t value);
  void push_text(std::string_view text);
  void push_global(std::string_view module, std::string_view name);
  PickleValue& top();
  const PickleValue* pop();
  Items pop_to_mark();
  void add_items(PickleKind to, const Items& items);
  void call();
  void keep(std::uint64_t key);
  void push_kept(std::uint64_t key);
  /// False for the instruction that ends a pickle.
  bool step();

  std::string_view path_;
  Span<const std::byte> rest_;
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace kandinsky::io
