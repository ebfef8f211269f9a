__version__: str
version: str
