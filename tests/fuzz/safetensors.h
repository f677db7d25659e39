#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/files.h"
#include "io/safetensors.h"

namespace kandinsky::fuzz {

/// A safetensors file with that header, whatever it says.
inline std::string safetensors_of(std::string_view header, std::string_view data) {
  std::string content(8, '\0');
  for (std::size_t i = 0; i < content.size(); ++i)
    content[i] = static_cast<char>(header.size() >> 8 * i);
  return content.append(header).append(data);
}

/// The same from an input: two bytes that say how much data there is, then the header.
inline std::string safetensors_of(Input* input) {
  std::string data(static_cast<std::size_t>(input->number(0, 4095)), '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i);
  return safetensors_of(input->rest(), data);
}

/// What must hold for a file of tensors that was taken: each has its bytes, and a copy, written by
/// us as safetensors, says the same.
inline void check_tensors(const io::TensorFile& file, const Folder& folder) {
  const auto bytes_of_tensor = [](const io::TensorFile& from, const io::StoredTensor& tensor) {
    std::vector<std::byte> bytes(tensor.size);
    from.read(tensor, 0, bytes);
    return bytes;
  };
  std::vector<std::vector<std::byte>> contents;
  std::vector<io::TensorView> views;
  for (const io::StoredTensor& tensor : file.tensors()) {
    const auto size = io::tensor_byte_size(tensor.dtype, tensor.shape);
    require(size && tensor.size == static_cast<std::uint64_t>(*size), "a tensor has its bytes");
    require(file.find(tensor.name) == &tensor, "a tensor is found by its name");
    contents.push_back(bytes_of_tensor(file, tensor));
    views.push_back({tensor.name, tensor.dtype, tensor.shape, contents.back()});
  }
  require(file.find("no such tensor, surely") == nullptr, "what is not there is not found");

  const std::string copy_path = folder.path("copy.safetensors");
  io::write_safetensors(copy_path, views, file.metadata());
  const io::SafetensorsFile copy = io::SafetensorsFile::open(copy_path);
  require(copy.tensors().size() == views.size() && copy.metadata().size() == file.metadata().size(),
          "a copy has as many entries");
  for (std::size_t i = 0; i < views.size(); ++i) {
    const io::StoredTensor* same = copy.find(views[i].name);
    require(same != nullptr && same->dtype == views[i].dtype &&
                std::ranges::equal(same->shape, views[i].shape) &&
                bytes_of_tensor(copy, *same) == contents[i],
            "a copy's tensor is the same");
  }
  for (std::size_t i = 0; i < file.metadata().size(); ++i) {
    require(copy.metadata()[i].key == file.metadata()[i].key &&
                copy.metadata()[i].value == file.metadata()[i].value,
            "a copy's metadata are the same");
  }
}

/// The same, and that they lie in it one after another.
inline void check_safetensors(const io::SafetensorsFile& file, const Folder& folder) {
  const io::StoredTensor* previous = nullptr;
  for (const io::StoredTensor& tensor : file.tensors()) {
    require(previous == nullptr || previous->position + previous->size == tensor.position,
            "tensors follow each other");
    previous = &tensor;
  }
  check_tensors(file, folder);
}

}  // namespace kandinsky::fuzz
