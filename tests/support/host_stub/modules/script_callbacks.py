pasted = []
settings = []


def on_infotext_pasted(callback):
    pasted.append(callback)


def on_ui_settings(callback):
    settings.append(callback)


def ui_settings_callback():
    for callback in settings:
        callback()


def infotext_pasted_callback(infotext, params):
    for callback in pasted:
        callback(infotext, params)


def clear_callbacks():
    pasted.clear()
    settings.clear()
