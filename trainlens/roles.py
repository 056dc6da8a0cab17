"""What a metric name means: its role, its direction and its unit.

Names of many frameworks go in (``loss``, ``lr-Adam``, ``grad_norm``, ``coco/bbox_mAP``), a `Role`
comes out. Their split is the matter of `trainlens.splits`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from trainlens.compact import Compact
from trainlens.splits import SPLITS, parse_name

__all__ = ["ROLES", "SPLITS", "Role", "normalise", "parse_name", "role_of"]


@dataclass(frozen=True, slots=True)
class Role(Compact):
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

# A row: role, direction, unit, priority ("-" for none); below it, indented, the words that tell
# it. The first row with a word that is found decides, so what is special stands above what is
# general. A word is a regular expression for whole words of the lower-case name, whose words are
# joined with "_"; a number may follow (`acc` is found in "val_acc1", not in "accel"). "^" and "$"
# hold it to the beginning and to the end, "~" stands for anything.
_TABLE = r"""
# The machine.
system - - 0
    ^system
other - - 0
    num_alloc~ num_ooms alloc_(requests|retries)
gpu-memory - - 0
    (gpu|cuda|vram)~mem(ory)? mem(ory)?~gpu max_mem(ory)?(_gb)? peak_mem(ory)? vram
    (?<!cpu_)mem(ory)?_~(alloc[a-z]*|reserved|active|peak) (alloc[a-z]*|reserved|peak)_~mem(ory)?
    ^memory$
system - - 0
    ^(gpu|cpu)$ [gc]pu_(util|percent|usage|frac|power|temp)[a-z]* cpu_mem(ory)? disk
    network_(in|out|up|down|sent|recv|rx|tx|traffic|bytes) temperature_c power_watts? ^p_memory
    nvsmi psutil ram_(util|percent|gb|frac|used|avail|total)[a-z]*

# Time and speed.
data-time - s 0
    (rank_)?data_(time|wait[a-z]*|load[a-z]*) (time|load)_data (data)?loader_time
    data_?load(er|ing)?_(time|s|ms)
batch-time - s 0
    (batch|step|iter|iteration|update)_?(time|timing|duration)
    (batch|step|iter|iteration|update)_(seconds|secs?|ms)$
    time_(per|a|this)_([a-z]+_)?(batch|step|iter|iteration|update) time_metrics_end_to_end
    s(ecs?|econds?)?_(per_)?(step|it|iter|iteration|batch|update)s?
    ms_(per_)?(step|it|iter|iteration|batch|update) ^time(_m?s)?$ ^dt(_ms)?$
throughput - tokens/s 0
    tok(en)?s?_(per_)?((gpu|device|rank)_)?(per_)?(s|sec|seconds?) tps
throughput - samples/s 0
    (samples?|examples?|images?|imgs?)_(per_)?((gpu|device)_)?(per_)?(s|sec|seconds?)
throughput - steps/s 0
    (steps?|it|its|iters?|iterations?|batch(es)?|updates?)_(per_)?(s|sec|seconds?) ups sps
throughput - frames/s 0
    frames?_(per_)?(s|sec|seconds?) fps
throughput - words/s 0
    words?_(per_)?(s|sec|seconds?) wps
throughput - - 0
    throughput per_(s|sec|seconds?) mfu hfu [tg]flops? flops_(per|util)[a-z]*

# Where training stands.
epoch - - 0
    ^((trainer|time|progress)_)?epochs?$ ^cur(r|rent)?_epoch$ epoch_(index|id|num|number)$
progress - - 0
    ^((trainer|time|progress)_)?(global_)?steps?$ ^((time|n)_)?iter(ation)?s?$ n(um)?_updates?
    ^updates?$ ^progress(_remaining)?$ ^eta ^t$ elapsed timestamps? timesteps env_steps
    (cur(r|rent)?|acc)_(iter|step) (consumed|trained)_(train_)?(samples|tokens) ^(time_)?episodes?$
    (samples|tokens|examples|frames)_seen num_(env|agent)_steps~ episodes_(total|this_iter)
    total~(steps|iters|iterations|frames|kimgs|interacts) ^(train_)?wall$ wall_?time wall_clock~
    time_total total_time time_remaining (time|iters?)_since_restore runtime
batch-classes - - 0
    batch_classes classes_(in|per)_batch unique_(labels|classes)

# Numbers about a number: its spread, scale, limit or count, the best so far.
metric max - 0
    explained_var(iance)?(_score)?
metric max - 1
    best_of~(acc|accuracy|score) (dice|jaccard)_coef[a-z]* matthews~ corr_?coef[a-z]*
    silhouette~
