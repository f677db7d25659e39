#include "io/model_dir.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "unit/support.h"

namespace kandinsky::io {
namespace {

constexpr std::string_view kIndex = R"({
  "_class_name": "KandinskyPipeline", "_diffusers_version": "0.17.0",
  "requires_safety_checker": false, "safety_checker": [null, null],
  "unet": ["diffusers", "UNet2DConditionModel"],
  "scheduler": ["diffusers", "DDIMScheduler"]
})";

std::vector<std::string> weight_names(const ModelDir& dir, std::string_view component) {
  const ComponentFiles files = dir.weights(component);
  std::vector<std::string> names;
  for (const std::string_view path : files.weights()) {
    EXPECT_TRUE(path.starts_with(files.folder()));
    names.emplace_back(path.substr(files.folder().size() + 1));
  }
  return names;
}

class ModelDirTest : public testing::Test {
 protected:
  ModelDirTest() {
    folder_.write("m/model_index.json", kIndex);
    folder_.write("m/unet/config.json", "{}");
    folder_.write("m/scheduler/scheduler_config.json", "{}");
  }
  ModelDir open() const { return ModelDir::open(folder_.path("m")); }
  void add(const std::string& name, std::string_view content = "") const {
    folder_.write("m/unet/" + name, content);
  }

  test::TempFolder folder_;
};

TEST_F(ModelDirTest, ListsComponentsOfTheIndex) {
  const ModelDir dir = ModelDir::open(folder_.path("m") + "//");
  EXPECT_EQ(dir.path(), folder_.path("m"));
  EXPECT_EQ(dir.name(), "m");
  EXPECT_EQ(dir.pipeline_class(), "KandinskyPipeline");
  ASSERT_EQ(dir.components().size(), 2U);
  EXPECT_EQ(dir.components()[0].name, "scheduler");
  EXPECT_EQ(dir.components()[1].library, "diffusers");
  EXPECT_EQ(dir.components()[1].class_name, "UNet2DConditionModel");
  EXPECT_EQ(dir.find("unet"), &dir.components()[1]);
  EXPECT_EQ(dir.find("safety_checker"), nullptr);
}

TEST_F(ModelDirTest, FindsConfigsByTheirNames) {
  const ModelDir dir = open();
  EXPECT_EQ(dir.component("scheduler").config_path(),
            folder_.path("m/scheduler/scheduler_config.json"));
  EXPECT_EQ(dir.component("unet").config_path(), folder_.path("m/unet/config.json"));
  EXPECT_EQ(dir.component("unet").folder(), folder_.path("m/unet"));
  EXPECT_TRUE(dir.component("unet").weights().empty());
}

TEST_F(ModelDirTest, TakesPlainWeightsAndElseTheFp16Variant) {
  using Names = std::vector<std::string>;
  const ModelDir dir = open();
  add("model.fp16.safetensors");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"model.fp16.safetensors"}));
  add("model.safetensors");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"model.safetensors"}));
  add("diffusion_pytorch_model.safetensors");
  add("diffusion_pytorch_model.bin");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"diffusion_pytorch_model.safetensors"}));
}

TEST_F(ModelDirTest, TakesPyTorchsFilesWhereThereAreNoOthers) {
  using Names = std::vector<std::string>;
  const ModelDir dir = open();
  add("pytorch_model.fp16.bin");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"pytorch_model.fp16.bin"}));
  add("pytorch_model-1.bin");
  add("pytorch_model.bin.index.json", R"({"weight_map": {"a": "pytorch_model-1.bin"}})");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"pytorch_model-1.bin"}));
  add("diffusion_pytorch_model.bin");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"diffusion_pytorch_model.bin"}));
  add("model.fp16.safetensors");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"model.fp16.safetensors"}));
}

TEST_F(ModelDirTest, FollowsAShardIndex) {
  using Names = std::vector<std::string>;
  const ModelDir dir = open();
  add("diffusion_pytorch_model.fp16-1.safetensors");
  add("diffusion_pytorch_model.safetensors.index.fp16.json",
      R"({"weight_map": {"a": "diffusion_pytorch_model.fp16-1.safetensors"}})");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"diffusion_pytorch_model.fp16-1.safetensors"}));
  add("model-2.safetensors");
  add("model-1.safetensors");
  add("model.safetensors.index.json",
      R"({"metadata": {}, "weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors",
          "c": "model-2.safetensors"}})");
  EXPECT_EQ(weight_names(dir, "unet"), (Names{"model-1.safetensors", "model-2.safetensors"}));
}

