#include "io/weights_digest.h"

#include <fmt/format.h>

#include <random>
#include <set>
#include <vector>

#include "unit/support.h"

namespace kandinsky::io {
namespace {

constexpr std::size_t kSize = 3U << 20U;

std::string noise(unsigned seed, std::size_t size = kSize) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// A safetensors file of tensors of so many bytes, which are the content.
std::string file_of(const std::string& content, std::size_t tensor_bytes) {
  std::string header;
  for (std::size_t at = 0; at < content.size() || header.empty(); at += tensor_bytes) {
    const std::size_t end = std::min(at + tensor_bytes, content.size());
    header += fmt::format(R"({}"{}": {{"dtype": "F16", "shape": [{}], "data_offsets": [{}, {}]}})",
                          header.empty() ? "{" : ", ", at, (end - at) / 2, at, end);
  }
  header += '}';
  std::string size(8, '\0');
  for (std::size_t i = 0; i < size.size(); ++i) size[i] = static_cast<char>(header.size() >> 8 * i);
  return size + header + content;
}
std::string file_of(const std::string& content) {
  return file_of(content, std::max<std::size_t>(content.size(), 1));
}

class WeightsDigestTest : public testing::Test {
 protected:
  WeightsDigestTest() {
    folder_.write("m/model_index.json",
                  R"({"_class_name": "X", "unet": ["diffusers", "A"], "movq": ["diffusers", "B"],
                      "scheduler": ["diffusers", "C"]})");
    for (const char* name : {"unet", "movq"})
      folder_.write(std::string("m/") + name + "/config.json", "{}");
  }
  void add(const std::string& name, const std::string& content) const {
    folder_.write("m/" + name, content);
  }
  std::string digest(const char* folder = "m") const {
    return std::string(view_of(digest_folder(ModelDir::open(folder_.path(folder)))));
  }

  test::TempFolder folder_;
};

constexpr const char* kUNet = "unet/diffusion_pytorch_model.safetensors";

TEST_F(WeightsDigestTest, NamesOfFolderAndFilesDoNotCount) {
  add(kUNet, file_of(noise(1)));
  const std::string before = digest();
  add("README.md", "new");
  EXPECT_EQ(digest(), before);
  std::filesystem::rename(folder_.path("m"), folder_.path("n"));
  EXPECT_EQ(digest("n"), before);
  std::filesystem::rename(folder_.path("n/unet/diffusion_pytorch_model.safetensors"),
                          folder_.path("n/unet/model.safetensors"));
  EXPECT_EQ(digest("n"), before);
}

TEST_F(WeightsDigestTest, AChangeOfA256thOfAFileShowsWhereverItIs) {
  const std::string content = noise(1);
  add(kUNet, file_of(content));
  const std::string before = digest();
  const std::size_t part = content.size() / 256 + 1;
  for (std::size_t at = 0; at < content.size(); at += content.size() / 37) {
    std::string changed = content;
    for (std::size_t i = at; i < std::min(at + part, content.size()); ++i) changed[i] ^= 1;
    add(kUNet, file_of(changed));
    EXPECT_NE(digest(), before) << at;
  }
  for (const std::size_t at : {std::size_t{0}, content.size() - 1}) {
    std::string changed = content;
    changed[at] ^= 1;
    add(kUNet, file_of(changed));
    EXPECT_NE(digest(), before) << at;
  }
}

TEST_F(WeightsDigestTest, TheBeginningOfEveryTensorShows) {
  constexpr std::size_t kTensor = 20'000;
  const std::string content = noise(1);
  add(kUNet, file_of(content, kTensor));
  const std::string before = digest();
  for (std::size_t at = 0; at < content.size(); at += kTensor) {
    std::string changed = content;
    changed[at + 4095 * (at / kTensor % 2)] ^= 1;
    add(kUNet, file_of(changed, kTensor));
    ASSERT_NE(digest(), before) << at;
  }
}

TEST_F(WeightsDigestTest, NamesTypesAndShapesOfTensorsCount) {
  const std::string content = noise(1, 40'000);
  std::set<std::string> found;
  std::string file = file_of(content, 20'000);
  for (const auto& [from, to] : {std::pair{"F16", "F16"}, {"F16", "I16"}, {"\"0\"", "\"1\""}}) {
    std::string other = file;
    other.replace(other.find(from), std::string_view(from).size(), to);
    add(kUNet, other);
    found.insert(digest());
  }
  add(kUNet, file_of(content, 10'000));
  found.insert(digest());
  EXPECT_EQ(found.size(), 4U);
}

TEST_F(WeightsDigestTest, AFileThatNoEngineReadsIsAnError) {
  add(kUNet, noise(1));
  test::expect_error(ErrorCode::kCorruptFile, "diffusion_pytorch_model", [&] { digest(); });
}

TEST_F(WeightsDigestTest, ComponentsAndSizesCount) {
  std::set<std::string> found;
  add(kUNet, file_of(noise(1)));
  found.insert(digest());
  add("movq/diffusion_pytorch_model.safetensors", file_of(noise(1)));
  found.insert(digest());
  std::filesystem::remove(folder_.path(std::string("m/") + kUNet));
  found.insert(digest());
  for (const std::size_t size : {0, 2, 4094, 4096, 4098}) {
    add(kUNet, file_of(std::string(size, '\0')));
    found.insert(digest());
  }
  EXPECT_EQ(found.size(), 8U);
}

TEST_F(WeightsDigestTest, OnlyFilesThatTheEngineReadsCount) {
  add("unet/diffusion_pytorch_model.bin", file_of(noise(1)));
  const std::string pickle = digest();
  add("unet/diffusion_pytorch_model.fp16.safetensors", file_of(noise(2)));
  const std::string variant = digest();
  add(kUNet, file_of(noise(3)));
  const std::string plain = digest();
  EXPECT_EQ((std::set{pickle, variant, plain}).size(), 3U);
  add("unet/diffusion_pytorch_model.bin", file_of(noise(4)));
  add("unet/diffusion_pytorch_model.fp16.safetensors", file_of(noise(5)));
  EXPECT_EQ(digest(), plain);
}

TEST_F(WeightsDigestTest, AFolderWithoutWeightsHasNone) {
  try {
    digest();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

TEST_F(WeightsDigestTest, FilesCountInTheirOrder) {
  const std::string a = folder_.write("a", file_of(noise(1, 10'000)));
  const std::string b = folder_.write("b", file_of(noise(2, 10'000)));
  const std::vector<std::string_view> there{a, b};
  const std::vector<std::string_view> back{b, a};
  EXPECT_NE(digest_files(there), digest_files(back));
}

// Seven gigabytes with nothing in them: to read them whole would take seconds.
TEST_F(WeightsDigestTest, OfALargeFileAMegabyteIsRead) {
  constexpr std::uintmax_t kBytes = std::uintmax_t{7} << 30U;
  std::string header = fmt::format(
      R"({{"a": {{"dtype": "F16", "shape": [{}], "data_offsets": [0, {}]}}}})", kBytes / 2, kBytes);
  header.resize(128, ' ');
  add(kUNet, std::string("\x80\0\0\0\0\0\0\0", 8) + header);
  std::filesystem::resize_file(folder_.path(std::string("m/") + kUNet), 8 + 128 + kBytes);
  EXPECT_EQ(digest(), digest());
}

}  // namespace
}  // namespace kandinsky::io
