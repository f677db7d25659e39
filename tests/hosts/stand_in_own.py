"""How the names of the tests' stand-in for a host relate to those of hosts."""

from __future__ import annotations

OWN = (
    *("infotext_utils.paste", "infotext_utils.sampling_fields"),
    *("processing.create_infotext", "processing.generate", "processing.saved"),
    *("scripts.Runner", "scripts.load_script", "sd_samplers_common.to_image"),
    *("shared.PromptStyles", "shared.TotalTqdm.clear"),
    *(
        f"processing_types.StableDiffusionProcessing{kind}.{method}"
        for kind in ("", "Txt2Img", "Img2Img")
        for method in ("__init__", "defaults", "call", "conds", "make_rng")
    ),
    # The loop calls these, and the extension neither calls nor replaces them.
    *(
        f"processing_types.StableDiffusionProcessing{kind}.{method}"
        for kind in ("", "Txt2Img", "Img2Img")
        for method in ("init", "sample", "sample_hr_pass")
    ),
)
"""What the tests call, and what a loop for tests needs: no host has it, or has it so."""

PLACES = {
    "processing_types": "processing",
    "sd_hijack.EmbeddingDatabase": "textual_inversion.textual_inversion.EmbeddingDatabase",
    "sd_hijack.ModelHijack": "sd_hijack.StableDiffusionModelHijack",
    "sd_models.ModelData": "sd_models.SdModelData",
    "sd_samplers.SamplerData": "sd_samplers_common.SamplerData",
    "sd_samplers.Scheduler": "sd_schedulers.Scheduler",
    "shared.Options": "options.Options",
    "shared.State": "shared_state.State",
    "shared.TotalTqdm": "shared_total_tqdm.TotalTQDM",
}
"""Where hosts have what the stand-in has elsewhere, or under a shorter name."""

GRADIO_4 = ("ui_components.InputAccordion.get_block_name",)
LACKING: dict[str, tuple[str, ...]] = {
    "Forge": GRADIO_4,
    "Forge Neo": (
        *GRADIO_4,
        *("sd_hijack", "sd_models.reload_model_weights", "devices.test_for_nans"),
        *("sd_models.send_model_to_cpu", "sd_models.send_model_to_device"),
        "sd_vae.reload_vae_weights",
        "prompt_parser.get_learned_conditioning",
        "prompt_parser.get_multicond_learned_conditioning",
    ),
}
"""By the kind of host, what A1111 has and it has not, or not so. For the tests of such hosts
tests/support/host_stub/modules/loop.py takes it away.
"""


def is_at(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def real_name(name: str, kind: str) -> str | None:
    """Where a host of this kind has what is called so in the stand-in; None for nowhere."""
    if any(is_at(name, own) for own in (*OWN, *LACKING.get(kind, ()))):
        return None
    for ours, theirs in PLACES.items():
        if is_at(name, ours):
            return theirs + name.removeprefix(ours)
    return name
