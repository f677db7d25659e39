import gradio as gr


class InputAccordion(gr.Checkbox):
    """A checkbox with a panel that is filled inside `with`. The host hides the checkbox and ties it
    to the panel in JavaScript; here it is seen.
    """

    def __init__(self, value, **kwargs):
        self.accordion_id = kwargs.pop("elem_id")
        super().__init__(value, elem_id=f"{self.accordion_id}-checkbox", **kwargs)
        self.accordion = gr.Accordion("", open=value, elem_id=self.accordion_id)

    def get_block_name(self):
        return "checkbox"

    def __enter__(self):
        self.accordion.__enter__()
        return self

    def __exit__(self, *error):
        self.accordion.__exit__(*error)
