"""Dialects of programs, tutorials and home-made loops whose lines are easily misread."""

from __future__ import annotations

from pathlib import Path

import pytest

import trainlens
from trainlens.errors import TrainlensError
from trainlens.readers import text
from trainlens.readers._text.reader import TextLog

Points = dict[str, list[tuple[int, float]]]


def load(tmp_path: Path, content: str) -> Points:
    path = tmp_path / "train.log"
    path.write_text(content, encoding="utf-8")
    run = trainlens.load_one(path)
    assert run.format == "text"
    return {
        f"{split}/{metric}": list(zip(s.step.tolist(), s.value.tolist(), strict=True))
        for (metric, split), s in run.series.items()
    }


HUGGING_FACE = (
    "\r 27%|██▋       | 100/375 [00:20<00:50,  5.45it/s]\n"
    "\r{'loss': 0.7, 'epoch': 0.8}\n"
    "\r 27%|██▋       | 100/375 [00:20<00:50,  5.45it/s]"
    "\r 53%|█████▎    | 200/375 [00:40<00:30,  5.45it/s]\n"
    "\r{'loss': 0.6, 'epoch': 1.6}\n"
    "\r 53%|█████▎    | 200/375 [00:40<00:30,  5.45it/s]"
    "\r 67%|██████▋   | 250/375 [00:50<00:25,  5.00it/s]\n"
    "\r  0%|          | 0/16 [00:00<?, ?it/s]\x1b[A\n"
    "\x1b[A\r{'eval_loss': 0.5, 'epoch': 2.0}\n"
    "\r 67%|██████▋   | 250/375 [00:50<00:25,  5.00it/s]"
    "\r100%|██████████| 16/16 [00:00<00:00, 70it/s]\x1b[A\n"
    "\r 80%|████████  | 300/375 [01:00<00:15,  5.00it/s]\n"
    "\r{'loss': 0.4, 'epoch': 2.4}\n"
)
LIGHTNING = (
    "Epoch 0: 100%|█████| 391/391 [00:20<00:00, 19it/s, v_num=0, train_loss=1.90]\n"
    "Validation DataLoader 0: 100%|█████| 40/40 [00:01<00:00, 39it/s]\n"
    "Epoch 0: 100%|█████| 391/391 [00:22<00:00, 17it/s, v_num=0, train_loss=1.90, val_loss=1.75]\n"
    "Epoch 1:  50%|██   | 196/391 [00:10<00:10, 19it/s, v_num=0, train_loss=1.60, val_loss=1.75]\n"
    "Epoch 1: 100%|█████| 391/391 [00:22<00:00, 17it/s, v_num=0, train_loss=1.50, val_loss=1.40]\n"
)
DARKNET = "".join(
    f"{i}: {500 - i}.2, {500 - i}.5 avg, 0.001000 rate, 3.0 seconds, {i * 64} images\n"
    for i in (1, 2, 3)
)
SPACY = (
    "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  SCORE \n"
    "---  ------  ------------  --------  ------  ------\n"
    "  0       0          0.00     42.12    1.23    0.01\n"
    "  1     200         12.34     30.12   41.23    0.41\n"
)

