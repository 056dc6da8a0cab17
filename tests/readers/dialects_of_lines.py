"""What frameworks print a line at a time, with the points that it means."""

from tests.readers.text_points import Points

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
