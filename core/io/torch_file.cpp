#include "io/torch_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/bytes.h"
#include "io/input_file.h"
#include "io/pickle.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "io/zip_directory.h"

namespace kandinsky::io {
namespace {

constexpr std::string_view kZipHead = "PK\3\4";

/// The first bytes of a file of torch.save from before archives.
constexpr std::string_view kLegacyHead = "\x80\x02\x8a\x0a";
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kLegacyProtocol = 1001;

struct StorageType {
  std::string_view name;
  DType dtype;
};

constexpr std::array kStorageTypes{
    StorageType{"DoubleStorage", DType::kF64}, StorageType{"FloatStorage", DType::kF32},
    StorageType{"HalfStorage", DType::kF16},   StorageType{"BFloat16Storage", DType::kBF16},
    StorageType{"LongStorage", DType::kI64},   StorageType{"IntStorage", DType::kI32},
    StorageType{"ShortStorage", DType::kI16},  StorageType{"CharStorage", DType::kI8},
    StorageType{"ByteStorage", DType::kU8},    StorageType{"BoolStorage", DType::kBool},
};

/// A storage of tensors' elements.
struct Storage {
  DType dtype = DType::kF32;
  std::int64_t elements = 0;
  std::optional<std::uint64_t> position{};  ///< in the file, when known

  std::uint64_t bytes() const { return static_cast<std::uint64_t>(elements) * dtype_size(dtype); }
};

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  Storage* storage = nullptr;
  std::int64_t offset = 0;  ///< of its first element in the storage
};

const PickleValue* find(const PickleValue& dict, std::string_view key) {
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == PickleKind::kText && dict.items[i]->text == key)
      return dict.items[i + 1];
  }
  return nullptr;
}

bool is_call_of(const PickleValue& value, std::string_view module, std::string_view name) {
  return value.kind == PickleKind::kCall && value.items[0]->is_global(module, name);
}

/// The i-th argument of a call, or null.
const PickleValue* argument(const PickleValue& call, std::size_t i) {
  const PickleValue& arguments = *call.items[1];
  const bool is_there = arguments.kind == PickleKind::kTuple && i < arguments.items.size();
  return is_there ? arguments.items[i] : nullptr;
}

/// A description for messages.
std::string describe(const PickleValue& value) {
  switch (value.kind) {
    case PickleKind::kNone:
      return "None";
    case PickleKind::kBool:
    case PickleKind::kInteger:
      return "a number";
    case PickleKind::kText:
      return "a text";
    case PickleKind::kTuple:
    case PickleKind::kList:
      return "a list";
    case PickleKind::kDict:
      return "a dictionary";
    case PickleKind::kGlobal:
      return fmt::format("the name {}.{}", value.text, value.name);
    case PickleKind::kCall:
      return value.items[0]->kind == PickleKind::kGlobal
                 ? fmt::format("a call of {}.{}", value.items[0]->text, value.items[0]->name)
                 : "a call";
    default:
      return "something else";
  }
}

/// Reads the tensors of a checkpoint's pickle.
class Checkpoint {
 public:
  explicit Checkpoint(std::string_view path) : path_(path) {}

  [[noreturn]] void fail(std::string_view what, ErrorCode code = ErrorCode::kCorruptFile) const {
    throw Error(code, fmt::format("{}: {}", path_, what));
  }

  void read(const PickleValue& root) {
    const PickleValue* top = &root;
    if (top->kind == PickleKind::kDict) {
      const PickleValue* const inner = find(*top, "state_dict");
      if (inner != nullptr && inner->kind == PickleKind::kDict) top = inner;
      for (std::size_t i = 0; i < top->items.size(); i += 2) {
        if (top->items[i]->kind != PickleKind::kText)
          fail(fmt::format("a tensor's name is {}", describe(*top->items[i])));
        add(top->items[i]->text, *top->items[i + 1]);
      }
    } else if (top->kind == PickleKind::kTuple || top->kind == PickleKind::kList) {
      for (std::size_t i = 0; i < top->items.size(); ++i) add(fmt::format("{}", i), *top->items[i]);
    } else {
      refuse(fmt::format("it holds {}", describe(*top)));
    }
    if (!tensors.empty()) return;
    std::string keys;
    constexpr std::size_t kShown = 5;
    for (std::size_t i = 0; top->kind == PickleKind::kDict && i < top->items.size(); i += 2) {
      if (i == 2 * kShown) keys += ", ...";
      if (i >= 2 * kShown) break;
      keys += fmt::format("{}'{}'", i == 0 ? "; its entries are " : ", ", top->items[i]->text);
    }
    refuse(fmt::format("it holds no tensors{}", keys));
  }

