"""The repositories that are known, and which of their files a model needs.

A repository also holds everything as pickle files, and other things nobody reads, so the files are
named one by one. Only names of this table are ever asked for, or written.

Sizes and SHA-256 are those that were published for the revision; where they are not known, the
server's own are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

LICENCE = "Apache-2.0"
MAIN = "main"
INDEX = "model_index.json"
"""The last file of each part: what has none is no model yet, for the engine and for the lists."""


@dataclass(frozen=True)
class File:
    path: str
    size: int | None = None
    """In bytes; None: not known."""
    sha256: str = ""
    """"": not known."""
    is_optional: bool = False
    """Whether the engine does without it, where a repository has none."""


@dataclass(frozen=True)
class Part:
    """One folder of a model: files of one repository."""

    repository: str
    files: tuple[File, ...]
    revision: str = MAIN
    estimate: int = 0
    """Bytes that files of unknown size have together, about."""

    @property
    def folder(self) -> str:
        """The name of the folder that it becomes."""
        return self.repository.rpartition("/")[2]


@dataclass(frozen=True)
class Model:
    """What can be asked for by one name."""

    name: str
    title: str
    family: str
    """As the engine's families() names it."""
    parts: tuple[Part, ...]
    note: str = ""
    native_size: int = 768
    """Pixels a side of the images it was trained on."""
    cfg_scale: float = 4.0
    """What suits it."""
    megabytes: int = 0
    """Of a model without parts, which comes with the source."""


def _configs(*paths: str) -> tuple[File, ...]:
    return tuple(File(path) for path in paths)


_UNET = "unet/diffusion_pytorch_model.safetensors"
_MOVQ = "movq/diffusion_pytorch_model.safetensors"
_PRIOR = "prior/diffusion_pytorch_model.safetensors"
_TEXT = "text_encoder/model.safetensors"
_VISION = "image_encoder/model.safetensors"
_SCHEDULER = "scheduler/scheduler_config.json"

_DECODER_CONFIGS = _configs("movq/config.json", _SCHEDULER, "unet/config.json")
_CLIP_CONFIGS = _configs(
    "image_encoder/config.json", "prior/config.json", _SCHEDULER, "text_encoder/config.json"
)

_DECODER_2_1 = Part(
    "kandinsky-community/kandinsky-2-1",
    (
        *_DECODER_CONFIGS,
        File("ddpm_scheduler/scheduler_config.json", is_optional=True),
        *_configs(
            "text_encoder/config.json",
            "tokenizer/sentencepiece.bpe.model",
            "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer_config.json",
            _MOVQ,
            _TEXT,
            _UNET,
            INDEX,
        ),
    ),
    estimate=7_430_000_000,
)
_PRIOR_2_1 = Part(
    "kandinsky-community/kandinsky-2-1-prior",
    (
        *_CLIP_CONFIGS,
        *_configs(
            "image_processor/preprocessor_config.json",
            "tokenizer/merges.txt",
            "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer_config.json",
            "tokenizer/vocab.json",
            _TEXT,
            _VISION,
            _PRIOR,
            INDEX,
        ),
    ),
    estimate=5_800_000_000,
)
# Beside the model only its UNet is read; the rest is the model's own.
_INPAINT_2_1 = Part(
    "kandinsky-community/kandinsky-2-1-inpaint",
    (*_DECODER_CONFIGS, *_configs(_UNET, INDEX)),
    estimate=4_915_000_000,
)

_MOVQ_2_2 = File(
    _MOVQ, 271_380_364, "43a5860fea195a7116f2471396c5cc9535fade9b63c4857d8a192ffd924b7002"
)


def _decoder_2_2(name: str, revision: str, size: int, sha256: str) -> Part:
    return Part(
        f"kandinsky-community/kandinsky-2-2-{name}",
        (*_DECODER_CONFIGS, _MOVQ_2_2, File(_UNET, size, sha256), File(INDEX)),
        revision,
    )


