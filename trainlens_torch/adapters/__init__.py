"""Recording and guarding inside the frameworks that run a training.

Each module needs its framework: `lightning`, `transformers`, `ignite`, `mmengine`; `accelerate`
serves loops of one's own, with the library or without it. None of them is imported with this
package.
"""