TEST_F(ModelDirTest, RefusesABadShardIndex) {
  const ModelDir dir = open();
  const auto refuse = [&](ErrorCode code, std::string_view part, std::string_view index) {
    add("model.safetensors.index.json", index);
    test::expect_error(code, part, [&] { (void)dir.weights("unet"); });
  };
  folder_.write("m/outside.safetensors", "");
  refuse(ErrorCode::kNotFound, "'gone.safetensors'",
         R"({"weight_map": {"a": "gone.safetensors"}})");
  refuse(ErrorCode::kCorruptFile, "same folder",
         R"({"weight_map": {"a": "../outside.safetensors"}})");
  refuse(ErrorCode::kCorruptFile, "same folder", R"({"weight_map": {"a": "/etc/passwd"}})");
  refuse(ErrorCode::kCorruptFile, "same folder", R"({"weight_map": {"a": "config.json"}})");
  refuse(ErrorCode::kCorruptFile, "weight_map", R"({"weight_map": {"a": 3}})");
  refuse(ErrorCode::kCorruptFile, "empty", R"({"weight_map": {}})");
  refuse(ErrorCode::kCorruptFile, "'weight_map' is missing", "{}");
  std::string many = R"({"weight_map": {)";
  for (int i = 0; i < 101; ++i) {
    const std::string number = std::to_string(i);
    many += '"' + number + R"(": "m)" + number + R"(.safetensors",)";
  }
  many.back() = '}';
  refuse(ErrorCode::kCorruptFile, "lists 101 files, at most 100", many + "}");
}

TEST_F(ModelDirTest, SaysWhatIsMissing) {
  const ModelDir dir = open();
  using enum ErrorCode;
  test::expect_error(kNotFound, "no component 'movq'", [&] { (void)dir.component("movq"); });
  test::expect_error(kNotFound, "no component 'safety_checker'",
                     [&] { (void)dir.component("safety_checker"); });
  test::expect_error(kNotFound, "component 'unet' has no weights",
                     [&] { (void)dir.weights("unet"); });
  add("decoder_fp16.ckpt");
  test::expect_error(kUnsupported,
                     "no weights under a name that diffusers gives them; decoder_fp16",
                     [&] { (void)dir.weights("unet"); });
  std::filesystem::remove(folder_.path("m/unet/config.json"));
  test::expect_error(kNotFound, "component 'unet' has none of config.json",
                     [&] { (void)dir.weights("unet"); });
  std::filesystem::remove_all(folder_.path("m/unet"));
  test::expect_error(kNotFound, "folder of component 'unet' is missing",
                     [&] { (void)dir.weights("unet"); });
}

TEST_F(ModelDirTest, SaysWhatIsThereInsteadOfAFile) {
  add("diffusion_pytorch_model.safetensors");
  const std::string weights = folder_.path("m/unet/diffusion_pytorch_model.safetensors");
  std::filesystem::remove(weights);
  std::filesystem::create_symlink("../blobs/gone", weights);
  test::expect_error(ErrorCode::kNotFound, weights + ": is a link to something that is missing",
                     [&] { (void)open().weights("unet"); });
  std::filesystem::remove(weights);
  std::filesystem::create_directory(weights);
  // Whoever opens it says that it is a folder.
  EXPECT_EQ(weight_names(open(), "unet").size(), 1U);
  folder_.write("n/model_index.json", kIndex);
  std::filesystem::remove(folder_.path("n/model_index.json"));
  std::filesystem::create_symlink("gone", folder_.path("n/model_index.json"));
  test::expect_error(ErrorCode::kNotFound, "is a link to something that is missing",
                     [&] { ModelDir::open(folder_.path("n")); });
}

