"""`python -m pipelines.sample OUT --messages N --seed S`: write the sample shop."""

import argparse
from pathlib import Path

from pipelines.sample import generate

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the made-up sample shop.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--messages", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=20260901)
    options = parser.parse_args()
    generate(options.out, messages=options.messages, seed=options.seed)
