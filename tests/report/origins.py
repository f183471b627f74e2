"""Invented provenance of a run, with places of a machine that no page may show."""

from report.invented import PATH, STEPS


def provenance() -> dict:
    return {
        "model": "lab-default",
        "source": "/home/someone/runs/lab",
        "config": {"path": PATH, "top": [0.01, 0.05, 0.25], "out": "/home/someone/runs/trace"},
        "versions": {"neurotrace": "0.1.0", "numpy": "2.4.6"},
        "concepts": {"name": "lab", "sentences": 2048, "digest": "9f2c" * 16, "concepts": 6},
        "checkpoints": [
            {
                "label": f"step{s}",
                "step": s,
                "stage": 0,
                "tokens": s * 1024,
                "weight_hash": f"{s:064x}",
            }
            for s in STEPS
        ],
        "notes": ["twin made from /home/someone/runs/lab/step-000000 with seed 1"],
    }
