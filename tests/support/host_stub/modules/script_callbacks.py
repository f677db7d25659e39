pasted = []
settings = []
before_ui = []
app_started = []


def on_infotext_pasted(callback):
    pasted.append(callback)


def on_ui_settings(callback):
    settings.append(callback)


def on_before_ui(callback):
    before_ui.append(callback)


def before_ui_callback():
    for callback in before_ui:
        callback()


def on_app_started(callback):
    app_started.append(callback)


def app_started_callback(demo, app):
    for callback in app_started:
        callback(demo, app)


def ui_settings_callback():
    for callback in settings:
        callback()


def infotext_pasted_callback(infotext, params):
    for callback in pasted:
        callback(infotext, params)


def clear_callbacks():
    pasted.clear()
    settings.clear()
    before_ui.clear()
    app_started.clear()
