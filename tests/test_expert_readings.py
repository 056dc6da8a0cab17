"""What an expert reads in other people's logs is what `diagnose` says; skipped without them."""

import pytest

import trainlens
from trainlens.rules.base import Severity


@pytest.fixture(scope="module")
def judged(real_logs):
    """Diagnosis of the one run whose source matches a pattern below the folder of real logs."""
    known = {}

    def judge(pattern):
        if pattern not in known:
            (path,) = real_logs.glob(pattern)
            known[pattern] = trainlens.diagnose(trainlens.load_one(str(path)))
        return known[pattern]

    return judge


def faults(diagnosis, least="warning"):
    """(rule, severity, metric, first step) of what is at least so severe."""
    bar = Severity(least).rank
    return [
        (f.rule, f.severity.value, f.metric, f.first_step)
        for f in diagnosis.findings
        if f.severity.rank >= bar
    ]


def finding(diagnosis, rule):
    return next(f for f in diagnosis.findings if f.rule == rule)


WHISPER = "hf_trainer_state/P4P4N1CK*/trainer_state.json"
MLPERF = "mlperf_mllog/mlcommons__training_results_v3.0/*/results/"


def test_whisper_overfits_from_step_1000_while_its_word_errors_are_best_at_3000(judged):
    found = judged(WHISPER)
    assert faults(found) == [("overfitting", "error", "loss", 1000)]
    assert finding(found, "overfitting").evidence["best_step"] == 1000
    wer = found.run["wer", "val"].finite
    assert wer.step[wer.value.argmin()] == 3000


def test_resnet_stuck_at_one_in_a_thousand_and_its_healthy_twin(judged):
    stuck = judged(MLPERF + "*/resnet/result_1.txt")
    assert [f[0] for f in faults(stuck)] == ["never-learned"]
    assert finding(stuck, "never-learned").evidence["classes"] == 1000
    assert judged(MLPERF + "*/resnet/result_0.txt").verdict == "healthy"


@pytest.mark.parametrize(("name", "step"), [("*n54*/unet3d/result_22", 1340),
                                            ("*n9*/unet3d/result_23", 2180)])  # fmt: skip
def test_unet3d_collapses_in_its_last_evaluation(judged, name, step):
    found = judged(MLPERF + name + ".txt")
    assert ("validation-jump", "error", "accuracy", step) in faults(found)


def test_maskrcnn_collapses_and_does_not_overfit(judged):
    found = judged(MLPERF + "*/maskrcnn/result_2.txt")
    jumps = [f for f in faults(found) if f[0] == "validation-jump"]
    assert jumps
    assert all(f[1:] == ("error", f[2], 10950) for f in jumps)
    assert "overfitting" not in [f[0] for f in faults(found)]


def test_the_log_perplexity_that_is_called_accuracy(judged):
    found = judged(MLPERF + "*/gpt3/result_0.txt")
    assert found.run["accuracy", "val"].role.direction == "min"
    assert faults(found) == []


@pytest.mark.parametrize("run", ["0", "4"])
def test_bert_has_no_fault_in_its_loss(judged, run):
    assert faults(judged(MLPERF + f"*n8*/bert/result_{run}.txt")) == []


def test_the_second_run_of_ag_egopose_is_nan_from_its_second_epoch(judged):
    found = judged("pose/Mushfiq5647*/heatmaps/logs/loss_log_2D_heatmaps.txt")
    assert found.run.attempts == 2
    assert ("non-finite", "error", "loss", 2) in faults(found)


def test_the_network_that_is_dead_guesses_among_ten(judged):
    path = "csv_keras/DeepDiagnosis*/MNIST_Normal/double_random_99fe*/tmp/log_dir/log.csv"
    assert finding(judged(path), "never-learned").evidence["classes"] == 10
    assert judged(path).verdict == "failing"


def test_three_classes_never_told_apart(judged):
    path = "csv_keras/DeepDiagnosis*/*/Blob_normal/config_random_22eb*/tmp/log_dir/log.csv"
    assert {f[0] for f in faults(judged(path))} & {"stagnation", "never-learned"}


def test_a_small_language_model_whose_validation_rises_while_it_learns_nothing(judged):
    found = judged("csv_lightning/0Xero7*/lightning_logs/version_3/metrics.csv")
    assert {f[0] for f in faults(found)} == {"never-learned", "overfitting"}


def test_a_resumed_log_is_not_accused_of_never_having_learned(judged):
    found = judged("csv_lightning/0Xero7*/lightning_logs/version_5/metrics.csv")
    assert faults(found) == []
    assert "begins at step 140" in finding(found, "never-learned").message


@pytest.mark.parametrize("version", ["5", "10", "12"])
def test_a_gap_that_grows_with_flat_validation_is_a_gap_only(judged, version):
    found = judged(f"csv_lightning/0Xero7*/lightning_logs/version_{version}/v_*/metrics.csv")
    assert faults(found) == []
    assert "gap-growth" in [f[0] for f in faults(found, "info")]


def test_validation_of_the_hand_grasp_run_rises_tenfold(judged):
    found = judged("text/10cat__RegionGrasp/wandb/*2y9nah8u/files/output.log")
    assert finding(found, "overfitting").severity is Severity.ERROR


@pytest.mark.parametrize(
    ("run", "severity", "line", "said"),
    [
        ("*3nl5xhts", "error", 7108,
         "RuntimeError: shape '[16, 3000]' is invalid for input of size 18000"),
        ("*2lzr0jn7", "info", 1239, "KeyboardInterrupt"),
        ("*18h8crjf", "info", 184, "KeyboardInterrupt"),
    ],
)  # fmt: skip
def test_a_training_that_broke_off_says_why(judged, run, severity, line, said):
    judgement = judged(f"text/10cat__RegionGrasp/wandb/{run}/files/output.log")
    found = finding(judgement, "reported-anomaly")
    assert found.severity is Severity(severity)
    assert f"output.log, line {line}" in found.message
    assert said in found.message
    (event,) = [n for n in judgement.run.notices if n.kind == "event"]
    assert event.message == said
    assert bool(judgement.run.points) == (run == "*18h8crjf")


@pytest.mark.parametrize("run", ["exp3", "exp9"])
def test_detection_at_zero_while_the_boxes_improve(judged, run):
    found = judged(f"tensorboard/22pilarskil__yolov5_test/runs/train/{run}")
    assert "exactly 0 in all 3 evaluations" in finding(found, "never-learned").message


@pytest.mark.parametrize(
    ("path", "attempts"),
    [
        ("detectron2/12tqian*/output/metrics.json", 5),
        ("jsonl/yap-cod*/**/metrics.jsonl", 3),
        ("tensorboard/janosh*/tests/runs/duplicate_steps/run_1", 2),
    ],
)
def test_attempts_that_an_expert_counts(judged, path, attempts):
    found = judged(path)
    assert found.run.attempts == attempts
    assert "step-rewind" in [f[0] for f in faults(found, "info")]


@pytest.mark.parametrize("run", ["model_random_953b*", "model_random_9a5b*", "model_random_c06b*"])
def test_small_healthy_networks_are_left_alone(judged, run):
    found = judged(f"csv_keras/DeepDiagnosis*/*/*/{run}/tmp/log_dir/log.csv")
    assert found.verdict == "healthy"
