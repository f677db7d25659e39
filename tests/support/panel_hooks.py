"""Our panel under other scripts, as the host calls it."""


class Hooks:
    """The panel's hooks, as the host calls them, with the switch and, as a program may send them,
    values of the controls.
    """

    def __init__(self, twin, args):
        self.twin = twin
        self.args = (args[0], list(args[1:]) or None)

    def setup(self, p):
        self.twin.setup(p, *self.args)

    def before_process(self, p):
        self.twin.before_process(p, *self.args)
