def activate(p, extra_network_data):
    raise AssertionError("Stable Diffusion's extra networks were activated")