  /// By their keys, which are views into the pickle.
  std::unordered_map<std::string_view, Storage> storages;
  std::vector<Tensor> tensors;

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail(fmt::format("not a checkpoint of weights: {}; nothing in it was run. Save the weights "
                     "alone, with torch.save(model.state_dict(), ...)",
                     what),
         ErrorCode::kUnsupported);
  }

  [[noreturn]] void fail(std::string_view name, std::string_view what,
                         ErrorCode code = ErrorCode::kCorruptFile) const {
    fail(fmt::format("tensor '{}': {}", name, what), code);
  }

  void add(std::string_view name, const PickleValue& entry) {
    const PickleValue* value = &entry;
    // torch.nn.Parameter(tensor, requires_grad); nested ones do not occur.
    if (is_call_of(*value, "torch._utils", "_rebuild_parameter")) {
      const PickleValue* const tensor = argument(*value, 0);
      if (tensor == nullptr) fail(name, "its parameter has no tensor");
      value = tensor;
    }
    if (value->kind != PickleKind::kCall && value->kind != PickleKind::kPersistent) return;
    if (!is_call_of(*value, "torch._utils", "_rebuild_tensor_v2"))
      refuse(fmt::format("'{}' is {}, not a tensor", name, describe(*value)));
    if (name.empty()) fail("a tensor has no name");
    if (!names_.emplace(name).second) fail(name, "it is there twice");
    if (tensors.size() == limits::kMaxTensorsPerFile)
      fail(fmt::format("more than {} tensors", limits::kMaxTensorsPerFile));

    const PickleValue* const offset = argument(*value, 1);
    const std::optional<std::vector<std::int64_t>> shape = integers(argument(*value, 2));
    const std::optional<std::vector<std::int64_t>> strides = integers(argument(*value, 3));
    if (offset == nullptr || offset->kind != PickleKind::kInteger || offset->integer < 0 ||
        !shape || !strides || shape->size() != strides->size()) {
      fail(name, "its offset, shape or strides are missing or not whole numbers");
    }
    Storage& storage = storage_of(name, argument(*value, 0));
    const std::optional<std::int64_t> bytes = tensor_byte_size(storage.dtype, *shape);
    if (!bytes) fail(name, fmt::format("shape [{}] is too large", fmt::join(*shape, ", ")));
    const auto elements = *bytes / static_cast<std::int64_t>(dtype_size(storage.dtype));
    if (offset->integer > storage.elements || elements > storage.elements - offset->integer) {
      fail(name, fmt::format("it uses elements {} to {} of a storage of {}", offset->integer,
                             offset->integer + elements, storage.elements));
    }
    std::int64_t row_major = 1;
    for (std::size_t i = shape->size(); elements > 0 && i > 0; --i) {
      const std::int64_t dim = (*shape)[i - 1];
      if (dim != 1 && (*strides)[i - 1] != row_major) {
        fail(name,
             fmt::format("shape [{}] with strides [{}] is not stored row by row; save it again, "
                         "after tensor.contiguous()",
                         fmt::join(*shape, ", "), fmt::join(*strides, ", ")),
             ErrorCode::kUnsupported);
      }
      row_major *= dim;
    }
    tensors.push_back({.name = std::string(name),
                       .shape = *shape,
                       .storage = &storage,
                       .offset = offset->integer});
  }

  /// From ('storage', type, key, device, elements[, view]).
  Storage& storage_of(std::string_view name, const PickleValue* value) {
    const PickleValue* const id =
        value != nullptr && value->kind == PickleKind::kPersistent ? value->items[0] : nullptr;
    if (id == nullptr || id->kind != PickleKind::kTuple || id->items.size() < 5 ||
        id->items[0]->kind != PickleKind::kText || id->items[0]->text != "storage" ||
        id->items[1]->kind != PickleKind::kGlobal || id->items[2]->kind != PickleKind::kText ||
        id->items[4]->kind != PickleKind::kInteger || id->items[4]->integer < 0) {
      fail(name, "its storage is not described in PyTorch's format");
    }
    const auto type = std::ranges::find_if(kStorageTypes, [&](const StorageType& known) {
      return id->items[1]->is_global("torch", known.name);
    });
    if (type == kStorageTypes.end()) {
      fail(name, fmt::format("{} is not a supported type of weights", describe(*id->items[1])),
           ErrorCode::kUnsupported);
    }
    if (id->items.size() > 5 && id->items[5]->kind != PickleKind::kNone)
      fail(name, "its storage is part of another one", ErrorCode::kUnsupported);
    const Storage storage{.dtype = type->dtype, .elements = id->items[4]->integer};
    if (storage.elements > std::numeric_limits<std::int64_t>::max() /
                               static_cast<std::int64_t>(dtype_size(storage.dtype))) {
      fail(name, fmt::format("its storage would have {} elements", storage.elements));
    }
    const auto [found, is_new] = storages.emplace(id->items[2]->text, storage);
    if (found->second.dtype != storage.dtype || found->second.elements != storage.elements)
      fail(name, fmt::format("storage '{}' is described in two ways", found->first));
    return found->second;
  }

  std::optional<std::vector<std::int64_t>> integers(const PickleValue* value) const {
    // torch.Size((2, 3)) in some files, a plain tuple in most.
    if (value != nullptr && is_call_of(*value, "torch", "Size")) value = argument(*value, 0);
    if (value == nullptr || value->kind != PickleKind::kTuple ||
        value->items.size() > limits::kMaxTensorRank) {
      return {};
    }
    std::vector<std::int64_t> numbers;
    for (const PickleValue* const item : value->items) {
      if (item->kind != PickleKind::kInteger || item->integer < 0) return {};
      numbers.push_back(item->integer);
    }
    return numbers;
  }

  std::string_view path_;
  std::unordered_set<std::string> names_;
};

