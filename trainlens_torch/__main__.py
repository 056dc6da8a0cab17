"""``python -m trainlens_torch`` is the command ``trainlens-torch``."""

from trainlens_torch.cli import main

if __name__ == "__main__":
    main()
