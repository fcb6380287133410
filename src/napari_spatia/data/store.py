"""Safe writes."""


def recover(path): ...