/// Pickle and data are entries of an archive, in one folder of any name.
void read_archive(const InputFile& file, std::vector<std::byte>* bytes, Checkpoint* checkpoint) {
  const ZipDirectory zip = ZipDirectory::open(file);
  constexpr std::string_view kPickle = "/data.pkl";
  const auto found = std::ranges::find_if(
      zip.entries(), [&](const ZipEntry& entry) { return entry.name.ends_with(kPickle); });
  if (found == zip.entries().end()) {
    checkpoint->fail(
        "a ZIP archive without a data.pkl, so not a PyTorch file; unpack it if the "
        "checkpoint is in it",
        ErrorCode::kUnsupported);
  }
  const ZipEntry& pickle = *found;
  const std::string folder(pickle.name.substr(0, pickle.name.size() - kPickle.size()));
  if (zip.find(folder + "/constants.pkl") != nullptr) {
    checkpoint->fail(
        "a TorchScript program, not a checkpoint; for CLIP's encoders take those of "
        "the prior's folder in diffusers' layout",
        ErrorCode::kUnsupported);
  }
  if (const ZipEntry* const order = zip.find(folder + "/byteorder")) {
    std::array<std::byte, 6> word{};
    if (order->size == word.size()) file.read(order->position, word);
    if (text_of(word) != "little")
      checkpoint->fail("its byte order is not that of this machine", ErrorCode::kUnsupported);
  }
  if (pickle.size > limits::kMaxPickleBytes) {
    checkpoint->fail(fmt::format("its pickle has {} bytes, at most {} are allowed", pickle.size,
                                 limits::kMaxPickleBytes));
  }
  bytes->resize(pickle.size);
  file.read(pickle.position, *bytes);
  PickleReader reader(file.path(), *bytes);
  checkpoint->read(reader.next());
  if (!reader.rest().empty())
    checkpoint->fail(fmt::format("{} bytes after its pickle", reader.rest().size()));
  for (auto& [key, storage] : checkpoint->storages) {
    const ZipEntry* const data = zip.find(fmt::format("{}/data/{}", folder, key));
    if (data == nullptr) checkpoint->fail(fmt::format("storage '{}' is missing", key));
    if (data->size < storage.bytes()) {
      checkpoint->fail(
          fmt::format("storage '{}' has {} bytes, expected {}", key, data->size, storage.bytes()));
    }
    storage.position = data->position;
  }
}