other - - 0
    (std|std_?dev|var|variance|sem|count|threshold)$ ^(std|stddev|variance) best(?!_of)
    (loss|grad|gradient)_scaler?s? loss_(ratio|time) num n_(params?|parameters|samples|points)
    (lr|rate)_(scale|mult[a-z]*) weight_decay wd$ momentum$ weights?_norm params?_norm w_norm
    clipped_grad~ clip_grad~ grad(ient)?_clip~ grad(ient)?_norm_clip[a-z]* max_grad_norm$

# The optimizer and the recipe.
gradient-norm - - 0
    grad(ient)?s?~norm norm~grad(ient)?s? g_?norm grad_gnorm gradnorm total_norm$
learning-rate - - 0
    b?lrs? learning_?rates? learn_rate
coverage - - 0
    coverage valid_(ratio|fraction|share)
loss min - -2
    alpha~(diversity|loss|reg)[a-z]* (diversity|reg)~alpha gradient_penalty
gate - - 0
    ^(gate_?)?alpha(_mean|_avg)?$ ^gate(_mean|_alpha)?$
dropout - - 0
    dropout~ drop_(rate|path|prob)~ p_drop
loss-weight - - 0
    ^w_[a-z]+ loss_weights? [a-z0-9]+_weight$ ^weight_[a-z]+ ^lambda_[a-z]+
    [a-z0-9]+_coef(f|ficient)?$

# Losses; those of reinforcement learning that are none come first.
other - - 0
    (?<!cross_)entropy(_loss)?$ approx_kl old_approx_kl clip_?frac(tion)? clip_range~ td_errors?
    (codebook|code|vq)_perplexity rewards?_rejected logps~ logits~ reward_scale
loss min - 3
    ^total$ ^loss(es)?$ ^loss_(total|epoch|step|avg|mean|overall|sum|all|ema|smooth)$
    ^(total|overall|epoch|batch|avg|average|mean|lm|reduced|running|global_avg)_loss(es)?$
loss min - 1
    [a-z]*log_?loss
loss min - 0
    [a-z0-9]*loss(es)?
loss min - 1
    ^ce ce$ bce nll xent [a-z]*cross_?entropy perplexity ppl bits_per~ bp[bcd]$
    neg(ative)?_(log_?lik[a-z]*|elbo) nelbo [a-z]*nloglik ^multi_class~ ^objective$
    ^criterion$ ^((total|avg|average|mean)_)?cost$ verlust perte perdita
    ^[dg]_(a|b|gan[a-z]*|l1|real|fake|vgg|feat)$ ^(cycle|idt)_[ab]$

# Measures of quality.
metric min mm 2
    [a-z]*mpjpe [a-z]*mpvpe pve mrpe
metric min Å 2
    [a-z]?rmsd
metric min - 1
    wer cer ^[dmt]er$ eer ^per$ (mae|mse|rmse|nrmse|nmse|rmsle|s?mape|mdape)
    [a-z]*err(or)? nme epe fid kid lpips niqe min_?[af]de [af]de miss_rate brier~ ece
    abs_rel sq_rel silog chamfer~ hausdorff~ hd95 assd? fpr fnr frr ^far$ min_?dcf hamming~
    crps deviance ^l[12]$ ^huber$
metric max dB 1
    psnr si_snri? si_sdri? sdri?
metric max - 1
    [a-z0-9]*acc(uracy|uracies)? top_?[1-9] m_?aps? aps? ap[smlrcf] ars? ar[sml] average_precision
    [a-z]*auc auroc auprc aucpr aucmu roc [a-z]*precision [a-z]*recall sensitivity specificity
    tpr tnr [fm]?_?w?iou io_u giou jaccard~ dice [a-z]*f1 f_?score fscore f_?measure f_?beta
    f1_score r2 r2_score r_?squared ndcg mrr hits? hit_?(rate|ratio) (hr|r|p|pass)(?=@)
    pass_(at|rate)~ exact_match ^em$ success(es)?(_rate)? win_?(rate|ratio) solve_rate
    [a-z]*bleu rouge[a-z]* chrf meteor cider spice bert_?score ^comet$ ssim ms_ssim
    spearman~ pearson~ kendall~ mcc [a-z]?kappa ccc plcc srcc ^corr(elation)?$
    genauigkeit exactitude pr_cision
    pck[a-z]? oks gdt~ p?_?l_?ddt~ tm_?score inception_score clip_score
    nds mota hota idf1 ^[ul]as$ ^pq$ v_measure nmi ^ari$ gini log_?lik(elihood)?
    rewards?_(margins?|accurac[a-z]*)

# Rewards.
metric max - 1
    rewards? returns? ep_?rew~ ep_?ret episod(e|ic)_scores? ^r$ objective_scores?
    ^(mean|avg|average|eval|final|max|min)?_?scores?(_(mean|avg|max|min))?$
