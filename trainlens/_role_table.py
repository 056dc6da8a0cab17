"""Which words of a metric name tell its role; read by `trainlens.roles`."""

from __future__ import annotations

# A row: role, direction, unit, priority ("-" for none); below it, indented, the words that tell
# it. The first row with a word that is found decides, so what is special stands above what is
# general. A word is a regular expression for whole words of the lower-case name, whose words are
# joined with "_"; a number may follow (`acc` is found in "val_acc1", not in "accel"). "^" and "$"
# hold it to the beginning and to the end, "~" stands for anything.
TABLE = r"""
# What the training itself reported.
anomaly - - 0
    ^anomalies_(?!auc|auroc|f1|recall|precision)[a-z]~
# What a loss is made of: the name of a component may be that of a loss or a metric.
other - - 0
    loss_share_~ loss_residual gradient_share_~ gradient_cosine_~ component_gradient_~
# What a value is held to: infinite where it is not held yet.
limit - - 0
    (grad(ient)?s?|clip(ping)?)_([a-z\d]+_)*(limits?|thresholds?|bounds?)$
# Of single layers and classes: the name of a layer may hold words that mean something else.
gradient-norm - - -1
    grad(ient)?s?_([l\d]\d*_)*norms?_(?!@WHOLE@$)[a-z\d]~
    norms?_grad(ient)?s?_(?!@WHOLE@$)[a-z\d]~ grad(ient)?s?_(?!@WHOLE@norm)([a-z\d]+_)+norms?~
update-ratio - - 0
    update_ratios?~ updates?_to_(weights?|params?|data)~ (updates?|grad)_data_ratio~
weight-std - - 0
    (weights?|params?|parameters?)_std~
weight-norm - - 0
    (w|weights?|param(eter)?s?)_([l\d]\d*_)*norms?(?!_(loss|decay|reg))~ norms?_param(eter)?s?~
activation-mean - - 0
    activations?_(mean|avg|average)~ activations?_([a-z\d]+_)+mean$
activation-std - - 0
    activations?_(std|stddev)~ activations?_([a-z\d]+_)+(std|stddev)$
zero-fraction - - 0
    zero_fraction~ fraction_of_zero_values dead_relus?~ (fraction|share|percent)_(of_)?dead~
    dead_((units?|neurons?)_)?(fraction|share|ratio|percent|pct)~
saturation - - 0
    saturat(ed|ion)_(fraction|share|ratio|percent|pct|rate)~ (fraction|share)_(of_)?saturated~
params-with-grad - - 0
    param(eter)?s_with_grad(ient)?s?~
params-without-grad - - 0
    param(eter)?s_without_grad(ient)?s?~ param(eter)?s_with_no_grad(ient)?s?~
params-total - - 0
    ^params_total$
unchanged-parameters - - 0
    unchanged_(param(eter)?s|weights|tensors|layers)~ (param(eter)?s|weights|tensors)_unchanged~
majority-share - - 0
    (majority|largest_class|dominant_class)_(class_)?(share|fraction|ratio)
class-share - - 0
    class_(shares?|fractions?|freq|frequency|proportions?)_~
class-count - - 0
    class_counts?_~ (samples|counts?)_per_class_~

# The machine.
system - - 0
    ^system
out-of-memory - - 0
    (?<!no_)(?<!non_)ooms?(?!_(score|adj)) out_of_mem(ory)?~
memory-retries - - 0
    alloc[a-z]*_retr(ies|y)
other - - 0
    num_alloc~ alloc_requests
memory-limit - - 0
    (gpu|cuda|device)~mem(ory)?_(total|limit|capacity)~ (vram|hbm)_(total|limit|capacity)~
    (?<!cpu_)(?<!host_)(?<!proc_)mem(ory)?_(total|limit|capacity)$ (?<!pinned_)bytes_limit$
    total_(gpu|cuda|vram|hbm|device)(_mem(ory)?)?_?(mib|gib|mb|gb|bytes)?$
gpu-usage - - 0
    gpu_?\d*_?(util|usage|frac|load)[a-z]*
gpu-memory - - 0
    (gpu|cuda|vram)~mem(ory)? mem(ory)?~gpu max_mem(ory)?(_gb)? peak_mem(ory)? vram
    (?<!cpu_)mem(ory)?_~(alloc[a-z]*|reserved|active|peak) (alloc[a-z]*|reserved|peak)_~mem(ory)?
    ^memory$ bytes_in_use
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
    (lr|rate)_(scale|factor|mult[a-z]*) weight_decay wd$ momentum$
    clipped_grad~ clip_grad~ grad(ient)?_clip~ grad(ient)?_norm_clip[a-z]* max_grad_norm$

# The optimizer and the recipe.
gradient-norm - - 0
    grad(ient)?s?~norm norm~grad(ient)?s? g_?norm grad_gnorm gradnorm total_norm$
learning-rate - - 0
    b?lrs? learning_?rates? learn_rate
loss-weight - - 0
    coverage_weight$
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
