"""What many frameworks print, with the points that it means."""

from __future__ import annotations

from pathlib import Path

import pytest

import trainlens
from trainlens.chunk import Chunk
from trainlens.readers import text
from trainlens.readers._text.reader import TextLog

Points = dict[str, list[tuple[int, float]]]


def read(tmp_path: Path, content: str | bytes, name: str = "train.log") -> Chunk:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return text.open_source(text.find(path)[0]).poll(final=True)


def points(chunk: Chunk) -> Points:
    return {
        f"{c.split}:{c.name}" if c.split else c.name: list(
            zip(c.step.tolist(), c.value.tolist(), strict=True)
        )
        for c in chunk.columns
    }


DIALECTS: dict[str, tuple[str, Points]] = {
    "torchtitan": (
        "[titan] 2024-05-01 10:00:00,123 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss:  8.1234"
        "  \x1b[33mmemory:  3.45GiB(3.63%)  \x1b[34mtps: 1,234  \x1b[36mmfu: 12.34%\x1b[39m\n"
        "[titan] 2024-05-01 10:00:09,456 - root - INFO - \x1b[31mstep: 20  \x1b[32mloss:  7.0"
        "  \x1b[33mmemory:  3.50GiB(3.70%)  \x1b[34mtps: 12,345  \x1b[36mmfu: 13.0%\x1b[39m\n",
        {
            "loss": [(10, 8.1234), (20, 7.0)],
            "memory": [(10, 3.45), (20, 3.5)],
            "tps": [(10, 1234.0), (20, 12345.0)],
            "mfu": [(10, 12.34), (20, 13.0)],
        },
    ),
    "megatron": (
        " iteration       10/     500 | consumed samples:           80 | elapsed time per iteration"
        " (ms): 123.4 | learning rate: 1.500E-04 | lm loss: 1.100E+01 | grad norm: 1.217 |"
        " number of skipped iterations:   0 | number of nan iterations:   0 |\n"
        "-----------------------------------------------------------------\n"
        " validation loss at iteration 10 | lm loss value: 2.300E+00 | lm loss PPL: 1.000E+01 |\n"
        "-----------------------------------------------------------------\n",
        {
            "consumed samples": [(10, 80.0)],
            "elapsed time per iteration (ms)": [(10, 123.4)],
            "learning rate": [(10, 1.5e-4)],
            "lm loss": [(10, 11.0)],
            "grad norm": [(10, 1.217)],
            "number of skipped iterations": [(10, 0.0)],
            "number of nan iterations": [(10, 0.0)],
            "val:lm loss value": [(10, 2.3)],
            "val:lm loss PPL": [(10, 10.0)],
        },
    ),
    "nemo": (
        "Training epoch 0, iteration 10/99 | lr: 1e-05 | global_batch_size: 8 | global_step: 10 |"
        " reduced_train_loss: 2.5 | train_step_timing in s: 1.25\n"
        "Training epoch 0, iteration 11/99 | lr: 2e-05 | global_batch_size: 8 | global_step: 11 |"
        " reduced_train_loss: 2.25 | train_step_timing in s: 1.5\n",
        {
            "train:lr": [(10, 1e-5), (11, 2e-5)],
            "train:global_batch_size": [(10, 8.0), (11, 8.0)],
            "reduced_train_loss": [(10, 2.5), (11, 2.25)],
            "train_step_timing in s": [(10, 1.25), (11, 1.5)],
        },
    ),
    "nnunet": (
        "2023-10-01 12:00:00.123456: Epoch 5\n"
        "2023-10-01 12:00:00.223456: Current learning rate: 0.00996\n"
        "2023-10-01 12:01:30.123456: train_loss -0.5\n"
        "2023-10-01 12:01:30.123457: val_loss -0.4\n"
        "2023-10-01 12:01:30.123458: Pseudo dice [0.8, np.float32(0.7)]\n"
        "2023-10-01 12:01:30.123459: Epoch time: 90.1 s\n"
        "2023-10-01 12:01:30.123460: Yayy! New best EMA pseudo Dice: 0.65\n",
        {
            "Current learning rate": [(5, 0.00996)],
            "train_loss": [(5, -0.5)],
            "val_loss": [(5, -0.4)],
            "Pseudo dice[0]": [(5, 0.8)],
            "Pseudo dice[1]": [(5, 0.7)],
            "Epoch time": [(5, 90.1)],
            "New best EMA pseudo Dice": [(5, 0.65)],
        },
    ),
    "tqdm": (
        "Epoch 3:  45%|████▌     | 450/1000 [00:12<00:15, 36.00it/s, loss=0.123, v_num=0]\r"
        "Epoch 3:  46%|████▌     | 460/1000 [00:13<00:15, 36.00it/s, loss=0.122, v_num=0]\r"
        "Epoch 3: 100%|██████████| 1000/1000 [00:27<00:00, 36it/s, loss=0.1, v_num=0]\n"
        "Epoch 4:   1%|          | 10/1000 [00:00<00:27, 36it/s, loss=0.09, v_num=0]\n",
        {"loss": [(450, 0.123), (460, 0.122), (1000, 0.1), (2000 - 990, 0.09)]},
    ),
    "tqdm-nested": (
        "Epochs:   0%|          | 0/2 [00:00<?, ?it/s]\n"
        "Train:  50%|█████     | 5/10 [00:01<00:01, 5.0it/s, loss=2.5]\r"
        "Train: 100%|██████████| 10/10 [00:02<00:00, 5.0it/s, loss=2]\n"
        "Val: 100%|██████████| 3/3 [00:00<00:00, 9.0it/s, acc=0.5]\n"
        "Epochs:  50%|█████     | 1/2 [00:02<00:02, 2.0s/it]\n"
        "Train:  50%|█████     | 5/10 [00:01<00:01, 5.0it/s, loss=1.5]\r"
        "Train: 100%|██████████| 10/10 [00:02<00:00, 5.0it/s, loss=1]\n"
        "Val: 100%|██████████| 3/3 [00:00<00:00, 9.0it/s, acc=0.75]\n",
        {
            "train:loss": [(5, 2.5), (10, 2.0), (15, 1.5), (20, 1.0)],
            "val:acc": [(10, 0.5), (20, 0.75)],
        },
    ),
    "tqdm-bars-that-follow-each-other": (
        "training: 100%|██████████| 10/10 [00:02<00:00, 5.0it/s, loss=2]\n"
        "training:  50%|█████     | 5/10 [00:02<00:00, 5.0it/s, loss=1]\n",
        {"train:loss": [(10, 2.0), (15, 1.0)]},
    ),
    "hugging-face": (
        "Map: 100%|██████████| 5000/5000 [00:02<00:00, 2500 examples/s]\n"
        "  0%|          | 0/500 [00:00<?, ?it/s]\r 10%|█         | 50/500 [00:05<00:45, 9.8it/s]\n"
        "                                              \n"
        "{'loss': 0.5, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.5}\n"
        " 20%|██        | 100/500 [00:10<00:40, 9.8it/s]\n"
        "{'loss': 0.4, 'grad_norm': 1.1, 'learning_rate': 4e-05, 'epoch': 1.0}\n"
        "  0%|          | 0/25 [00:00<?, ?it/s]\r100%|██████████| 25/25 [00:01<00:00, 25it/s]\n"
        "{'eval_loss': 0.45, 'eval_runtime': 1.5, 'epoch': 1.0}\n",
        {
            "loss": [(50, 0.5), (100, 0.4)],
            "grad_norm": [(50, 1.2), (100, 1.1)],
            "learning_rate": [(50, 5e-5), (100, 4e-5)],
            "eval_loss": [(100, 0.45)],
            "eval_runtime": [(100, 1.5)],
        },
    ),
    "keras": (
        "Epoch 1/2\n"
        "\r  1/100 [..............................] - ETA: 12s - loss: 2.3 - accuracy: 0.1\b\b\b\b"
        "\r100/100 [==============================] - 4s 40ms/step - loss: 0.5 - accuracy: 0.8\b\b"
        "\r100/100 [==============================] - 5s 50ms/step - loss: 0.5 - accuracy: 0.8"
        " - val_loss: 0.6 - val_accuracy: 0.7\n"
        "Epoch 00001: val_loss improved from inf to 0.60000, saving model to m-01.h5\n"
        "Epoch 2/2\n"
        "\r100/100 [==============================] - 5s 50ms/step - loss: 0.4 - accuracy: 0.9"
        " - val_loss: 0.5 - val_accuracy: 0.75\n",
        {
            "loss": [(100, 0.5), (200, 0.4)],
            "accuracy": [(100, 0.8), (200, 0.9)],
            "val_loss": [(100, 0.6), (200, 0.5)],
            "val_accuracy": [(100, 0.7), (200, 0.75)],
        },
    ),
    "keras-3": (
        "Epoch 1/2\n"
        "\x1b[1m 1/10\x1b[0m \x1b[32m━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━━━━━\x1b[0m \x1b[1m1s\x1b[0m"
        " 120ms/step - accuracy: 0.1 - loss: 2.3\b\b\b"
        "\r\x1b[1m10/10\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m"
        " \x1b[1m1s\x1b[0m 50ms/step - accuracy: 0.8 - loss: 0.5 - val_loss: 0.6\n",
        {"accuracy": [(10, 0.8)], "loss": [(10, 0.5)], "val_loss": [(10, 0.6)]},
    ),
    "keras-without-bars": (
        "Epoch 1/2\n100/100 - 5s - loss: 0.5 - val_loss: 0.6\n"
        "Epoch 2/2\n100/100 - 5s - loss: 0.4 - val_loss: 0.5\n",
        {"loss": [(100, 0.5), (200, 0.4)], "val_loss": [(100, 0.6), (200, 0.5)]},
    ),
    "fairseq": (
        "| epoch 001:    100 / 1234 loss=5.5, ppl=45.2, wps=1234, gnorm=1.5, num_updates=101,"
        " lr=1e-05\n"
        "| epoch 001 | loss 5.2 | ppl 36 | wps 1234 | gnorm 1.2 | num_updates 1234 | lr 2e-05\n"
        "| epoch 001 | valid on 'valid' subset | loss 4.5 | ppl 22.6 | num_updates 1234\n",
        {
            "loss": [(101, 5.5), (1234, 5.2)],
            "ppl": [(101, 45.2), (1234, 36.0)],
            "wps": [(101, 1234.0), (1234, 1234.0)],
            "gnorm": [(101, 1.5), (1234, 1.2)],
            "lr": [(101, 1e-5), (1234, 2e-5)],
            "val:loss": [(1234, 4.5)],
            "val:ppl": [(1234, 22.6)],
        },
    ),
    "timm": (
        "Train: 0 [   0/1251 (  0%)]  Loss: 6.95 (6.95)  Time: 0.437s,  585.80/s  (0.437s, "
        " 585.80/s)  LR: 1.000e-05  Data: 0.011 (0.013)\n"
        "Train: 0 [  50/1251 (  4%)]  Loss: 6.90 (6.91)  Time: 0.437s,  585.80/s  (0.437s, "
        " 585.80/s)  LR: 1.000e-05  Data: 0.011 (0.013)\n"
        "Train: 1 [   0/1251 (  0%)]  Loss: 6.50 (6.50)  Time: 0.437s,  585.80/s  (0.437s, "
        " 585.80/s)  LR: 2.000e-05  Data: 0.011 (0.013)\n",
        {
            "train:Loss": [(0, 6.95), (50, 6.9), (1251, 6.5)],
            "train:Time": [(0, 0.437), (50, 0.437), (1251, 0.437)],
            "train:LR": [(0, 1e-5), (50, 1e-5), (1251, 2e-5)],
            "train:Data": [(0, 0.011), (50, 0.011), (1251, 0.011)],
        },
    ),
    "pytorch-imagenet": (
        "Epoch: [0][  10/5005]\tTime  0.5 ( 0.9)\tLoss 6.9e+00 (7.0e+00)\tAcc@1   0.00 (  0.10)\n"
        "Epoch: [0][5000/5005]\tTime  0.4 ( 0.9)\tLoss 3.5e+00 (5.0e+00)\tAcc@1  20.50 ( 10.10)\n"
        "Test: [ 0/98]\tTime  1.5 ( 1.5)\tLoss 3.0e+00 (3.0e+00)\tAcc@1  30.00 ( 30.00)\n"
        " *   Acc@1 76.130 Acc@5 92.862\n",
        {
            "Time": [(10, 0.5), (5000, 0.4)],
            "Loss": [(10, 6.9), (5000, 3.5)],
            "Acc@1": [(10, 0.0), (5000, 20.5)],
            "test:Time": [(5000, 1.5)],
            "test:Loss": [(5000, 3.0)],
            "test:Acc@1": [(5000, 30.0)],
            "val:Acc@1": [(5000, 76.13)],
            "val:Acc@5": [(5000, 92.862)],
        },
    ),
    "pytorch-mnist": (
        "Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300000\n"
        "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.290000\n"
        "\nTest set: Average loss: 0.0500, Accuracy: 9830/10000 (98%)\n\n"
        "Train Epoch: 2 [0/60000 (0%)]\tLoss: 0.200000\n",
        {
            "train:Loss": [(0, 2.3), (640, 2.29), (60000, 0.2)],
            "test:Average loss": [(640, 0.05)],
            "test:Accuracy": [(640, 0.983)],
        },
    ),
    "detectron2": (
        "[01/23 19:04:33] d2.utils.events INFO:  eta: 0:10:00  iter: 19  total_loss: 190.6 "
        " loss_cls: 1.2  time: 0.5  lr: 0.0001  max_mem: 2000M\n"
        "[01/23 19:05:33] d2.evaluation.testing INFO: copypaste: Task: bbox\n"
        "[01/23 19:05:33] d2.evaluation.testing INFO: copypaste: AP,AP50\n"
        "[01/23 19:05:33] d2.evaluation.testing INFO: copypaste: 38.1234,57.2\n",
        {
            "total_loss": [(19, 190.6)],
            "loss_cls": [(19, 1.2)],
            "time": [(19, 0.5)],
            "lr": [(19, 1e-4)],
            "max_mem": [(19, 2000.0)],
            "val:bbox/AP": [(19, 38.1234)],
            "val:bbox/AP50": [(19, 57.2)],
        },
    ),
    "mmengine": (
        "2023/06/05 20:10:13 - mmengine - INFO - Epoch(train)  [1][50/100]  lr: 5e-4"
        "  eta: 1 day, 4:59:11  loss: 0.42\n"
        "2023/06/05 20:10:19 - mmengine - INFO - Epoch(val) [1][6/6]    coco/AP: 0.25"
        "  coco/AP .5: 0.003  coco/AP (M): -1.000000  NME: 0.2\n",
        {
            "train:lr": [(50, 5e-4)],
            "train:loss": [(50, 0.42)],
            "val:coco/AP": [(50, 0.25)],
            "val:coco/AP .5": [(50, 0.003)],
            "val:coco/AP (M)": [(50, -1.0)],
            "val:NME": [(50, 0.2)],
        },
    ),
    "mmcv": (
        "2021-06-05 20:10:13,001 - mmdet - INFO - Epoch [1][50/7330]\tlr: 1.978e-03, eta: 1 day,"
        " 4:59:11, time: 0.5, memory: 3000, loss: 1.2\n"
        "2021-06-05 20:10:19,001 - mmdet - INFO - Epoch(val) [1][625]\tbbox_mAP: 0.1,"
        " bbox_mAP_copypaste: 0.1 0.2 0.3\n",
        {
            "lr": [(50, 1.978e-3)],
            "time": [(50, 0.5)],
            "memory": [(50, 3000.0)],
            "loss": [(50, 1.2)],
            "val:bbox_mAP": [(50, 0.1)],
        },
    ),
    "lightning-rich": (
        "Epoch 0/9  ━━━━━━━━━━━━━━━━ 450/1000 0:00:12 • 0:00:15 36.00it/s v_num: 0.000"
        " train_loss: 0.5\n",
        {"train_loss": [(450, 0.5)]},
    ),
    "xgboost": (
        "[0]\ttrain-rmse:0.75\teval-rmse:0.8\n[10]\ttrain-rmse:0.5\teval-rmse:0.6\n",
        {"train-rmse": [(0, 0.75), (10, 0.5)], "eval-rmse": [(0, 0.8), (10, 0.6)]},
    ),
    "lightgbm": (
        "[LightGBM] [Info] Total Bins 6132\n"
        "[10]\ttraining's l2: 0.1\tvalid_0's l2: 0.2\n"
        "[20]\ttraining's l2: 0.05\tvalid_0's l2: 0.1\n",
        {"train:l2": [(10, 0.1), (20, 0.05)], "val:l2": [(10, 0.2), (20, 0.1)]},
    ),
    "sklearn": (
        "Iteration 5, loss = 0.30000000\nValidation score: 0.900000\n",
        {"loss": [(5, 0.3)], "Validation score": [(5, 0.9)]},
    ),
    "caffe": (
        "I0101 12:00:00.123456  1234 solver.cpp:218] Iteration 100 (5 iter/s, 20s/100 iters),"
        " loss = 0.5\n"
        "I0101 12:00:00.123456  1234 solver.cpp:237]     Train net output #0: loss = 0.51"
        " (* 1 = 0.51 loss)\n"
        "I0101 12:00:00.123456  1234 sgd_solver.cpp:105] Iteration 100, lr = 0.01\n"
        "I0101 12:00:01.123456  1234 solver.cpp:330] Iteration 200, Testing net (#0)\n"
        "I0101 12:00:02.123456  1234 solver.cpp:397]     Test net output #0: accuracy = 0.9\n",
        {
            "loss": [(100, 0.5)],
            "train:loss": [(100, 0.51)],
            "lr": [(100, 0.01)],
            "test:accuracy": [(200, 0.9)],
        },
    ),
    "baselines": (
        "--------------------------------------\n"
        "| Progress                | 1.15%    |\n"
        "| rollout/                |          |\n"
        "|    ep_rew_mean          | 0.96     |\n"
        "| time/                   |          |\n"
        "|    total timesteps      | 12800    |\n"
        "| train/                  |          |\n"
        "|    policy_gradient_loss | -0.00184 |\n"
        "--------------------------------------\n",
        {
            "Progress": [(12800, 1.15)],
            "rollout/ep_rew_mean": [(12800, 0.96)],
            "train/policy_gradient_loss": [(12800, -0.00184)],
        },
    ),
    "stable-baselines3": (
        "Using cpu device\n"
        "---------------------------------\n| rollout/           |          |\n"
        "|    ep_rew_mean     | 22.2     |\n| time/              |          |\n"
        "|    iterations      | 1        |\n|    total_timesteps | 2048     |\n"
        "---------------------------------\n",
        {"rollout/ep_rew_mean": [(2048, 22.2)], "time/iterations": [(2048, 1.0)]},
    ),
    "yolov5": (
        "     Epoch   gpu_mem       box       obj       cls    labels  img_size\n"
        "       0/19     1.25G    0.1209   0.03012   0.0451         9       640:  50%|█████     |"
        " 5/9 [00:14<00:01,  1.60s/it]\r"
        "       0/19     1.25G    0.1200   0.03010   0.0450         9       640: 100%|██████████|"
        " 9/9 [00:14<00:00,  1.60s/it]\n"
        "               Class     Images     Labels          P          R     mAP@.5 mAP@.5:.95:"
        " 100%|██████████| 1/1 [00:00<00:00]\n"
        "                 all          8         20       0.25        0.5      0.125      0.0625\n"
        "       1/19     1.25G    0.1100   0.03000   0.0440         7       640: 100%|██████████|"
        " 9/9 [00:14<00:00,  1.60s/it]\n",
        {
            "gpu_mem": [(0, 1.25), (1, 1.25)],
            "box": [(0, 0.12), (1, 0.11)],
            "obj": [(0, 0.0301), (1, 0.03)],
            "cls": [(0, 0.045), (1, 0.044)],
            "labels": [(0, 9.0), (1, 7.0)],
            "img_size": [(0, 640.0), (1, 640.0)],
            "val:P": [(0, 0.25)],
            "val:R": [(0, 0.5)],
            "val:mAP@.5": [(0, 0.125)],
            "val:mAP@.5:.95": [(0, 0.0625)],
        },
    ),
    "columns-under-a-heading": (
        "Epoch | Train Loss | Confidence | LR\n"
        "--------------------------------------------------\n"
        "    1 |   0.051169 |     0.7585 | 0.000100\n"
        "    2 |   0.032242 |     0.8618 | 0.000100\n",
        {
            "Train Loss": [(1, 0.051169), (2, 0.032242)],
            "Confidence": [(1, 0.7585), (2, 0.8618)],
            "LR": [(1, 1e-4), (2, 1e-4)],
        },
    ),
    "fastai": (
        "epoch     train_loss  valid_loss  accuracy  time    \n"
        "0         0.500000    0.400000    0.900000  00:12     \n"
        "1         0.300000    0.350000    0.950000  00:12     \n",
        {
            "train_loss": [(0, 0.5), (1, 0.3)],
            "valid_loss": [(0, 0.4), (1, 0.35)],
            "accuracy": [(0, 0.9), (1, 0.95)],
        },
    ),
    "nanogpt": (
        "step 0: train loss 4.2874, val loss 4.2823\n"
        "iter 0: loss 4.2649, time 3500.25ms, mfu -100.00%\n",
        {
            "train loss": [(0, 4.2874)],
            "val loss": [(0, 4.2823)],
            "loss": [(0, 4.2649)],
            "time": [(0, 3500.25)],
            "mfu": [(0, -100.0)],
        },
    ),
    "two-splits-in-a-line": (
        "Epoch 1 | Train: loss 0.5 acc 0.8 | Val: loss 0.6 acc 0.7\n"
        "Epoch 2 | Train: loss 0.4 acc 0.9 | Val: loss 0.5 acc 0.8\n",
        {
            "train:loss": [(1, 0.5), (2, 0.4)],
            "train:acc": [(1, 0.8), (2, 0.9)],
            "val:loss": [(1, 0.6), (2, 0.5)],
            "val:acc": [(1, 0.7), (2, 0.8)],
        },
    ),
    "a-split-by-the-name-before": (
        "Epoch 1: train loss 0.5 acc 0.8 val loss 0.6 acc 0.7\n",
        {
            "train loss": [(1, 0.5)],
            "train:acc": [(1, 0.8)],
            "val loss": [(1, 0.6)],
            "val:acc": [(1, 0.7)],
        },
    ),
    "prefixes": (
        "[2023-01-01 12:00:00,123][INFO][rank0]: step 1 loss 0.5\n"
        "INFO:root:step 2 loss 0.4\n"
        "I0101 12:00:00.123 file.py:12] step 3 loss 0.3\n"
        "(pid=123) step 4 loss 0.2\n"
        "train.py:123 - step 5 - loss 0.1\n",
        {"loss": [(1, 0.5), (2, 0.4), (3, 0.3), (5, 0.1)]},
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(tmp_path: Path, name: str) -> None:
    content, expected = DIALECTS[name]
    assert points(read(tmp_path, content)) == expected


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_grow_as_they_are_read_at_once(tmp_path: Path, name: str) -> None:
    data = DIALECTS[name][0].encode()
    path = tmp_path / "train.log"
    path.write_bytes(b"")
    reader, found = TextLog(path), {}
    for at in range(0, len(data), 7):
        with open(path, "ab") as file:
            file.write(data[at : at + 7])
        for key, held in points(reader.poll()).items():
            found.setdefault(key, []).extend(held)
    for key, held in points(reader.poll(final=True)).items():
        found.setdefault(key, []).extend(held)
    assert found == DIALECTS[name][1]


@pytest.mark.parametrize("name", DIALECTS)
def test_any_cut_gives_no_wrong_value(tmp_path: Path, name: str) -> None:
    data = DIALECTS[name][0].encode()
    shown = {(key, v) for key, held in DIALECTS[name][1].items() for _, v in held}
    # States of a bar that later states replace are true as well.
    # Without the second acc nothing tells whose the first one is.
    shown |= {("train:loss", 2.5), ("acc", 0.8), ("box", 0.1209), ("obj", 0.03012), ("cls", 0.0451)}
    for cut in range(1, len(data)):
        chunk = read(tmp_path, data[:cut])
        found = {(key, v) for key, held in points(chunk).items() for _, v in held}
        assert found <= shown, (cut, data[max(0, cut - 60) : cut], found - shown)


def test_a_learnt_layout_does_not_keep_the_place_of_its_line(tmp_path):
    """Epoch means between bars that count within the epoch: each stands at its own epoch."""
    rows = []
    for epoch in range(1, 13):
        rows.append(f"train epoch:{epoch}:   0%|          | 0/500 [00:00<?, ?it/s]")
        rows.append(f"Average loss for epoch {epoch}: train_total_loss:{1 / epoch:.6f};")
        if epoch % 3 == 0:
            rows.append(f" Average metrics for epoch {epoch}: val_metric_cond:{epoch / 100:.4f};")
    path = tmp_path / "output.log"
    path.write_text("\n".join(rows) + "\n")
    run = trainlens.load_one(path)
    assert run["total_loss"].step.tolist() == [500 * i for i in range(12)]
    assert run["total_loss"].epoch.tolist() == list(range(1, 13))
    assert run["metric_cond", "val"].step.tolist() == [1000, 2500, 4000, 5500]
