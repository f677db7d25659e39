#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "io/json_config.h"

/// A model folder in diffusers' folder layout: model_index.json and one sub-folder for each
/// component.
namespace kandinsky::io {

/// A component in model_index.json, such as {"unet", "diffusers",
/// "UNet2DConditionModel"}.
struct ComponentInfo {
  std::string_view name;
  std::string_view library;
  std::string_view class_name;
};

/// The files of one component. Cheap to copy; views are valid as long as any copy.
class ComponentFiles {
 public:
  /// The component's folder.
  std::string_view folder() const noexcept;

  /// Its config.json, scheduler_config.json, tokenizer_config.json or preprocessor_config.json.
  std::string_view config_path() const noexcept;

  /// Its weight files in name order, without duplicates; several when the weights are sharded.
  Span<const std::string_view> weights() const noexcept;

 private:
  friend class ModelDir;
  struct Impl;
  explicit ComponentFiles(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// A component from outside the model's own folder.
struct Replacement {
  std::string_view role;       ///< of the component's folder: "", "prior"
  std::string_view component;  ///< such as "unet"
  /// A folder of that component, a model folder that has it, or a weight file, which is used with
  /// the model's own config.
  std::string_view path;
};

/// Cheap to copy; views live as long as any copy.
class ModelDir {
 public:
  /// Throws Error: kNotFound when the folder or its model_index.json is missing; kInvalidArgument
  /// when path is not a folder; kCorruptFile when the index is not a JSON object, lacks
  /// "_class_name", or has a component that is not [library, class] or whose name is not a plain
  /// folder name.
  static ModelDir open(std::string_view path);

  /// The same with components from elsewhere, in this folder and in its companions. They are
  /// looked at when they are asked for.
  ModelDir with(Span<const Replacement> replacements) const;

  /// Another folder of the same model, such as its "prior", under the same replacements. Throws as
  /// open().
  ModelDir companion(std::string_view path, std::string_view role) const;

  /// As given, without trailing slashes.
  std::string_view path() const noexcept;

  /// The last part of the path, resolved: "kandinsky-2-1" also for ".". In a cache of a model
  /// hub's, where that is a revision, the repository's name.
  std::string_view name() const noexcept;

  /// Whether it lies in such a cache, which keeps what it has of a repository, perhaps not all, as
  /// models--OWNER--NAME/snapshots/REVISION.
  bool is_cached() const noexcept;

  /// "_class_name" of the index, such as "KandinskyPipeline".
  std::string_view pipeline_class() const noexcept;

  /// In the index's key order, sorted. A component listed as [null, null] is left out.
  Span<const ComponentInfo> components() const noexcept;

  /// The index's entry, or null.
  const ComponentInfo* find(std::string_view component) const noexcept;

  /// Folder and config of a component that needs no weights: a scheduler, tokenizer or image
  /// processor. weights() of the result is empty. Throws Error(kNotFound) naming folder and
  /// component when the index does not list it, its folder is missing, or no config file is in it.
  ComponentFiles component(std::string_view component) const;

  /// That config, read. Throws as component() and JsonConfig::load().
  JsonConfig config(std::string_view component) const;

  /// Folder and config for a folder that the index need not list, as hub models keep the settings
  /// of a second scheduler. Nothing when there is no such folder.
  std::optional<ComponentFiles> optional_component(std::string_view component) const;

  /// The same for a network, with its weight files. Looked for in this order: safetensors, then
  /// PyTorch's ".bin"; each first without a variant and then of the variant "fp16"; a single file,
  /// then a shard index; diffusers' name before that of transformers. The element types come from
  /// the files' headers, never from their names. Throws Error: kNotFound as above, and when there
  /// are no weights or a shard is missing; kIncompatible for a replacement of another class;
  /// kUnsupported when there are only pickle files of other names; kCorruptFile for a bad shard
  /// index.
  ComponentFiles weights(std::string_view component) const;

  /// The folder "<name>-prior" or "<name>-inpaint" beside this one, for suffix "-prior" or
  /// "-inpaint"; an "-inpaint" at the end of this folder's own name is dropped first. Nothing when
  /// there is no such folder; errors as open() when there is one.
  std::optional<ModelDir> sibling(std::string_view suffix) const;

  /// The model folders beside this one, by their names, then those in other places. A cache of a
  /// model hub's has the snapshots of its repositories. Those that cannot be read are left out.
  std::vector<ModelDir> neighbours(Span<const std::string_view> places = {}) const;

 private:
  struct Impl;
  struct Replacements;
  explicit ModelDir(std::shared_ptr<const Impl> impl);
  /// Folder and config, listed or not.
  ComponentFiles files_of(std::string_view component) const;
  /// Where it is taken from if not from this folder; empty: from here.
  std::string_view replaced(std::string_view component) const;
  std::shared_ptr<const Impl> impl_;
  std::shared_ptr<const Replacements> replacements_;  ///< null: none
};

}  // namespace kandinsky::io