/// Five pickles, then the storages, each with its number of elements before it.
void read_legacy(const InputFile& file, std::vector<std::byte>* bytes, Checkpoint* checkpoint) {
  bytes->resize(std::min(file.size(), limits::kMaxPickleBytes));
  file.read(0, *bytes);
  PickleReader reader(file.path(), *bytes);
  const PickleValue& magic = reader.next();
  const PickleValue& protocol = reader.next();
  const PickleValue& system = reader.next();
  if (magic.text != kLegacyMagic || protocol.kind != PickleKind::kInteger ||
      protocol.integer != kLegacyProtocol || system.kind != PickleKind::kDict) {
    checkpoint->fail("a pickle, but not one that torch.save wrote");
  }
  const PickleValue* const is_little = find(system, "little_endian");
  if (is_little != nullptr && is_little->integer == 0)
    checkpoint->fail("its byte order is not that of this machine", ErrorCode::kUnsupported);
  checkpoint->read(reader.next());
  const PickleValue& keys = reader.next();
  if (keys.kind != PickleKind::kList) checkpoint->fail("its list of storages is missing");
  std::uint64_t position = bytes->size() - reader.rest().size();
  for (const PickleValue* const key : keys.items) {
    const auto found = key->kind == PickleKind::kText ? checkpoint->storages.find(key->text)
                                                      : checkpoint->storages.end();
    if (found == checkpoint->storages.end() || found->second.position)
      checkpoint->fail("its list of storages does not fit its tensors");
    Storage& storage = found->second;
    std::array<std::byte, 8> count{};
    const std::uint64_t left = file.size() - position;
    if (left < count.size() || left - count.size() < storage.bytes()) {
      checkpoint->fail(
          fmt::format("truncated: storage '{}' has {} bytes, {} are there; perhaps an "
                      "incomplete download",
                      found->first, storage.bytes(), left));
    }
    file.read(position, count);
    if (little_endian(count, 0, 4) !=
            (static_cast<std::uint64_t>(storage.elements) & 0xFFFFFFFFU) ||
        little_endian(count, 4, 4) != static_cast<std::uint64_t>(storage.elements) >> 32U) {
      checkpoint->fail(fmt::format(
          "storage '{}' has another number of elements than its tensors require", found->first));
    }
    storage.position = position + count.size();
    position = *storage.position + storage.bytes();
  }
  if (position != file.size())
    checkpoint->fail(fmt::format("{} bytes after the last storage", file.size() - position));
}

}  // namespace

bool TorchFile::recognizes(Span<const std::byte> head) noexcept {
  return text_of(head) == kZipHead || text_of(head) == kLegacyHead;
}

TorchFile TorchFile::open(std::string_view path) {
  InputFile file = InputFile::open(path);
  Checkpoint checkpoint(path);
  std::array<std::byte, kZipHead.size()> head{};
  if (file.size() >= head.size()) file.read(0, head);
  std::vector<std::byte> pickle;
  if (text_of(head) == kZipHead) {
    read_archive(file, &pickle, &checkpoint);
  } else if (text_of(head) == kLegacyHead) {
    read_legacy(file, &pickle, &checkpoint);
  } else {
    checkpoint.fail("not a file that torch.save wrote; perhaps an incomplete download");
  }
  std::vector<StoredTensor> stored;
  for (const Tensor& tensor : checkpoint.tensors) {
    const Storage& storage = *tensor.storage;
    if (!storage.position)
      checkpoint.fail(fmt::format("tensor '{}': its storage is missing", tensor.name));
    const std::size_t element = dtype_size(storage.dtype);
    stored.push_back(
        {.name = tensor.name,
         .dtype = storage.dtype,
         .shape = tensor.shape,
         .position = *storage.position + static_cast<std::uint64_t>(tensor.offset) * element,
         .size = static_cast<std::uint64_t>(*tensor_byte_size(storage.dtype, tensor.shape))});
  }
  return {std::move(file), stored};
}

}  // namespace kandinsky::io
