pasted = []


def on_infotext_pasted(callback):
    pasted.append(callback)


def infotext_pasted_callback(infotext, params):
    for callback in pasted:
        callback(infotext, params)


def clear_callbacks():
    pasted.clear()
