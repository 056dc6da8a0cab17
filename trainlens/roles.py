"""What a metric name means: its split, its role, its direction and its unit.

Names of many frameworks go in (``val_loss``, ``eval/loss``, ``train/box_loss``, ``lr-Adam``,
``grad_norm``, ``coco/bbox_mAP``), a metric, a split and a `Role` come out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

SPLITS = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "learn": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "evaluation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Words that name a split, and the split they name."""


@dataclass(frozen=True)
class Role:
    """Meaning of a metric.

    Parameters
    ----------
    name : str
        One of `ROLES`.
    direction : str
        ``"min"`` (lower is better), ``"max"`` or ``""`` (no direction).
    unit : str
        Empty where the name does not tell.
    priority : int
        Among several metrics of a role, the highest tells most.
    """

    name: str
    direction: str = ""
    unit: str = ""
    priority: int = 0


ROLES = {
    "loss": "a quantity that training minimises",
    "metric": "a measure of quality with a known direction",
    "learning-rate": "learning rate of the optimizer",
    "gradient-norm": "norm of the gradient before clipping",
    "batch-time": "seconds a training step takes",
    "data-time": "seconds a step waits for data",
    "throughput": "samples, tokens or steps a second",
    "gpu-memory": "GPU memory in use",
    "coverage": "share of inputs that are valid, 0 to 1",
    "gate": "mixing weight of a fusion gate, 0 to 1",
    "batch-classes": "number of different classes in a batch",
    "dropout": "dropout rate",
    "loss-weight": "weight of a loss term",
    "epoch": "epoch counter",
    "progress": "share of training done, or a step counter",
    "system": "a reading of the machine",
    "other": "anything else",
}
"""Role names and what they stand for."""

# Order matters: the first pattern that is found in the normalised name decides.
_PATTERNS: tuple[tuple[str, Role], ...] = tuple(
    (pattern, Role(*fields))
    for pattern, *fields in (
        (
            r"^(__)?system|^(gpu|cpu)(_\d+)?$|gpu_util|cpu_(util|percent)|disk|network|power_watts"
            r"|temperature_c|^p_memory",
            "system",
        ),
        (
            r"(gpu|cuda|vram).*mem|max_mem|mem.*(gpu|alloc|reserved)|^memory$|max_mem_gb",
            "gpu-memory",
        ),
        (r"grad.*norm|norm.*grad|^gnorm$", "gradient-norm"),
        (r"^(base_)?lr([_\d]|$)|(^|_)lr$|learning_rate|_lr_|^lr_", "learning-rate"),
        (r"data_time|data_wait|time_data|dataloader_time", "data-time", "", "s"),
        (
            r"^(batch|step|iter(ation)?)_?(time|duration|seconds)|time_(per|a)_(batch|step|iter)"
            r"|^time$|sec(onds)?_per_(step|iter|batch)",
            "batch-time",
            "",
            "s",
        ),
        (
            r"(samples|tokens|steps|images|it|iters|frames|examples)_(per|/)_?(s|sec|second)\b"
            r"|throughput|^fps$|^tps$|^mfu$",
            "throughput",
        ),
        (r"valid_ratio|coverage|valid_fraction", "coverage"),
        (r"alpha.*(diversity|loss|reg)|(diversity|reg).*alpha", "loss", "min", "", -2),
        (r"^(gate_?)?alpha(_mean|_avg)?$|^gate(_mean|_alpha)?$", "gate"),
        (r"batch_classes|classes_(in|per)_batch|unique_(labels|classes)", "batch-classes"),
        (r"dropout|drop_rate|^p_drop$", "dropout"),
        (r"^w_|loss_weight|_weight$|^weight_|^lambda_", "loss-weight"),
        (r"^epochs?$|_epoch_index$", "epoch"),
        (
            r"^(global_)?step$|^iter(ation)?s?$|^progress$|elapsed|^eta|timestamp|^num_updates$",
            "progress",
        ),
        (
            r"^(total|total_loss|loss|loss_total|epoch_loss|loss_epoch|overall_loss|lm_loss)$",
            "loss",
            "min",
            "",
            3,
        ),
        (r"loss", "loss", "min", "", 0),
        (
            r"^(nll|ce|bce|cross_?entropy|perplexity|ppl|logloss|kl|elbo)(_|$)|_(nll|ce|bce|ppl)$"
            r"|perplexity|bits_per",
            "loss",
            "min",
            "",
            1,
        ),
        (r"mpjpe|mpvpe|\bpve\b", "metric", "min", "mm", 2),
        (r"rmsd", "metric", "min", "Å", 2),
        (
            r"(^|_)(wer|cer|mae|mse|rmse|error|err|nme|epe|fid|kid|lpips|mape|miou_err|eer)(_|$|\d)",
            "metric",
            "min",
            "",
            1,
        ),
        (
            r"acc(uracy)?(_?\d+)?($|_)|top_?\d|(^|_)(f1|auc|auroc|ap|ar|map|miou|iou|dice|bleu|rouge"
            r"|psnr|ssim|precision|recall|r2|ndcg|mrr|hits?|pck|gdt|lddt|plddt|tm_score|hit_rate|mcc"
            r"|kappa|cider|meteor|spearman|pearson)(_|$|\d|@)|gdt_?ts|map_?\d|_map\b|"
            r"success_rate|win_rate",
            "metric",
            "max",
            "",
            1,
        ),
        (r"reward|return|episode_score|^score$|ep_rew|mean_score", "metric", "max", "", 1),
    )
)

