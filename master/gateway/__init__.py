"""A port for programs that use ``multiprocessing.managers`` unchanged: the stock protocol, without an unpickler."""
