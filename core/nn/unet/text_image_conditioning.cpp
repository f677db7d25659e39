#include "nn/unet/text_image_conditioning.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include "nn/unet/unet_context.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

TextImageConditioning::TextImageConditioning(const tensor::Weights& weights, const Shape& shape)
    : cross_attention_dim_(shape.cross_attention_dim),
      hid_image_embeds_(weights.scope("encoder_hid_proj.image_embeds"), shape.cross_attention_dim,
                        kImageTokens * shape.cross_attention_dim),
      hid_text_proj_(weights.scope("encoder_hid_proj.text_proj"), shape.encoder_hid_dim,
                     shape.cross_attention_dim),
      add_text_proj_(weights.scope("add_embedding.text_proj"), shape.cross_attention_dim,
                     shape.time_embed_dim),
      add_text_norm_(weights.scope("add_embedding.text_norm"), shape.time_embed_dim,
                     kConditionNormEps),
      add_image_proj_(weights.scope("add_embedding.image_proj"), shape.cross_attention_dim,
                      shape.time_embed_dim) {}

UNetContext TextImageConditioning::operator()(const at::Tensor& image_embeds,
                                              const at::Tensor& text_embeds,
                                              const at::Tensor& text_encoder_hidden_states) const {
  const at::Tensor image_tokens =
      hid_image_embeds_(image_embeds)
          .view({image_embeds.size(0), kImageTokens, cross_attention_dim_});
  return {at::cat({image_tokens, hid_text_proj_(text_encoder_hidden_states)}, 1),
          add_text_norm_(add_text_proj_(text_embeds)) + add_image_proj_(image_embeds)};
}

}  // namespace kandinsky::nn
