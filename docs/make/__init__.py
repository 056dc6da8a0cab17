"""The pages and pictures that come from the code.

``python -m docs.make`` writes them, ``python -m docs.make --check`` says which of them are not
what the code says. A chapter is a module here with ``pages()``, the text of each page by its path
beneath ``docs/``, and ``pictures()``, what draws each picture.
"""
