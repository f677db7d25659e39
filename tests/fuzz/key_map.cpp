/// Names and shapes of an original checkpoint's tensors, to be renamed. The input's first byte says
/// what the checkpoint is taken for; then come its config and, for each tensor, a line with the
/// name and the shape.
#include "convert/key_map.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "fuzz/safetensors.h"
#include "io/json_config.h"

namespace convert = kandinsky::convert;
namespace fuzz = kandinsky::fuzz;
namespace io = kandinsky::io;

namespace {

/// The header of a file of such tensors, of a byte for each element; there are few of these.
std::string header_of(fuzz::Input* input, std::uint64_t* bytes) {
  constexpr std::uint64_t kMost = 1 << 16;
  nlohmann::json header = nlohmann::json::object();
  while (!input->rest().empty()) {
    std::string_view line = input->part("\n");
    const std::string_view name = line.substr(0, line.find(' '));
    std::string_view numbers = line.substr(name.size());
    std::vector<std::uint64_t> shape;
    std::uint64_t elements = 1;
    while (!numbers.empty() && shape.size() < 8) {
      numbers.remove_prefix(1);
      std::uint8_t side = 0;
      std::from_chars(numbers.data(), numbers.data() + numbers.size(), side);
      shape.push_back(side);
      elements *= side;
      numbers.remove_prefix(std::min(numbers.find(' '), numbers.size()));
    }
    if (elements > kMost - *bytes) continue;
    header[std::string(name)] = {
        {"dtype", "U8"}, {"shape", shape}, {"data_offsets", {*bytes, *bytes + elements}}};
    *bytes += elements;
  }
  return header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void check(const convert::Pieces& pieces, const io::TensorFile& file) {
  std::set<std::string> names;
  std::set<const io::StoredTensor*> used;
  for (const convert::Piece& piece : pieces.pieces) {
    fuzz::require(piece.file == &file && file.find(piece.stored->name) == piece.stored,
                  "a piece is one of the file's");
    fuzz::require(names.insert(piece.name).second, "a name is given once:", piece.name);
    used.insert(piece.stored);
    const auto size = io::tensor_byte_size(piece.stored->dtype, piece.shape);
    fuzz::require(size && static_cast<std::uint64_t>(*size) * piece.parts == piece.stored->size,
                  "its parts make it up:", piece.name);
    fuzz::require(
        piece.parts == 1 || (piece.part >= 0 && piece.part < piece.parts && piece.head_dim > 0 &&
                             piece.shape[0] > 0 && piece.shape[0] % piece.head_dim == 0),
        "a part has whole heads:", piece.name);
  }
  fuzz::require(used.size() + pieces.unknown.size() == file.tensors().size(),
                "each tensor is used or named as unknown");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::MemoryFile memory;
  fuzz::Input input(data, size);
  const auto kind = static_cast<convert::Kind>(input.byte() % 6);
  const std::string_view config = input.part();
  std::uint64_t bytes = 0;
  const std::string header = header_of(&input, &bytes);
  memory.write(fuzz::safetensors_of(header, std::string(bytes, '\0')));
  fuzz::accepts([&] {
    const io::TensorFile file = io::SafetensorsFile::open(memory.path());
    const convert::Kind guessed = convert::kind_of(file);
    const auto json = io::JsonConfig::parse(config, "config.json");
    for (const convert::Kind taken : {kind, guessed})
      fuzz::accepts([&] { check(convert::pieces_of(file, taken, json), file); });
  });
  return 0;
}