_PRIOR_2_2 = Part(
    "kandinsky-community/kandinsky-2-2-prior",
    (
        *_CLIP_CONFIGS,
        File("image_processor/preprocessor_config.json", 315),
        File("tokenizer/merges.txt", 524_619),
        File("tokenizer/special_tokens_map.json", 389),
        File("tokenizer/tokenizer_config.json", 904),
        File("tokenizer/vocab.json", 862_328),
        File(
            _TEXT,
            2_778_702_976,
            "6eaafeea664d7ab87df17274d6114dfdf092c587c7cd56c13cf84aacdebc0332",
        ),
        # The engine needs it for the first prompt, and for mixing images.
        File(
            _VISION,
            3_689_912_664,
            "657723e09f46a7c3957df651601029f66b1748afb12b419816330f16ed45d64d",
        ),
        File(
            _PRIOR,
            4_104_940_968,
            "ab139b2df9e40ed0b1eda8dc6270a139a796c5fa3af76cd6b0573f620dca6dde",
        ),
        File(INDEX),
    ),
    "9fc51ad5732afc5d031724219d22e6c42179c5a8",
)

MODELS: tuple[Model, ...] = (
    Model("2.1", "Kandinsky 2.1", "kandinsky-2-1", (_DECODER_2_1, _PRIOR_2_1)),
    Model(
        "2.1-inpaint",
        "Kandinsky 2.1 inpainting",
        "kandinsky-2-1",
        (_INPAINT_2_1,),
        note="works beside 2.1",
    ),
    Model(
        "2.2",
        "Kandinsky 2.2",
        "kandinsky-2-2",
        (
            _decoder_2_2(
                "decoder",
                "9ae140d347fed8ce6e8bb3005dcc1f48543bb8e3",
                5_012_309_584,
                "3cc2f07442b9de0f18fb3f22247790872c094c4acc9dbe68552f96fd2e5c1ea1",
            ),
            _PRIOR_2_2,
        ),
    ),
    Model(
        "2.2-inpaint",
        "Kandinsky 2.2 inpainting",
        "kandinsky-2-2",
        (
            _decoder_2_2(
                "decoder-inpaint",
                "db790ad5cbcabed886f069ef2710774657621702",
                5_012_378_704,
                "098b846d2378b4b44a33e0bd47f89f2886b72a10200cbf9e96d5fae3c471543f",
            ),
        ),
        note="needs the prior of 2.2",
    ),
    Model(
        "2.2-depth",
        "Kandinsky 2.2 controlnet-depth",
        "kandinsky-2-2",
        (
            # Its main branch has pickle files only.
            _decoder_2_2(
                "controlnet-depth",
                "08632524a2b7e3bed39a7901d92cdd07e37544d0",
                5_013_798_992,
                "6549f8c8471357ed8ed6b700a80ffdd8fe45bd5b54f4c486d7f81ac9fe5f343b",
            ),
        ),
        note="needs the prior of 2.2",
    ),
)


def _demo(name: str, title: str, family: str, megabytes: int) -> Model:
    note = "included in the source, in demo/model"
    return Model(name, title, family, (), note, 128, 2.0, megabytes)


DEMO = _demo("demo", "Demo model", "kandinsky-2-1", 32)
"""The one that stands in where there is no other."""
DEMOS = {
    "kandinsky-demo": DEMO,
    "kandinsky-demo-2-2": _demo("demo-2.2", "Demo model of 2.2", "kandinsky-2-2", 7),
    "kandinsky-demo-2-2-depth": _demo(
        "demo-2.2-depth", "Demo model of 2.2 controlnet-depth", "kandinsky-2-2", 8
    ),
}
"""By their folders, the decoders'."""


def model(name: str) -> Model | None:
    """The one that can be downloaded under this name."""
    return next((model for model in MODELS if model.name == name), None)


def of_folder(folder: str) -> Model | None:
    """What a folder of this name most likely is: the model whose first part it is."""
    if folder in DEMOS:
        return DEMOS[folder]
    return next((model for model in MODELS if model.parts[0].folder == folder), None)


def size(model: Model) -> tuple[int, bool]:
    """Bytes of a model's files, and whether they are exact."""
    parts = model.parts
    known = sum(file.size or 0 for part in parts for file in part.files)
    guessed = sum(part.estimate for part in parts)
    return known + guessed, guessed == 0


def unusable(model: Model, families: tuple[str, ...]) -> str:
    """What to say of a model that the engine cannot generate with; "" for one that it can."""
    if model.family in families:
        return ""
    return f"this version supports only {' and '.join(map(_family_number, families))}"


def _family_number(family: str) -> str:
    """ "2.1" of "kandinsky-2-1"."""
    return family.removeprefix("kandinsky-").replace("-", ".")


FAMILIES = ("kandinsky-2-1", "kandinsky-2-2")
"""What the engine generates with, where it cannot be asked."""
