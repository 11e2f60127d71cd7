"""Records a WebRTC room in real Chrome into one WebM, and judges the file."""

import lazy_loader

# What one program does not use it does not wait for; __init__.pyi says where each name lives.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
