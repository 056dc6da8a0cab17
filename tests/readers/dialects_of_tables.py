"""What progress bars, tables and dictionaries look like, with the points that they mean."""

from tests.readers.text_points import Points

DIALECTS: dict[str, tuple[str, Points]] = {
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
    "lightning-rich": (
        "Epoch 0/9  ━━━━━━━━━━━━━━━━ 450/1000 0:00:12 • 0:00:15 36.00it/s v_num: 0.000"
        " train_loss: 0.5\n",
        {"train_loss": [(450, 0.5)]},
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
}