TEST_F(ModelDirTest, RefusesFoldersThatAreNoModel) {
  using enum ErrorCode;
  test::expect_error(kNotFound, "no such model folder",
                     [&] { ModelDir::open(folder_.path("gone")); });
  test::expect_error(kNotFound, "no model_index.json", [&] { ModelDir::open(folder_.path()); });
  test::expect_error(kInvalidArgument, "is a file",
                     [&] { ModelDir::open(folder_.path("m/model_index.json")); });
  test::expect_error(kInvalidArgument, "empty", [] { ModelDir::open(""); });
  test::expect_error(kInvalidArgument, "null byte",
                     [] { ModelDir::open(std::string_view("a\0", 2)); });
  const auto refuse = [&](std::string_view part, std::string_view index) {
    folder_.write("m/model_index.json", index);
    test::expect_error(kCorruptFile, part, [&] { (void)open(); });
  };
  refuse("invalid JSON", "{");
  refuse("'_class_name' is missing", "{}");
  refuse("'_class_name' is 3", R"({"_class_name": 3})");
  refuse("'unet' has 1 entries", R"({"_class_name": "P", "unet": ["diffusers"]})");
  refuse("expected texts", R"({"_class_name": "P", "unet": [1, 2]})");
  refuse("'../unet' cannot be", R"({"_class_name": "P", "../unet": ["a", "b"]})");
  refuse("'..' cannot be", R"({"_class_name": "P", "..": ["a", "b"]})");
  // What a terminal would obey.
  refuse("cannot be the name of a class", R"({"_class_name": "\u001b[31m"})");
  refuse("cannot be the name of a class", R"({"_class_name": "P", "unet": ["a", "\u202e"]})");
  refuse("cannot be the name of a component", R"({"_class_name": "P", "a\nb": ["a", "b"]})");
}

TEST_F(ModelDirTest, FindsFoldersThatTheIndexDoesNotList) {
  EXPECT_FALSE(open().optional_component("ddpm_scheduler").has_value());
  folder_.write("m/ddpm_scheduler/scheduler_config.json", "{}");
  EXPECT_EQ(open().optional_component("ddpm_scheduler")->config_path(),
            folder_.path("m/ddpm_scheduler/scheduler_config.json"));
  std::filesystem::remove(folder_.path("m/ddpm_scheduler/scheduler_config.json"));
  test::expect_error(ErrorCode::kNotFound, "has none of",
                     [&] { (void)open().optional_component("ddpm_scheduler"); });
}

TEST_F(ModelDirTest, FindsSiblings) {
  const auto add_model = [&](const std::string& name) {
    folder_.write(name + "/model_index.json", kIndex);
  };
  EXPECT_FALSE(open().sibling("-prior").has_value());
  add_model("m-prior");
  add_model("m-inpaint");
  EXPECT_EQ(open().sibling("-prior")->name(), "m-prior");
  EXPECT_EQ(open().sibling("-inpaint")->name(), "m-inpaint");
  EXPECT_EQ(ModelDir::open(folder_.path("m-inpaint")).sibling("-prior")->name(), "m-prior");
  add_model("a \\ b");
  add_model("a \\ b-prior");
  EXPECT_EQ(ModelDir::open(folder_.path("a \\ b")).sibling("-prior")->name(), "a \\ b-prior");
  // A link beside which there is another prior: the neighbours of the link count first.
  std::filesystem::create_directory(folder_.path("links"));
  std::filesystem::create_directory_symlink(folder_.path("m"), folder_.path("links/alias"));
  EXPECT_EQ(ModelDir::open(folder_.path("links/alias")).sibling("-prior")->path(),
            folder_.path("m-prior"));
  add_model("links/alias-prior");
  EXPECT_EQ(ModelDir::open(folder_.path("links/alias")).sibling("-prior")->path(),
            folder_.path("links/alias-prior"));
  std::filesystem::remove(folder_.path("m-prior/model_index.json"));
  test::expect_error(ErrorCode::kNotFound, "m-prior", [&] { (void)open().sibling("-prior"); });
}

TEST_F(ModelDirTest, NeighboursAreTheModelsBesideIt) {
  EXPECT_TRUE(open().neighbours().empty());
  folder_.write("b/model_index.json", kIndex);
  folder_.write("a/model_index.json", kIndex);
  folder_.write("broken/model_index.json", "{");
  folder_.write("no-model/config.json", "{}");
  const std::vector<ModelDir> found = open().neighbours();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name(), "a");
  EXPECT_EQ(found[1].name(), "b");
  folder_.write("elsewhere/b/model_index.json", kIndex);
  const std::vector<std::string> named{folder_.path("elsewhere"), folder_.path("nowhere"),
                                       folder_.path("")};
  const std::vector<std::string_view> places(named.begin(), named.end());
  ASSERT_EQ(open().neighbours(places).size(), 3U);
  EXPECT_EQ(open().neighbours(places)[2].path(), folder_.path("elsewhere/b"));
}

TEST_F(ModelDirTest, NeighboursInACacheAreTheSnapshotsOfItsRepositories) {
  const auto add = [&](const std::string& repository, const std::string& revision) {
    const std::string folder = "hub/models--" + repository + "/snapshots/" + revision;
    folder_.write(folder + "/model_index.json", kIndex);
    return folder_.path(folder);
  };
  const ModelDir model = ModelDir::open(add("owner--m", "1a"));
  EXPECT_EQ(model.name(), "m");
  EXPECT_TRUE(model.is_cached());
  EXPECT_FALSE(open().is_cached());
  EXPECT_TRUE(model.neighbours().empty());

  const std::string named = add("owner--m--prior", "1");
  add("owner--m--prior", "2");
  folder_.write("hub/models--owner--m--prior/refs/main", "1\n");
  const std::string newest = add("no-owner", "0");
  const std::string older = add("no-owner", "9");
  std::filesystem::last_write_time(
      older, std::filesystem::last_write_time(newest) - std::chrono::hours(1));
  folder_.write("hub/models--owner--empty/snapshots/1/config.json", "{}");
  const std::vector<ModelDir> found = model.neighbours();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path(), newest);
  EXPECT_EQ(found[0].name(), "no-owner");
  EXPECT_EQ(found[1].path(), named);
  EXPECT_EQ(found[1].name(), "m--prior");
  // Such a cache can also be one of the other places.
  const std::string hub = folder_.path("hub");
  const std::vector<std::string_view> places{hub};
  EXPECT_EQ(open().neighbours(places).size(), 3U);
}

}  // namespace
}  // namespace kandinsky::io
