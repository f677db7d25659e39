#include "nn/unet/image_conditioning.h"

#include "nn/unet/unet_context.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

ImageConditioning::ImageConditioning(const tensor::Weights& weights, const Shape& shape)
    : cross_attention_dim_(shape.cross_attention_dim),
      hid_image_embeds_(weights.scope("encoder_hid_proj.image_embeds"), shape.image_embed_dim,
                        kTokens * shape.cross_attention_dim),
      hid_norm_(weights.scope("encoder_hid_proj.norm"), shape.cross_attention_dim,
                kConditionNormEps),
      add_image_proj_(weights.scope("add_embedding.image_proj"), shape.image_embed_dim,
                      shape.time_embed_dim),
      add_image_norm_(weights.scope("add_embedding.image_norm"), shape.time_embed_dim,
                      kConditionNormEps) {}

UNetContext ImageConditioning::operator()(const at::Tensor& image_embeds) const {
  const at::Tensor tokens =
      hid_image_embeds_(image_embeds).view({image_embeds.size(0), kTokens, cross_attention_dim_});
  return {.encoder_hidden_states = hid_norm_(tokens),
          .aug_emb = add_image_norm_(add_image_proj_(image_embeds))};
}

}  // namespace kandinsky::nn
