from trainlens_torch import (
    adapters as adapters,
)
from trainlens_torch import (
    adaptive as adaptive,
)
from trainlens_torch import (
    cli as cli,
)
from trainlens_torch import (
    config as config,
)
from trainlens_torch import (
    data as data,
)
from trainlens_torch import (
    dropout as dropout,
)
from trainlens_torch import (
    freeze as freeze,
)
from trainlens_torch import (
    gradients as gradients,
)
from trainlens_torch import (
    groups as groups,
)
from trainlens_torch import (
    guard as guard,
)
from trainlens_torch import (
    health as health,
)
from trainlens_torch import (
    initialization as initialization,
)
from trainlens_torch import (
    loop as loop,
)
from trainlens_torch import (
    losses as losses,
)
from trainlens_torch import (
    lr_finder as lr_finder,
)
from trainlens_torch import (
    memory as memory,
)
from trainlens_torch import (
    metrics as metrics,
)
from trainlens_torch import (
    record as record,
)
from trainlens_torch import (
    schedules as schedules,
)
from trainlens_torch import (
    system as system,
)
from trainlens_torch.adaptive import AdaptiveLRManager as AdaptiveLRManager
from trainlens_torch.averaging import (
    evaluating as evaluating,
)
from trainlens_torch.averaging import (
    schedule_free as schedule_free,
)
from trainlens_torch.clock import Clock as Clock
from trainlens_torch.config import (
    TrainingConfig as TrainingConfig,
)
from trainlens_torch.config import (
    apply_prescription as apply_prescription,
)
from trainlens_torch.data import (
    CachedDataset as CachedDataset,
)
from trainlens_torch.data import (
    Prefetcher as Prefetcher,
)
from trainlens_torch.data import (
    StratifiedBatchSampler as StratifiedBatchSampler,
)
from trainlens_torch.data import (
    check_sampler as check_sampler,
)
from trainlens_torch.data import (
    fingerprint as fingerprint,
)
from trainlens_torch.data import (
    seeded_loader as seeded_loader,
)
from trainlens_torch.debug import (
    debug_batch as debug_batch,
)
from trainlens_torch.debug import (
    debug_gradients as debug_gradients,
)
from trainlens_torch.decay import TensorDecay as TensorDecay
from trainlens_torch.dropout import (
    ProgressiveDropout as ProgressiveDropout,
)
from trainlens_torch.dropout import (
    ScheduledDropout as ScheduledDropout,
)
from trainlens_torch.dropout import (
    prepare_dropout as prepare_dropout,
)
from trainlens_torch.dropout import (
    progressive_dropout as progressive_dropout,
)
from trainlens_torch.dropout import (
    set_dropout_rate as set_dropout_rate,
)
from trainlens_torch.fields import Value as Value
from trainlens_torch.freeze import ProgressiveFreezing as ProgressiveFreezing
from trainlens_torch.gradients import (
    Accumulation as Accumulation,
)
from trainlens_torch.gradients import (
    AdaptiveClip as AdaptiveClip,
)
from trainlens_torch.gradients import (
    clip_gradients as clip_gradients,
)
from trainlens_torch.groups import parameter_groups as parameter_groups
from trainlens_torch.guard import (
    BlackBox as BlackBox,
)
from trainlens_torch.guard import (
    Diverged as Diverged,
)
from trainlens_torch.guard import (
    UpdateGuard as UpdateGuard,
)
from trainlens_torch.health import HealthCheck as HealthCheck
from trainlens_torch.initialization import initialize as initialize
from trainlens_torch.loop import (
    Checkpointer as Checkpointer,
)
from trainlens_torch.loop import (
    DamagedCheckpoint as DamagedCheckpoint,
)
from trainlens_torch.loop import (
    EarlyStopping as EarlyStopping,
)
from trainlens_torch.losses import (
    AlphaDiversity as AlphaDiversity,
)
from trainlens_torch.losses import (
    ChannelWeightedLoss as ChannelWeightedLoss,
)
from trainlens_torch.losses import (
    CLIPConsistencyLoss as CLIPConsistencyLoss,
)
from trainlens_torch.losses import (
    NormalizedFeatures as NormalizedFeatures,
)
from trainlens_torch.lr_finder import find_lr as find_lr
from trainlens_torch.memory import (
    AdaptiveBatch as AdaptiveBatch,
)
from trainlens_torch.memory import (
    SplitOnOOM as SplitOnOOM,
)
from trainlens_torch.memory import (
    free_memory as free_memory,
)
from trainlens_torch.metrics import (
    gdt_ts as gdt_ts,
)
from trainlens_torch.metrics import (
    lddt as lddt,
)
from trainlens_torch.metrics import (
    mpjpe as mpjpe,
)
from trainlens_torch.metrics import (
    pa_mpjpe as pa_mpjpe,
)
from trainlens_torch.metrics import (
    rmsd as rmsd,
)
from trainlens_torch.optimizers import make_optimizer as make_optimizer
from trainlens_torch.place import Place as Place
from trainlens_torch.record.jsonl import JsonlSink as JsonlSink
from trainlens_torch.record.logger import RunLogger as RunLogger
from trainlens_torch.record.watching import Watcher as Watcher
from trainlens_torch.scheduler import Scheduler as Scheduler
from trainlens_torch.schedules import (
    Chain as Chain,
)
from trainlens_torch.schedules import (
    Constant as Constant,
)
from trainlens_torch.schedules import (
    Cosine as Cosine,
)
from trainlens_torch.schedules import (
    CosineRestarts as CosineRestarts,
)
from trainlens_torch.schedules import (
    Custom as Custom,
)
from trainlens_torch.schedules import (
    Exponential as Exponential,
)
from trainlens_torch.schedules import (
    InverseSqrt as InverseSqrt,
)
from trainlens_torch.schedules import (
    Linear as Linear,
)
from trainlens_torch.schedules import (
    LinearWarmup as LinearWarmup,
)
from trainlens_torch.schedules import (
    OneCycle as OneCycle,
)
from trainlens_torch.schedules import (
    Piecewise as Piecewise,
)
from trainlens_torch.schedules import (
    Polynomial as Polynomial,
)
from trainlens_torch.schedules import (
    Ramp as Ramp,
)
from trainlens_torch.schedules import (
    Schedule as Schedule,
)
from trainlens_torch.schedules import (
    Step as Step,
)
from trainlens_torch.schedules import (
    WarmupStableDecay as WarmupStableDecay,
)
from trainlens_torch.state import StateMismatch as StateMismatch
from trainlens_torch.system import (
    SystemMonitor as SystemMonitor,
)
from trainlens_torch.system import (
    is_out_of_memory as is_out_of_memory,
)
