// Compiled once with each std::string: every call across the torch line must link and give the
// same.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/utf8.h"
#include "io/images/codec.h"
#include "io/json_config.h"
#include "io/model_dir.h"
#include "io/safetensors.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"
#include "unit/support.h"

namespace kandinsky {
namespace {

TEST(TorchLine, IsCompiledWithTheAbiItSays) {
#if _GLIBCXX_USE_CXX11_ABI
  EXPECT_EQ(sizeof(std::string), 32U);
#else
  EXPECT_EQ(sizeof(std::string), 8U);
#endif
}

TEST(TorchLine, ErrorsCross) {
  test::expect_error(ErrorCode::kNotFound, "/nowhere: no such model folder",
                     [] { io::ModelDir::open("/nowhere"); });
  const Error error(ErrorCode::kBusy, "made on this side");
  EXPECT_STREQ(error.what(), "made on this side");
}

TEST(TorchLine, TensorsCross) {
  const test::TempFolder folder;
  const std::array<float, 2> values = {1.5F, -2.0F};
  const std::array<std::int64_t, 2> shape = {1, 2};
  const std::array tensors = {
      io::TensorView{"w", io::DType::kF32, shape, std::as_bytes(Span<const float>(values))}};
  const std::array metadata = {io::MetadataEntry{"format", "pt"}};
  io::write_safetensors(folder.path("x.safetensors"), tensors, metadata);
  const auto file = io::SafetensorsFile::open(folder.path("x.safetensors"));
  ASSERT_NE(file.find("w"), nullptr);
  EXPECT_EQ(file.find("w")->size, 8U);
  std::array<float, 2> read{};
  file.read(*file.find("w"), 0, std::as_writable_bytes(Span<float>(read)));
  EXPECT_EQ(read, values);
  EXPECT_EQ(file.metadata()[0].value, "pt");
}

TEST(TorchLine, ConfigsAndFoldersCross) {
  const test::TempFolder folder;
  folder.write("model_index.json", R"({"_class_name": "P", "unet": ["diffusers", "U"]})");
  folder.write("unet/config.json", R"({"a": 3, "b": [1, 2], "c": "text"})");
  folder.write("unet/model.safetensors", "");
  const io::ModelDir dir = io::ModelDir::open(folder.path());
  EXPECT_EQ(dir.components()[0].class_name, "U");
  const io::ComponentFiles files = dir.weights("unet");
  EXPECT_TRUE(files.weights()[0].ends_with("/unet/model.safetensors"));
  const io::JsonConfig config = io::JsonConfig::load(files.config_path());
  EXPECT_EQ(config.get_ints("b"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(config.get_string_view("c"), "text");
  EXPECT_EQ(config.keys().size(), 3U);
}

TEST(TorchLine, ImagesCross) {
  const io::Image image{2, 1, 3, {1, 2, 3, 4, 5, 6}};
  const std::vector<std::uint8_t> png =
      io::encode_image(image, io::ImageFormat::kPng, {.parameters = "круг", .quality = 90});
  const io::Image back = io::decode_image(std::as_bytes(Span<const std::uint8_t>(png)),
                                          io::ImageChannels::kRgb, "test");
  EXPECT_EQ(back.pixels, image.pixels);
}

TEST(TorchLine, TokensCross) {
  const std::string data = std::string(KANDINSKY_TESTS_DIR) + "/unit/text/data";
  const text::Tokens clip = text::ClipTokenizer::load(data + "/clip").encode("a cat", 8);
  EXPECT_EQ(clip.ids.size(), 8U);
  const text::Tokens xlmr = text::XlmrTokenizer::load(data + "/xlmr").encode("кот", 8);
  EXPECT_EQ(xlmr.attention_mask.size(), 8U);
  EXPECT_EQ(xlmr.ids[0], 0);
}

TEST(TorchLine, CallbacksCross) {
  CancelFlag flag;
  flag.request();
  test::expect_error(ErrorCode::kCancelled, "stopped", [&] { flag.check(); });
  EXPECT_EQ(find_invalid_utf8("a\x80"), 1U);
}

}  // namespace
}  // namespace kandinsky
