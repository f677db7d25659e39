#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/span.h"

/// Python's pickles, read as data. A pickle is a program for a small machine whose instructions
/// build values, import names and call them; here an import is a name, and a call is a value with
/// the function and its arguments.
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
  kCall,        ///< of the first item, with the second, a tuple, as arguments
  kPersistent,  ///< data stored elsewhere in the file, by id
  kOther,       ///< floats, bytes, sets: not used for weights
};

/// Refers to other values by pointers; they may form circles.
struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;  ///< also of a bool
  std::string_view text{};   ///< valid UTF-8; of a global its module; of an integer of more than 64
                             ///< bits its bytes
  std::string_view name{};   ///< of a global
  std::vector<const PickleValue*> items{};  ///< of a dictionary: keys and values alternately

  bool is_global(std::string_view module, std::string_view global) const {
    return kind == PickleKind::kGlobal && text == module && name == global;
  }
};

/// Reads the pickles in `bytes`, one after another. Values and texts are valid as long as it and
/// the bytes.
class PickleReader {
 public:
  /// path: of their file, for messages.
  PickleReader(std::string_view path, Span<const std::byte> bytes) : path_(path), rest_(bytes) {}

  /// The next pickle's value. Throws Error(kCorruptFile) for bytes that are not a pickle or exceed
  /// base/limits.h, Error(kUnsupported) for opcodes that PyTorch does not write.
  const PickleValue& next();

  /// The bytes after the pickles that were read.
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
  /// False for the opcode that ends a pickle.
  bool step();

  std::string_view path_;
  Span<const std::byte> rest_;
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace kandinsky::io
