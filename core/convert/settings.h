#pragma once

/// The settings of Kandinsky 2.1 in diffusers' form; the original checkpoints do not have them.
namespace kandinsky::convert::settings {

inline constexpr const char* kUNet =
    R"json({"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.17.0.dev0", "act_fn": "silu",
"addition_embed_type": "text_image", "addition_embed_type_num_heads": 64, "attention_head_dim":
64, "block_out_channels": [384, 768, 1152, 1536], "center_input_sample": false,
"class_embeddings_concat": false, "conv_in_kernel": 3, "conv_out_kernel": 3,
"cross_attention_dim": 768, "down_block_types": ["ResnetDownsampleBlock2D",
"SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"],
"downsample_padding": 1, "dual_cross_attention": false, "encoder_hid_dim": 1024,
"encoder_hid_dim_type": "text_image_proj", "flip_sin_to_cos": true, "freq_shift": 0,
"in_channels": 4, "layers_per_block": 3, "mid_block_scale_factor": 1, "mid_block_type":
"UNetMidBlock2DSimpleCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
"only_cross_attention": false, "out_channels": 8, "resnet_out_scale_factor": 1.0,
"resnet_skip_time_act": false, "resnet_time_scale_shift": "scale_shift", "sample_size": 64,
"time_embedding_type": "positional", "up_block_types": ["SimpleCrossAttnUpBlock2D",
"SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
"upcast_attention": false, "use_linear_projection": false})json";

inline constexpr const char* kMovq =
    R"json({"_class_name": "VQModel", "_diffusers_version": "0.17.0.dev0", "act_fn": "silu",
"block_out_channels": [128, 256, 256, 512], "down_block_types": ["DownEncoderBlock2D",
"DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D"], "in_channels": 3,
"latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32, "norm_type": "spatial",
"num_vq_embeddings": 16384, "out_channels": 3, "sample_size": 32, "scaling_factor": 0.18215,
"up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
"UpDecoderBlock2D"], "vq_embed_dim": 4})json";

inline constexpr const char* kTextEncoder =
    R"json({"architectures": ["MultilingualCLIP"], "attention_probs_dropout_prob": 0.1, "bos_token_id": 0,
"eos_token_id": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 1024,
"initializer_range": 0.02, "intermediate_size": 4096, "layer_norm_eps": 1e-05,
"max_position_embeddings": 514, "model_type": "M-CLIP", "numDims": 768, "num_attention_heads":
16, "num_hidden_layers": 24, "pad_token_id": 1, "position_embedding_type": "absolute",
"transformerDimensions": 1024, "type_vocab_size": 1, "use_cache": true, "vocab_size": 250002})json";

inline constexpr const char* kTokenizer =
    R"json({"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>",
"model_max_length": 512, "pad_token": "<pad>", "sep_token": "</s>", "tokenizer_class":
"XLMRobertaTokenizer", "unk_token": "<unk>"})json";

inline constexpr const char* kScheduler =
    R"json({"_class_name": "DDIMScheduler", "_diffusers_version": "0.17.0.dev0", "beta_end": 0.012,
"beta_schedule": "linear", "beta_start": 0.00085, "clip_sample": false, "clip_sample_range":
1.0, "dynamic_thresholding_ratio": 0.995, "num_train_timesteps": 1000, "prediction_type":
"epsilon", "sample_max_value": 1.0, "set_alpha_to_one": false, "steps_offset": 1,
"thresholding": false})json";

inline constexpr const char* kDdpmScheduler =
    R"json({"_class_name": "DDPMScheduler", "_diffusers_version": "0.18.0.dev0", "beta_end": 0.012,
"beta_schedule": "linear", "beta_start": 0.00085, "clip_sample": true, "clip_sample_range": 2.0,
"dynamic_thresholding_ratio": 0.995, "num_train_timesteps": 1000, "prediction_type": "epsilon",
"sample_max_value": 2.0, "thresholding": true, "variance_type": "learned_range"})json";

inline constexpr const char* kModelIndex =
    R"json({"_class_name": "KandinskyPipeline", "_diffusers_version": "0.17.0.dev0", "movq": ["diffusers",
"VQModel"], "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["kandinsky",
"MultilingualCLIP"], "tokenizer": ["transformers", "XLMRobertaTokenizerFast"], "unet":
["diffusers", "UNet2DConditionModel"]})json";

inline constexpr const char* kInpaintIndex =
    R"json({"_class_name": "KandinskyInpaintPipeline", "_diffusers_version": "0.17.0.dev0", "movq":
["diffusers", "VQModel"], "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder":
["kandinsky", "MultilingualCLIP"], "tokenizer": ["transformers", "XLMRobertaTokenizerFast"],
"unet": ["diffusers", "UNet2DConditionModel"]})json";

inline constexpr const char* kPrior =
    R"json({"_class_name": "PriorTransformer", "_diffusers_version": "0.17.0.dev0", "added_emb_type":
"prd", "additional_embeddings": 4, "attention_head_dim": 64, "dropout": 0.0, "embedding_dim":
768, "encoder_hid_proj_type": "linear", "num_attention_heads": 32, "num_embeddings": 77,
"num_layers": 20, "time_embed_act_fn": "silu"})json";

inline constexpr const char* kPriorScheduler =
    R"json({"_class_name": "UnCLIPScheduler", "_diffusers_version": "0.17.0.dev0", "clip_sample": true,
"clip_sample_range": 10.0, "num_train_timesteps": 1000, "prediction_type": "sample",
"variance_type": "fixed_small_log"})json";

inline constexpr const char* kPriorIndex =
    R"json({"_class_name": "KandinskyPriorPipeline", "_diffusers_version": "0.17.0.dev0", "image_encoder":
["transformers", "CLIPVisionModelWithProjection"], "image_processor": ["transformers",
"CLIPImageProcessor"], "prior": ["diffusers", "PriorTransformer"], "scheduler": ["diffusers",
"UnCLIPScheduler"], "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
"tokenizer": ["transformers", "CLIPTokenizer"]})json";

}  // namespace kandinsky::convert::settings
