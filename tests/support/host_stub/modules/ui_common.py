import gradio as gr


def create_refresh_button(refresh_component, refresh_method, refreshed_args, elem_id):
    def refresh():
        refresh_method()
        values = refreshed_args() if callable(refreshed_args) else refreshed_args
        for name, value in values.items():
            setattr(refresh_component, name, value)
        return gr.update(**values)

    button = gr.Button(value="refresh", elem_id=elem_id)
    button.click(fn=refresh, inputs=[], outputs=[refresh_component])
    return button