SEEN: dict[str, tuple[str, Points]] = {
    "a bar of Hugging Face that is shown anew": (
        HUGGING_FACE,
        {"train/loss": [(100, 0.7), (200, 0.6), (300, 0.4)], "val/loss": [(250, 0.5)]},
    ),
    "settings of a Namespace are no place": (
        "Namespace(batch_size=64, blr=0.001, epochs=400)\n"
        "Scheduled epochs: 300. LR stepped per epoch.\n"
        "Epoch: [0]  [  0/312]  eta: 0:23:41  loss: 1.75 (1.75)\n"
        "Epoch: [0]  [ 20/312]  eta: 0:03:10  loss: 1.5 (1.6)\n"
        "Epoch: [1]  [  0/312]  eta: 0:13:41  loss: 1.25 (1.25)\n",
        {"train/loss": [(0, 1.75), (20, 1.5), (312, 1.25)]},
    ),
    "planned steps are no place": (
        "  Gradient Accumulation steps = 4\n  Total optimization steps = 345\n"
        + "".join(f"epoch {i}: {{'accuracy': 0.{7 + i}, 'f1': 0.{7 + i}5}}\n" for i in range(3)),
        {
            "train/accuracy": [(0, 0.7), (1, 0.8), (2, 0.9)],
            "train/f1": [(0, 0.75), (1, 0.85), (2, 0.95)],
        },
    ),
    "a bar of Lightning shows the last validation all along": (
        LIGHTNING,
        {
            "train/loss": [(391, 1.9), (391, 1.9), (587, 1.6), (782, 1.5)],
            "val/loss": [(391, 1.75), (782, 1.4)],
        },
    ),
    "checkpoints of Lightning": (
        "Epoch 0, global step 1875: 'val_loss' reached 0.25000 (best 0.25000), saving"
        " model to 'a'\n"
        "Epoch 1, global step 3750: 'val_loss' reached 0.20000 (best 0.20000), saving"
        " model to 'b'\n"
        "Epoch 2, global step 5625: 'val_loss' was not in top 1\n"
        "Epoch 3, global step 7500: 'val_loss' reached 0.19000 (best 0.19000), saving"
        " model to 'c'\n",
        {"val/loss": [(1875, 0.25), (3750, 0.2), (7500, 0.19)]},
    ),
    "Keras, epochs of one length": (
        "".join(
            f"Epoch {e}/3\n1563/1563 - 12s - loss: {2 - e / 4} - val_loss: {2.5 - e / 4}"
            " - 12s/epoch - 8ms/step\n"
            for e in (1, 2, 3)
        ),
        {
            "train/loss": [(1563, 1.75), (3126, 1.5), (4689, 1.25)],
            "val/loss": [(1563, 2.25), (3126, 2.0), (4689, 1.75)],
        },
    ),
    "means of fairseq between its lines, in their order": (
        "2023-05-05 10:00:00 | INFO | train_inner | epoch 001:    100 / 1102 loss=12.5,"
        " num_updates=100\n"
        "2023-05-05 10:06:05 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 9.5"
        " | num_updates 1102\n"
        "2023-05-05 10:06:06 | INFO | train | epoch 001 | loss 11.25 | num_updates 1102\n"
        "2023-05-05 10:06:40 | INFO | train_inner | epoch 002:     98 / 1102 loss=9.25,"
        " num_updates=1200\n",
        {"train/loss": [(100, 12.5), (1102, 11.25), (1200, 9.25)], "val/loss": [(1102, 9.5)]},
    ),
    "iterations of a split": (
        "2023/06/05 20:10:13 - mmengine - INFO - Iter(train) [    50/160000]  eta:"
        " 10:02:03  loss: 2.5\n"
        "2023/06/05 20:10:23 - mmengine - INFO - Iter(train) [   100/160000]  eta:"
        " 10:02:03  loss: 2.0\n"
        "2023/06/05 20:11:43 - mmengine - INFO - Iter(val) [500/500]    mIoU: 30.12\n"
        "2021-11-03 11:02:01,123 - mmseg - INFO - Iter(val) [500]\tmIoU: 31.25\n",
        {"train/loss": [(50, 2.5), (100, 2.0)], "val/mIoU": [(100, 30.12), (100, 31.25)]},
    ),
    "bars of YOLO without sticks": (
        "      Epoch    GPU_mem   box_loss  Instances       Size\n"
        "\x1b[K        1/2      2.1G      1.25        230        640: 100% ━━━━━━━━━━━━"
        " 8/8 3.2it/s\n"
        "\x1b[K     Class     Images  Instances      Box(P     R      mAP50  mAP50-95):"
        " 100% ━━━━ 4/4\n"
        "                   all        128        929      0.75      0.5      0.625      0.375\n"
        "\x1b[K        2/2      2.1G      1.0        155        640: 100% ━━━━━━━━━━━━"
        " 8/8 3.2it/s\n",
        {
            "train/GPU_mem": [(1, 2.1), (2, 2.1)],
            "train/box_loss": [(1, 1.25), (2, 1.0)],
            "train/Instances": [(1, 230.0), (2, 155.0)],
            "train/Size": [(1, 640.0), (2, 640.0)],
            "val/P": [(1, 0.75)],
            "val/R": [(1, 0.5)],
            "val/mAP50": [(1, 0.625)],
            "val/mAP50-95": [(1, 0.375)],
        },
    ),
    "Darknet": (
        DARKNET,
        {
            "train/loss": [(1, 499.2), (2, 498.2), (3, 497.2)],
            "train/avg loss": [(1, 499.5), (2, 498.5), (3, 497.5)],
            "train/learning rate": [(1, 0.001), (2, 0.001), (3, 0.001)],
            "train/seconds": [(1, 3.0), (2, 3.0), (3, 3.0)],
        },
    ),
    "CatBoost": (
        "0:\tlearn: 0.675\ttest: 0.685\tbest: 0.685 (0)\ttotal: 55.1ms\tremaining: 55.1s\n"
        "100:\tlearn: 0.375\ttest: 0.395\tbest: 0.395 (100)\ttotal: 1.51s\tremaining: 13.4s\n"
        "999:\tlearn: 0.175\ttest: 0.305\tbest: 0.301 (900)\ttotal: 15.1s\tremaining: 0us\n",
        {
            "train/loss": [(0, 0.675), (100, 0.375), (999, 0.175)],
            "val/loss": [(0, 0.685), (100, 0.395), (999, 0.305)],
        },
    ),
    "spaCy": (
        SPACY,
        {
            "train/LOSS TOK2VEC": [(0, 0.0), (200, 12.34)],
            "train/LOSS NER": [(0, 42.12), (200, 30.12)],
            "train/ENTS_F": [(0, 1.23), (200, 41.23)],
            "train/SCORE": [(0, 0.01), (200, 0.41)],
        },
    ),
    "an evaluation of an estimator": (
        "INFO:tensorflow:loss = 2.5, step = 0\n"
        "INFO:tensorflow:loss = 1.5, step = 100 (0.812 sec)\n"
        "INFO:tensorflow:loss = 0.5, step = 200 (0.812 sec)\n"
        "INFO:tensorflow:Saving dict for global step 300: accuracy = 0.75, global_step = 300,"
        " loss = 0.25\n",
        {
            "train/loss": [(0, 2.5), (100, 1.5), (200, 0.5)],
            "val/accuracy": [(300, 0.75)],
            "val/loss": [(300, 0.25)],
        },
    ),
    "ESPnet counts before the words": (
        "2023-01-01 10:05:00,123 (trainer:732) INFO: 1epoch:train:1-100batch: acc=0.25, loss=8.5\n"
        "2023-01-01 10:10:00,123 (trainer:732) INFO: 1epoch:train:101-200batch: acc=0.5, loss=7.5\n"
        "2023-01-01 10:20:00,123 (trainer:338) INFO: 1epoch results: [train] acc=0.4, loss=8.0,"
        " time=10 minutes and 1.5 seconds, [valid] acc=0.6, loss=6.5\n"
        "2023-01-01 10:25:00,123 (trainer:732) INFO: 2epoch:train:1-100batch: acc=0.75, loss=5.5\n",
        {
            "train/acc": [(100, 0.25), (200, 0.5), (200, 0.4), (300, 0.75)],
            "train/loss": [(100, 8.5), (200, 7.5), (200, 8.0), (300, 5.5)],
            "val/acc": [(200, 0.6)],
            "val/loss": [(200, 6.5)],
        },
    ),
    "Marian": (
        "[2021-01-01 10:05:00] Ep. 1 : Up. 500 : Sen. 64,123 : Cost 9.25 * 812,345 @ 1,234"
        " after 812,345 : L.r. 9.3750e-06\n"
        "[2021-01-01 10:11:00] [valid] Ep. 1 : Up. 500 : cross-entropy : 150.5 : new best\n"
        "[2021-01-01 10:15:00] Ep. 1 : Up. 1000 : Sen. 10,123 : Cost 7.25 * 812,345 @ 1,234"
        " after 2,436,345 : L.r. 2.8125e-05\n",
        {"train/Cost": [(500, 9.25), (1000, 7.25)], "val/cross-entropy": [(500, 150.5)]},
    ),
    "OLMo tells a step and its numbers below": (
        "".join(
            f"2024-02-01 10:00:00.123\thost:0\tolmo.train:900\tINFO\t[step={i}/700,epoch=0]\n"
            f"    optim/total_grad_norm={i}.5\n    train/CrossEntropyLoss={9 - i}.5\n"
            for i in (1, 2, 3)
        ),
        {
            "train/optim/total_grad_norm": [(1, 1.5), (2, 2.5), (3, 3.5)],
            "train/CrossEntropyLoss": [(1, 8.5), (2, 7.5), (3, 6.5)],
        },
    ),
    "steps of validation": (
        "".join(
            f"step:  {i}  loss:  {9 - i}.5\nvalidate step:  {i}  loss:  {9 - i}.75\n"
            for i in (1, 2)
        ),
        {"train/loss": [(1, 8.5), (2, 7.5)], "val/loss": [(1, 8.75), (2, 7.75)]},
    ),
    "a split behind the metric": (
        "Epoch 1 | iter 10 step 2 | loss train: 4.5, val: n/a | iter time: 110.12 ms\n"
        "Epoch 1 | iter 15 step 3 | loss train: 4.25, val: 4.375 | iter time: 110.12 ms (step)\n"
        "Epoch 1 | iter 20 step 4 | loss train: 4.0, val: 4.125 | iter time: 110.12 ms (step)\n",
        {
            "train/loss": [(10, 4.5), (15, 4.25), (20, 4.0)],
            "train/iter time": [(10, 110.12), (15, 110.12), (20, 110.12)],
            "val/loss": [(15, 4.375), (20, 4.125)],
        },
    ),
    "what a tutorial prints: epoch and batch": (
        "[1,  2000] loss: 2.5\n[1,  4000] loss: 2.25\n[2,  2000] loss: 1.5\n"
        "[2,  4000] loss: 1.25\n",
        {"train/loss": [(2000, 2.5), (4000, 2.25), (6000, 1.5), (8000, 1.25)]},
    ),
    "what a tutorial prints: the place at the end": (
        "Epoch 1\n-------------------------------\nloss: 2.5  [   64/60000]\n"
        "loss: 2.25  [ 6464/60000]\n"
        "Test Error: \n Accuracy: 44.5%, Avg loss: 2.125 \n\n"
        "Epoch 2\n-------------------------------\nloss: 1.5  [   64/60000]\n",
        {
            "train/loss": [(64, 2.5), (6464, 2.25), (60064, 1.5)],
            "test/Accuracy": [(6464, 44.5)],
            "test/Avg loss": [(6464, 2.125)],
        },
    ),
    "what a tutorial prints: a split before two metrics": (
        "".join(
            f"Epoch {e}/24\n----------\ntrain Loss: 0.{9 - e} Acc: 0.{e + 1}\n"
            f"val Loss: 0.{9 - e}5 Acc: 0.{e + 1}5\n\n"
            for e in (0, 1)
        ),
        {
            "train/Loss": [(0, 0.9), (1, 0.8)],
            "train/Acc": [(0, 0.1), (1, 0.2)],
            "val/Loss": [(0, 0.95), (1, 0.85)],
            "val/Acc": [(0, 0.15), (1, 0.25)],
        },
    ),
    "what a tutorial prints: two counts in brackets": (
        "[0/5][0/1583]\tLoss_D: 1.75\tLoss_G: 4.5\tD(G(z)): 0.5718 / 0.0124\n"
        "[0/5][50/1583]\tLoss_D: 0.5\tLoss_G: 6.5\tD(G(z)): 0.0718 / 0.0024\n"
        "[1/5][0/1583]\tLoss_D: 0.25\tLoss_G: 4.75\tD(G(z)): 0.0718 / 0.0124\n",
        {
            "train/Loss_D": [(0, 1.75), (50, 0.5), (1583, 0.25)],
            "train/Loss_G": [(0, 4.5), (50, 6.5), (1583, 4.75)],
        },
    ),
    "the end of an epoch": (
        "| epoch   1 |   200/ 2983 batches | loss  6.5\n"
        "| epoch   1 |   400/ 2983 batches | loss  6.25\n"
        "| end of epoch   1 | valid loss  5.5 | valid ppl   244.75\n"
        "| epoch   2 |   200/ 2983 batches | loss  5.75\n",
        {
            "train/loss": [(200, 6.5), (400, 6.25), (3183, 5.75)],
            "val/loss": [(400, 5.5)],
            "val/ppl": [(400, 244.75)],
        },
    ),
    "the best repeats a record": (
        "[100]\ttraining's auc: 0.5\tvalid_1's auc: 0.25\n"
        "[200]\ttraining's auc: 0.75\tvalid_1's auc: 0.5\n"
        "Early stopping, best iteration is:\n[180]\ttraining's auc: 0.7\tvalid_1's auc: 0.45\n"
        "Best model at iteration 180 with auc 0.45\n",
        {"train/auc": [(100, 0.5), (200, 0.75)], "val/auc": [(100, 0.25), (200, 0.5)]},
    ),
    "a checkpoint that is resumed": (
        "Epoch 1 loss: 0.9\nEpoch 2 loss: 0.8\nResuming from c.pt (epoch 1, loss 0.9)\n"
        "Epoch 2 loss: 0.7\nEpoch 3 loss: 0.6\n",
        {"train/loss": [(1, 0.9), (2, 0.8), (2, 0.7), (3, 0.6)]},
    ),
    "thousands": (
        "Step 1,000 | loss: 2.5\nStep 12,500 | loss: 2.25\nstep:1.5K loss:2.0\nstep:20K loss:1.5\n",
        {"train/loss": [(1000, 2.5), (12500, 2.25), (1500, 2.0), (20000, 1.5)]},
    ),
    "words of other languages": (
        "Epoche 1/3: Verlust 0.9, Genauigkeit 0.5\nÉpoque 2/3 - perte: 0.8 - précision: 0.6\n"
        "Epoch 3/3: loss 0.7\n",
        {
            "train/Verlust": [(1, 0.9)],
            "train/Genauigkeit": [(1, 0.5)],
            "train/perte": [(2, 0.8)],
            "train/précision": [(2, 0.6)],
            "train/loss": [(3, 0.7)],
        },
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_dialects(tmp_path: Path, name: str) -> None:
    content, expected = SEEN[name]
    found = load(tmp_path, content)
    assert {key: held for key, held in found.items() if key in expected} == expected
    # What else was found are durations, rates and counts.
    assert not {key for key in found if "loss" in key.lower() or "acc" in key.lower()} - set(
        expected
    )


@pytest.mark.parametrize("name", SEEN)
def test_a_log_that_grows_gives_the_same(tmp_path: Path, name: str) -> None:
    data = SEEN[name][0].encode()
    path, whole = tmp_path / "grown.log", tmp_path / "whole.log"
    whole.write_bytes(data)
    path.write_bytes(b"")
    reader, found = TextLog(path), {}
    chunks = []
    for at in range(0, len(data), 11):
        with open(path, "ab") as file:
            file.write(data[at : at + 11])
        chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    for chunk in chunks:
        for c in chunk.columns:
            held = found.setdefault((c.name, c.split), [])
            held += zip(c.step.tolist(), c.value.tolist(), strict=True)
    at_once = TextLog(whole).poll(final=True)
    assert found == {
        (c.name, c.split): list(zip(c.step.tolist(), c.value.tolist(), strict=True))
        for c in at_once.columns
    }


OTHERS = {
    "git": "".join(f"    step {i}: improve loss from 0.{i} to 0.1\n" for i in range(1, 5)),
    "backup": "".join(
        f"step {i}: {i * 3.5} MB, time: 0.{i}s, memory: {i}0 MB\n" for i in range(1, 8)
    ),
    "gromacs": "".join(f"    Step           Time\n    {i}00        0.{i}\n\n" for i in range(5)),
    "ping": "".join(
        f"64 bytes from 1.2.3.4: icmp_seq={i} ttl=56 time=1{i}.5 ms\n" for i in range(9)
    ),
    "docker": "".join(
        f"Step {i}/8 : RUN make loss-{i}\n ---> 4c2aa3f1b7d{i}\n" for i in range(1, 9)
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_logs_of_other_programs_are_not_claimed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "some.log"
    path.write_text(OTHERS[name])
    assert text.sniff(path) == 0.0
    with pytest.raises(TrainlensError):
        trainlens.load_one(path)
