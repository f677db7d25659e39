"""A plot with one axis, which other scripts add axes to."""

from copy import copy

from modules import processing, scripts


class AxisOption:
    def __init__(
        self,
        label,
        type,  # noqa: A002  the host's name
        apply,
        format_value=None,
        confirm=None,
        cost=0.0,
        choices=None,
        prepare=None,
    ):
        self.label = label
        self.type = type
        self.apply = apply
        self.format_value = format_value
        self.confirm = confirm
        self.cost = cost
        self.choices = choices
        self.prepare = prepare


axis_options = [AxisOption("Steps", int, lambda p, x, _xs: setattr(p, "steps", x))]


class Script(scripts.Script):
    def title(self):
        return "X/Y/Z plot"

    def show(self, is_img2img):
        return True

    def run(self, p, label, texts):
        """Values as they are typed. A cell that fails is None, and the next one follows."""
        option = next(one for one in axis_options if one.label == label)
        values = [option.type(text) for text in texts]
        if option.confirm:
            option.confirm(p, values)
        cells = []
        for value in values:
            cell = copy(p)
            option.apply(cell, value, values)
            try:
                cells.append(processing.process_images(cell))
            except Exception:
                cells.append(None)
        return cells
