"""Nets of transformers: class, input, what the configuration changes.

The configurations are random and narrow, and as deep as the base configuration of most: 12 layers, or 6 + 6;
those of nets that run step by step (RWKV, Mamba) have 2, as each step of each layer is a part of the symbol.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

from torch import nn

from tests.zoo.net import Net
from tracer.inputs import InputSpec

LENGTH = 12
WORDS = 90
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 100,
    "max_position_embeddings": 64,
    "image_size": 32,
    "patch_size": 8,
    "use_cache": False,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
AUDIO = {
    "conv_dim": (16, 16, 16),
    "conv_stride": (5, 2, 2),
    "conv_kernel": (10, 3, 3),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
ENCODER = {
    "d_model": 32,
    "encoder_layers": 6,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_layers": 6,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 48,
}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 6, "num_decoder_layers": 6, "num_heads": 4}
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
# Keys of SMALL that a configuration does not take.
STAGES: dict[str, Any] = {"num_hidden_layers": None}

_IDS = InputSpec("input_ids", (1, LENGTH), "int64", high=WORDS)
_MASK = InputSpec("attention_mask", (1, LENGTH), "int64")


def _image(size: int = 32, channels: int = 3) -> tuple[InputSpec, ...]:
    return (InputSpec("pixel_values", (1, channels, size, size)),)


TEXT = (_IDS,)
MASKED = (_IDS, _MASK)
PAIR = (_IDS, InputSpec("decoder_input_ids", (1, 8), "int64", high=WORDS))
WAVE = (InputSpec("input_values", (1, 1000)),)
_TABLE: list[tuple[str, tuple[InputSpec, ...], dict[str, Any]]] = [
    # Encoders of text
    ("BertModel", MASKED, {}),
    ("BertForSequenceClassification", TEXT, {}),
    ("BertForTokenClassification", MASKED, {}),
    ("BertForMaskedLM", TEXT, {}),
    ("BertForQuestionAnswering", TEXT, {}),
    ("BertForMultipleChoice", (InputSpec("input_ids", (1, 3, LENGTH), "int64", high=WORDS),), {}),
    ("BertForNextSentencePrediction", TEXT, {}),
    ("BertGenerationEncoder", TEXT, {}),
    ("MegatronBertModel", TEXT, {}),
    ("DistilBertModel", TEXT, {}),
    ("DistilBertForSequenceClassification", MASKED, {}),
    ("RobertaModel", MASKED, {}),
    ("RobertaForTokenClassification", TEXT, {}),
    ("RobertaPreLayerNormModel", TEXT, {}),
    ("XLMRobertaModel", TEXT, {}),
    ("XLMRobertaForSequenceClassification", TEXT, {}),
    ("XLMRobertaXLModel", TEXT, {}),
    ("CamembertForMaskedLM", TEXT, {}),
    ("Data2VecTextModel", TEXT, {}),
    ("AlbertModel", MASKED, {"embedding_size": 16}),
    ("AlbertForMaskedLM", TEXT, {"embedding_size": 16}),
    ("ElectraModel", TEXT, {"embedding_size": 16}),
    ("ElectraForPreTraining", MASKED, {"embedding_size": 16}),
    ("ElectraForTokenClassification", TEXT, {"embedding_size": 16}),
    ("MPNetModel", TEXT, {}),
    ("MPNetForSequenceClassification", TEXT, {}),
    ("DebertaModel", TEXT, {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    (
        "DebertaV2Model",
        TEXT,
        {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8},
    ),
    ("DebertaV2ForTokenClassification", TEXT, {}),
    (
        "FunnelBaseModel",
        TEXT,
        {"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48, "block_sizes": [1, 1]} | STAGES,
    ),
    (
        "FunnelModel",
        TEXT,
        {"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48, "block_sizes": [1, 1]} | STAGES,
    ),
    ("MobileBertModel", TEXT, {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}),
    (
        "SqueezeBertModel",
        TEXT,
        {
            "embedding_size": 32,
            "q_groups": 2,
            "k_groups": 2,
            "v_groups": 2,
            "post_attention_groups": 1,
            "intermediate_groups": 2,
            "output_groups": 2,
        },
    ),
    ("ConvBertModel", TEXT, {"embedding_size": 32}),
    ("FNetModel", TEXT, {}),
    ("NystromformerModel", TEXT, {"num_landmarks": 4, "segment_means_seq_len": 12}),
    ("LongformerModel", TEXT, {"attention_window": [4] * 12}),
    ("BigBirdModel", TEXT, {"attention_type": "original_full"}),
    ("RemBertModel", TEXT, {"input_embedding_size": 16, "output_embedding_size": 16}),
    ("RoFormerModel", TEXT, {"embedding_size": 32}),
    ("ErnieModel", TEXT, {}),
    ("EsmModel", TEXT, {"position_embedding_type": "rotary", "mask_token_id": 5}),
    ("IBertModel", TEXT, {}),
    ("LayoutLMModel", TEXT, {}),
    ("LiltModel", TEXT, {"hidden_size": 48, "num_attention_heads": 2, "channel_shrink_ratio": 2}),
    ("MarkupLMModel", TEXT, {}),
    ("ModernBertModel", TEXT, {"global_attn_every_n_layers": 2, "local_attention": 4}),
    ("ModernBertForSequenceClassification", TEXT, {"global_attn_every_n_layers": 2, "local_attention": 4}),
    ("NomicBertModel", TEXT, {}),
    ("EuroBertModel", TEXT, GROUPED),
    ("SplinterModel", TEXT, {}),
    ("XmodModel", TEXT, {"default_language": "en_XX"}),
    ("YosoModel", TEXT, {"use_expectation": True}),
    ("MraModel", TEXT, {}),
    ("FlaubertModel", TEXT, {"emb_dim": 32, "n_layers": 12, "n_heads": 4}),
    ("XLMModel", TEXT, {"emb_dim": 32, "n_layers": 12, "n_heads": 4}),
    (
        "XLNetModel",
        TEXT,
        {"d_model": 32, "n_layer": 12, "n_head": 4, "d_inner": 48, "max_position_embeddings": None},
    ),
    ("CanineModel", TEXT, {}),
    ("VisualBertModel", TEXT, {}),
    ("DPRQuestionEncoder", TEXT, {}),
    ("LukeModel", TEXT, {"entity_vocab_size": 20, "entity_emb_size": 16}),
    ("TapasModel", TEXT, {}),
    (
        "BrosModel",
        (_IDS, InputSpec("bbox", (1, LENGTH, 8))),
        {"hidden_size": 128},
    ),
    # Decoders of text
    ("GPT2Model", MASKED, {"n_embd": 32, "n_layer": 12, "n_head": 4}),
    ("GPT2LMHeadModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4}),
    (
        "GPTNeoModel",
        TEXT,
        {"num_layers": 12, "num_heads": 4, "attention_types": [[["global", "local"], 6]], "window_size": 4},
    ),
    ("GPTNeoXModel", TEXT, {}),
    ("GPTNeoXForCausalLM", MASKED, {}),
    ("GPTJModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4, "rotary_dim": 4}),
    ("GPTBigCodeModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4}),
    ("CodeGenModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4, "rotary_dim": 4}),
    ("OpenAIGPTModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4}),
    ("CTRLModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4, "dff": 48}),
    ("OPTModel", MASKED, {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    ("OPTForCausalLM", TEXT, {"ffn_dim": 48, "word_embed_proj_dim": 16}),
    ("LlamaModel", MASKED, GROUPED),
    ("LlamaForCausalLM", TEXT, GROUPED),
    ("LlamaForSequenceClassification", TEXT, GROUPED),
    ("MistralModel", TEXT, GROUPED | {"sliding_window": 4}),
    ("MinistralModel", TEXT, GROUPED | {"sliding_window": 4}),
    ("Qwen2Model", TEXT, GROUPED),
    ("Qwen2ForCausalLM", MASKED, GROUPED),
    ("Qwen3Model", TEXT, GROUPED),
    ("GemmaModel", TEXT, GROUPED),
    ("Gemma2Model", TEXT, GROUPED | {"sliding_window": 4}),
    ("Gemma3TextModel", TEXT, GROUPED | {"sliding_window": 4}),
    ("PhiModel", TEXT, {"num_key_value_heads": 4}),
    ("Phi3Model", TEXT, GROUPED),
    ("BloomModel", TEXT, {"n_layer": 12, "n_head": 4}),
    ("FalconModel", TEXT, {"alibi": False, "new_decoder_architecture": False}),
    ("FalconForSequenceClassification", TEXT, {"alibi": True}),
    ("MptModel", TEXT, {"d_model": 32, "n_layers": 12, "n_heads": 4, "max_seq_len": 32}),
    ("StableLmModel", TEXT, GROUPED),
    ("Starcoder2Model", TEXT, GROUPED),
    ("CohereModel", TEXT, GROUPED),
    ("OlmoModel", TEXT, GROUPED),
    ("Olmo2Model", TEXT, GROUPED),
    ("GraniteModel", TEXT, GROUPED),
    ("HeliumModel", TEXT, GROUPED),
    ("SmolLM3Model", TEXT, GROUPED),
    ("GlmModel", TEXT, GROUPED),
    ("NemotronModel", TEXT, GROUPED),
    ("PersimmonModel", TEXT, {}),
    ("BioGptModel", TEXT, {}),
    ("XGLMModel", TEXT, {"d_model": 32, "num_layers": 12, "attention_heads": 4, "ffn_dim": 48}),
    ("MixtralModel", TEXT, GROUPED | {"num_local_experts": 2}),
    ("BitNetModel", TEXT, GROUPED),
    ("RwkvModel", TEXT, {"context_length": 32, "attention_hidden_size": 32, "num_hidden_layers": 2}),
    ("MambaModel", TEXT, {"state_size": 4, "num_hidden_layers": 2}),
    ("ImageGPTModel", TEXT, {"n_embd": 32, "n_layer": 12, "n_head": 4, "n_positions": 64}),
    # Encoders and decoders of text
    ("T5EncoderModel", TEXT, T5),
    ("T5Model", PAIR, T5),
    ("MT5EncoderModel", TEXT, T5 | {"feed_forward_proj": "gated-gelu"}),
    ("UMT5EncoderModel", MASKED, T5),
    ("LongT5EncoderModel", TEXT, T5 | {"encoder_attention_type": "local", "local_radius": 3}),
    ("BartModel", PAIR, ENCODER),
    ("BartForConditionalGeneration", PAIR, ENCODER),
    ("MBartModel", PAIR, ENCODER),
    ("PegasusModel", PAIR, ENCODER),
    ("MarianModel", PAIR, ENCODER),
    ("BlenderbotModel", PAIR, ENCODER),
    ("M2M100Model", PAIR, ENCODER),
    ("PLBartModel", PAIR, ENCODER),
    ("models.pegasus.modeling_pegasus.PegasusEncoder", TEXT, ENCODER),
    ("models.bart.modeling_bart.BartEncoder", MASKED, ENCODER),
    ("LEDModel", PAIR, ENCODER | {"attention_window": [4] * 12}),
    ("FSMTModel", PAIR, ENCODER | {"langs": ["en", "de"], "src_vocab_size": 100, "tgt_vocab_size": 100}),
    (
        "ProphetNetModel",
        PAIR,
        {
            "num_encoder_layers": 6,
            "num_decoder_layers": 6,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "num_encoder_attention_heads": 4,
            "num_decoder_attention_heads": 4,
        }
        | STAGES,
    ),
    # Images
    ("ViTModel", _image(), {}),
    ("ViTForImageClassification", _image(), {}),
    ("ViTMSNModel", _image(), {}),
    ("ViTMAEModel", _image(), {"mask_ratio": 0.0}),
    ("DeiTModel", _image(), {}),
    ("DeiTForImageClassification", _image(), {}),
    ("BeitModel", _image(), {"use_relative_position_bias": True}),
    ("BeitForImageClassification", _image(), {"use_shared_relative_position_bias": True}),
    ("Data2VecVisionModel", _image(), {"use_relative_position_bias": True}),
    ("Dinov2Model", _image(), {}),
    ("Dinov2ForImageClassification", _image(), {}),
    ("Dinov2WithRegistersModel", _image(), {}),
    ("DINOv3ViTModel", _image(), {}),
    ("DINOv3ConvNextModel", _image(64), {"hidden_sizes": [8, 16, 16, 24], "depths": [2, 2, 6, 2]}),
    ("IJepaModel", _image(), {}),
    (
        "SwinModel",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [2, 6],
            "num_heads": [2, 4],
            "window_size": 4,
        }
        | STAGES
        | {"num_attention_heads": None},
    ),
    (
        "SwinForImageClassification",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [2, 6],
            "num_heads": [2, 4],
            "window_size": 7,
        }
        | STAGES
        | {"num_attention_heads": None},
    ),
    (
        "Swinv2Model",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [2, 6],
            "num_heads": [2, 4],
            "window_size": 4,
        }
        | STAGES
        | {"num_attention_heads": None},
    ),
    (
        "Swin2SRForImageSuperResolution",
        _image(16),
        {
            "image_size": 16,
            "patch_size": 1,
            "embed_dim": 16,
            "depths": [2, 6],
            "num_heads": [2, 4],
            "window_size": 4,
        }
        | STAGES
        | {"num_attention_heads": None},
    ),
    (
        "ConvNextModel",
        _image(64),
        {"hidden_sizes": [8, 16, 16, 24], "depths": [2, 2, 6, 2], "patch_size": 4} | STAGES,
    ),
    (
        "ConvNextForImageClassification",
        _image(64),
        {"hidden_sizes": [8, 16, 16, 24], "depths": [2, 2, 6, 2], "patch_size": 4} | STAGES,
    ),
    (
        "ConvNextV2Model",
        _image(64),
        {"hidden_sizes": [8, 16, 16, 24], "depths": [2, 2, 6, 2], "patch_size": 4} | STAGES,
    ),
    (
        "SegformerModel",
        _image(64),
        {
            "hidden_sizes": [8, 16, 16, 24],
            "depths": [2, 2, 6, 2],
            "num_attention_heads": [1, 2, 2, 4],
            "patch_sizes": [7, 3, 3, 3],
        }
        | STAGES,
    ),
    (
        "SegformerForSemanticSegmentation",
        _image(64),
        {
            "hidden_sizes": [8, 16, 16, 24],
            "depths": [2, 2, 6, 2],
            "num_attention_heads": [1, 2, 2, 4],
            "decoder_hidden_size": 16,
        }
        | STAGES,
    ),
    ("CLIPVisionModel", _image(), {}),
    ("CLIPVisionModelWithProjection", _image(), {"projection_dim": 16}),
    ("CLIPTextModel", TEXT, {}),
    ("CLIPTextModelWithProjection", TEXT, {"projection_dim": 16}),
    ("SiglipVisionModel", _image(), {}),
    ("SiglipTextModel", TEXT, {"projection_size": 32}),
    ("MLCDVisionModel", _image(), {"num_key_value_groups": 1}),
    ("Aimv2VisionModel", _image(), {}),
    ("ChineseCLIPVisionModel", _image(), {}),
    ("AltCLIPVisionModel", _image(), {}),
    ("XCLIPTextModel", TEXT, {}),
    ("GroupViTTextModel", TEXT, {}),
    (
        "GroupViTVisionModel",
        _image(),
        {"depths": [2, 2, 6], "num_group_tokens": [4, 4, 0], "num_output_groups": [4, 4, 0]},
    ),
    ("OwlViTVisionModel", _image(), {}),
    ("BlipVisionModel", _image(), {}),
    ("Blip2VisionModel", _image(), {}),
    ("FlavaImageModel", _image(), {}),
    ("FlavaTextModel", TEXT, {}),
    (
        "MobileViTModel",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 2,
            "hidden_sizes": [16, 24, 32],
            "neck_hidden_sizes": [8, 8, 12, 16, 16, 24, 24],
            "num_attention_heads": 4,
        },
    ),
    (
        "MobileViTForSemanticSegmentation",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 2,
            "hidden_sizes": [16, 24, 32],
            "neck_hidden_sizes": [8, 8, 12, 16, 16, 24, 24],
            "aspp_out_channels": 8,
        },
    ),
    ("MobileViTV2Model", _image(64), {"image_size": 64, "patch_size": 2, "width_multiplier": 0.5}),
    ("ResNetModel", _image(64), {"embedding_size": 8, "hidden_sizes": [8, 16, 24], "depths": [2, 4, 2]}),
    (
        "ResNetForImageClassification",
        _image(64),
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24], "depths": [2, 4, 2], "layer_type": "basic"},
    ),
    (
        "RegNetModel",
        _image(64),
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [2, 4, 6, 2], "groups_width": 4}
        | STAGES,
    ),
    (
        "RegNetForImageClassification",
        _image(64),
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [2, 2, 6, 2], "groups_width": 4}
        | STAGES,
    ),
    (
        "BitModel",
        _image(64),
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [2, 2, 6, 2], "num_groups": 2}
        | STAGES,
    ),
    (
        "BitForImageClassification",
        _image(64),
        {
            "embedding_size": 8,
            "hidden_sizes": [8, 16, 24, 32],
            "depths": [2, 2, 6, 2],
            "num_groups": 4,
            "layer_type": "bottleneck",
            "global_padding": "SAME",
        }
        | STAGES,
    ),
    ("MobileNetV1Model", _image(64), {"depth_multiplier": 0.25}),
    ("MobileNetV2Model", _image(64), {"depth_multiplier": 0.35}),
    ("MobileNetV2ForSemanticSegmentation", _image(64), {"depth_multiplier": 0.35, "output_stride": 16}),
    (
        "EfficientNetModel",
        _image(64),
        {"width_coefficient": 0.5, "depth_coefficient": 0.5, "image_size": 64, "hidden_dim": 640} | STAGES,
    ),
    ("PoolFormerModel", _image(64), {"hidden_sizes": [8, 16, 16, 24], "depths": [2, 2, 6, 2]}),
    (
        "LevitModel",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 16,
            "hidden_sizes": [16, 24, 32],
            "num_attention_heads": [2, 3, 4],
            "depths": [2, 2, 6],
            "key_dim": [8, 8, 8],
        },
    ),
    (
        "LevitForImageClassification",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 16,
            "hidden_sizes": [16, 24, 32],
            "num_attention_heads": [2, 3, 4],
            "depths": [2, 2, 6],
            "key_dim": [8, 8, 8],
        },
    ),
    ("CvtModel", _image(64), {"embed_dim": [8, 16, 24], "num_heads": [1, 2, 3], "depth": [1, 2, 3]} | STAGES),
    (
        "PvtModel",
        _image(64),
        {
            "image_size": 64,
            "hidden_sizes": [8, 16, 16, 24],
            "depths": [2, 2, 6, 2],
            "num_attention_heads": [1, 2, 2, 4],
        },
    ),
    (
        "PvtV2Model",
        _image(64),
        {
            "image_size": 64,
            "hidden_sizes": [8, 16, 16, 24],
            "depths": [2, 2, 6, 2],
            "num_attention_heads": [1, 2, 2, 4],
        },
    ),
    (
        "PvtV2ForImageClassification",
        _image(64),
        {
            "image_size": 64,
            "hidden_sizes": [8, 16, 16, 24],
            "depths": [2, 2, 6, 2],
            "num_attention_heads": [1, 2, 2, 4],
            "linear_attention": True,
        },
    ),
    (
        "SwiftFormerModel",
        _image(64),
        {"image_size": 64, "depths": [2, 2, 6, 2], "embed_dims": [8, 16, 16, 24]},
    ),
    (
        "FocalNetModel",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [2, 2, 6, 2],
            "hidden_sizes": [16, 16, 16, 16],
        },
    ),
    (
        "HieraModel",
        _image(64),
        {
            "image_size": (64, 64),
            "patch_size": [7, 7],
            "embed_dim": 16,
            "depths": [2, 2, 6, 2],
            "num_heads": [1, 2, 2, 4],
            "masked_unit_size": [8, 8],
        },
    ),
    (
        "HGNetV2ForImageClassification",
        _image(64),
        {
            "stem_channels": [3, 8, 8],
            "stage_in_channels": [8, 16, 16, 16],
            "stage_mid_channels": [8, 8, 8, 8],
            "stage_out_channels": [16, 16, 16, 16],
            "stage_num_blocks": [1, 1, 1, 1],
            "stage_numb_of_layers": [2, 2, 2, 2],
            "hidden_sizes": [16, 16, 16, 16],
            "depths": [2, 2, 6, 2],
            "embedding_size": 8,
        },
    ),
    ("TextNetModel", _image(64), {}),
    (
        "DonutSwinModel",
        _image(64),
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [2, 6],
            "num_heads": [2, 4],
            "window_size": 4,
        }
        | STAGES
        | {"num_attention_heads": None},
    ),
    ("YolosForObjectDetection", _image(64), {"image_size": [64, 64], "num_detection_tokens": 8}),
    (
        "YolosModel",
        _image(64),
        {"image_size": [64, 64], "num_detection_tokens": 8, "use_mid_position_embeddings": False},
    ),
    (
        "GLPNForDepthEstimation",
        _image(64),
        {
            "hidden_sizes": [8, 16, 16, 24],
            "depths": [2, 2, 6, 2],
            "num_attention_heads": [1, 2, 2, 4],
            "decoder_hidden_size": 8,
        },
    ),
    ("DPTModel", _image(), {"is_hybrid": False}),
    (
        "DPTForDepthEstimation",
        _image(64),
        {
            "is_hybrid": False,
            "image_size": 64,
            "patch_size": 16,
            "num_hidden_layers": 4,
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [8, 8, 8, 8],
            "fusion_hidden_size": 8,
        },
    ),
    (
        "VitDetModel",
        _image(64),
        {
            "image_size": 64,
            "pretrain_image_size": 64,
            "window_size": 2,
            "window_block_indices": [0],
            "use_relative_position_embeddings": True,
        },
    ),
    (
        "SamVisionModel",
        _image(64),
        {
            "image_size": 64,
            "window_size": 2,
            "global_attn_indexes": [1],
            "output_channels": 16,
            "num_pos_feats": 8,
        },
    ),
    (
        "SegGptModel",
        (
            InputSpec("pixel_values", (1, 3, 32, 32)),
            InputSpec("prompt_pixel_values", (1, 3, 32, 32)),
            InputSpec("prompt_masks", (1, 3, 32, 32)),
        ),
        {
            "image_size": [64, 32],
            "pretrain_image_size": 32,
            "decoder_hidden_size": 8,
            "merge_index": 0,
            "intermediate_hidden_state_indices": [0, 1],
            "mlp_dim": 48,
        },
    ),
    ("SuperPointForKeypointDetection", _image(64), {}),
    # Video
    ("VideoMAEModel", (InputSpec("pixel_values", (1, 4, 3, 32, 32)),), {"num_frames": 4}),
    ("TimesformerModel", (InputSpec("pixel_values", (1, 4, 3, 32, 32)),), {"num_frames": 4}),
    (
        "VivitModel",
        (InputSpec("pixel_values", (1, 4, 3, 32, 32)),),
        {"num_frames": 4, "tubelet_size": [2, 8, 8]},
    ),
    # Sound
    ("Wav2Vec2Model", WAVE, AUDIO),
    ("Wav2Vec2ForCTC", WAVE, AUDIO | {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    ("HubertModel", WAVE, AUDIO),
    ("HubertForSequenceClassification", WAVE, AUDIO | {"classifier_proj_size": 16}),
    ("WavLMModel", WAVE, AUDIO | {"num_buckets": 16}),
    ("UniSpeechModel", WAVE, AUDIO),
    ("UniSpeechSatModel", WAVE, AUDIO),
    ("Data2VecAudioModel", WAVE, AUDIO | {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 3}),
    ("SEWModel", WAVE, AUDIO | {"squeeze_factor": 2}),
    ("SEWDModel", WAVE, AUDIO | {"squeeze_factor": 2, "max_position_embeddings": 64, "position_buckets": 8}),
    (
        "Wav2Vec2ConformerModel",
        WAVE,
        AUDIO | {"position_embeddings_type": "rotary", "conv_depthwise_kernel_size": 5},
    ),
    (
        "models.whisper.modeling_whisper.WhisperEncoder",
        (InputSpec("input_features", (1, 20, 64)),),
        ENCODER | {"num_mel_bins": 20, "max_source_positions": 32},
    ),
    (
        "WhisperForAudioClassification",
        (InputSpec("input_features", (1, 20, 64)),),
        ENCODER | {"num_mel_bins": 20, "max_source_positions": 32, "classifier_proj_size": 16},
    ),
    ("ASTModel", (InputSpec("input_values", (1, 64, 32)),), {"max_length": 64, "num_mel_bins": 32}),
    (
        "ASTForAudioClassification",
        (InputSpec("input_values", (1, 64, 32)),),
        {"max_length": 64, "num_mel_bins": 32},
    ),
    (
        "models.speech_to_text.modeling_speech_to_text.Speech2TextEncoder",
        (InputSpec("input_features", (1, 32, 20)),),
        ENCODER | {"input_feat_per_channel": 20, "conv_channels": 32, "max_source_positions": 32},
    ),
    (
        "UnivNetModel",
        (InputSpec("input_features", (1, 16, 100)), InputSpec("noise_sequence", (1, 16, 64))),
        {"model_hidden_channels": 8},
    ),
    # Series
    (
        "PatchTSTModel",
        (InputSpec("past_values", (1, 32, 2)),),
        {
            "num_input_channels": 2,
            "context_length": 32,
            "patch_length": 8,
            "patch_stride": 8,
            "d_model": 32,
            "ffn_dim": 48,
        },
    ),
    (
        "PatchTSMixerModel",
        (InputSpec("past_values", (1, 32, 2)),),
        {
            "num_input_channels": 2,
            "context_length": 32,
            "patch_length": 8,
            "patch_stride": 8,
            "d_model": 16,
            "num_layers": 2,
        },
    ),
]


def nets() -> Iterator[Net]:
    for path, inputs, changes in _TABLE:
        name = path.rpartition(".")[2]
        yield Net(name, "transformers", functools.partial(_build, path, changes), inputs)


def _build(path: str, changes: dict[str, Any]) -> nn.Module:
    module, _, name = f"transformers.{path}".rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    config = cls.config_class(**{k: v for k, v in (SMALL | changes).items() if v is not None})
    net: nn.Module = cls(config)
    return net