"""


@dataclass(frozen=True)
class _Row:
    role: Role
    words: re.Pattern[str]


def _rows(table: str) -> Iterator[_Row]:
    text = re.sub(r"^#.*$", "", table, flags=re.MULTILINE)
    for block in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        head, _, words = block.partition("\n")
        name, direction, unit, priority = head.split()
        role = Role(name, direction.strip("-"), "" if unit == "-" else unit, int(priority))
        yield _Row(role, re.compile("|".join(map(_pattern, words.split()))))


def _pattern(word: str) -> str:
    begin = "^_" if word.startswith("^") else "_"
    ends = {"$": r"(?:_?\d+)*_$", "~": ""}
    end = ends.get(word[-1], r"(?=[_@\d])")
    core = word.removeprefix("^").removesuffix("$").replace("~", r"[a-z0-9@_]*")
    return f"{begin}(?:{core}){end}"


@lru_cache(maxsize=1)
def _table() -> tuple[_Row, ...]:
    # Not at import: a command that reads no log needs none of it.
    return tuple(_rows(_TABLE))


_OTHER = Role("other")
_LOSS, _QUALITY = Role("loss", "min", "", 3), Role("metric", "max", "", 1)

COMMON = {
    "loss": _LOSS,
    "total_loss": _LOSS,
    "accuracy": _QUALITY,
    "acc": _QUALITY,
    "lr": Role("learning-rate"),
    "learning_rate": Role("learning-rate"),
    "grad_norm": Role("gradient-norm"),
    "epoch": Role("epoch"),
}
"""What the table says of names that most logs have: working it out takes as long as such a log."""

_LONGEST = 256
_CONTEXT = re.compile(r"\{.*\}$")
_RATE = re.compile(r"/(s|sec|second)$")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_BETWEEN = re.compile(r"[^a-z0-9@]+")
_GROUPS = re.compile(r"/|\.(?!\d)")

# The last part of a name that says nothing without the part before it.
_VAGUE = frozenset(
    {"total", "all", "sum", "mean", "avg", "average", "min", "max", "value", "std", "epoch", "step"}
)


def normalise(name: str) -> str:
    """Words of a name in lower case, an underscore between, before and behind them.

    Examples
    --------
    >>> normalise("bbox/mAP@50"), normalise("valLoss (B)"), normalise("mIoU")
    ('_bbox_m_ap@50_', '_val_loss_b_', '_m_iou_')
    """
    spaced = _CAMEL.sub(r"\1_\2", name.replace("IoU", "Iou"))
    return f"_{_BETWEEN.sub('_', spaced.lower()).strip('_')}_"


def _last(name: str) -> str:
    """The part of a name behind its groups: ``loss`` of ``opt/loss``."""
    parts = [p for p in _GROUPS.split(name) if p.strip()]
    keep = 1
    while keep < len(parts) and parts[-keep].strip().lower() in _VAGUE:
        keep += 1
    return "/".join(parts[-keep:])


@lru_cache(maxsize=65536)
def role_of(metric: str, kind: str = "") -> Role:
    """Role of a metric (name without its split).

    Parameters
    ----------
    metric : str
    kind : str
        ``"loss"`` or ``"system"`` where the format itself says so (`Column.kind`).

    Examples
    --------
    >>> role_of("bbox/AP50").direction, role_of("PA-MPJPE").unit, role_of("loss_scale").name
    ('max', 'mm', 'other')
    """
    if not kind and metric in COMMON:
        return COMMON[metric]
    return _from_table(metric, kind)


def _from_table(metric: str, kind: str) -> Role:
    if kind == "system":
        return Role("system", unit=_unit(metric, Role("system")))
    plain = _RATE.sub(r"_per_\1", _CONTEXT.sub("", metric[:_LONGEST]))
    full, last = normalise(plain), normalise(_last(plain))
    found = next(
        (
            row.role
            for row in _table()
            if row.words.search(last) or (last != full and row.words.search(full))
        ),
        _OTHER,
    )
    if kind == "loss" and found.name not in ("loss", "metric"):
        found = Role("loss", "min", "", 0)
    return replace(found, unit=_unit(plain, found))


_BRACKETS = re.compile(r"[\[(]\s*(%|ms|s|sec|mm|cm|dB|[KMGT]i?B)\s*[\])]\s*$")
_SUFFIX = re.compile(r"_(ms|mm|cm|db|[kmg]i?b|percent|pct|secs?|seconds)_$")
_UNITS = {"db": "dB", "percent": "%", "pct": "%", "sec": "s", "secs": "s", "seconds": "s"}


def _unit(name: str, role: Role) -> str:
    """Unit that stands in a name, ``batch_time_ms`` or ``loading (%)``; else that of its role."""
    if found := _BRACKETS.search(name):
        return _UNITS.get(found.group(1), found.group(1))
    if role.name == "throughput" or not (found := _SUFFIX.search(normalise(name))):
        return role.unit
    unit = found.group(1)
    return _UNITS.get(unit) or (unit if unit[-1] == "m" or unit == "ms" else _bytes(unit))


def _bytes(unit: str) -> str:
    return unit[0].upper() + unit[1:-1] + "B"
