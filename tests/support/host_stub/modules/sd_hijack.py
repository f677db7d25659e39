class EmbeddingDatabase:
    def load_textual_inversion_embeddings(self, force_reload=False):
        raise AssertionError("Stable Diffusion's embeddings were reloaded")


class ModelHijack:
    def __init__(self):
        self.embedding_db = EmbeddingDatabase()
        self.layers = None

    def apply_circular(self, enable):
        if enable:
            raise TypeError("'NoneType' object is not iterable")


model_hijack = ModelHijack()