_WORD = re.compile(r"[^a-z0-9@%]+")


def _normalise(name: str) -> str:
    # camelCase and every separator become one underscore.
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return _WORD.sub("_", spaced.lower()).strip("_")


@lru_cache(maxsize=65536)
def role_of(metric: str, kind: str = "") -> Role:
    """Role of a metric (name without its split).

    Parameters
    ----------
    metric : str
    kind : str
        ``"loss"`` or ``"system"`` where the format itself says so (`Column.kind`).
    """
    if kind == "system":
        return Role("system")
    name = _normalise(metric)
    last = _normalise(re.split(r"[/.]", metric)[-1]) if "/" in metric or "." in metric else name
    for pattern, role in _PATTERNS:
        if re.search(pattern, last) or (last != name and re.search(pattern, name)):
            found = role
            break
    else:
        found = Role("other")
    if kind == "loss" and found.name not in ("loss", "metric"):
        return Role("loss", "min", "", 0)
    return found


_LEAD = re.compile(r"^(" + "|".join(SPLITS) + r")([/_.: -]+)(?=.)", re.IGNORECASE)
_TAIL = re.compile(r"(?<=.)([/_.: -]+)(" + "|".join(SPLITS) + r")$", re.IGNORECASE)
# "valid" as an adjective, and counters that only happen to begin like a split.
_NO_SPLIT = re.compile(r"valid_(ratio|fraction|count|points|mask|share)|test_time_", re.IGNORECASE)
_INNER = re.compile(r"([/.])(" + "|".join(SPLITS) + r")(?=[/_.])", re.IGNORECASE)


@lru_cache(maxsize=65536)
def parse_name(name: str) -> tuple[str, str]:
    """Split a logged name into metric and split.

    Parameters
    ----------
    name : str

    Returns
    -------
    metric : str
    split : str
        Empty where the name does not tell.

    Examples
    --------
    >>> parse_name("val_loss"), parse_name("train/box_loss"), parse_name("loss/validation")
    (('loss', 'val'), ('box_loss', 'train'), ('loss', 'val'))
    >>> parse_name("learning_rate")
    ('learning_rate', '')
    """
    if _NO_SPLIT.match(name):
        return name, ""
    if lead := _LEAD.match(name):
        return name[lead.end() :], SPLITS[lead.group(1).lower()]
    if tail := _TAIL.search(name):
        return name[: tail.start()], SPLITS[tail.group(2).lower()]
    if inner := _INNER.search(name):
        rest = name[: inner.start()] + name[inner.end() :]
        return rest, SPLITS[inner.group(2).lower()]
    return name, ""
