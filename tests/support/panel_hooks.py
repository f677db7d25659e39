"""Our panel under other scripts, as the host calls it."""


class Hooks:
    """The panel's hooks with the values of its widgets, as the host calls them."""

    def __init__(self, twin, args):
        self.twin = twin
        self.args = args

    def setup(self, p):
        self.twin.setup(p, *self.args)

    def before_process(self, p):
        self.twin.before_process(p, *self.args)
