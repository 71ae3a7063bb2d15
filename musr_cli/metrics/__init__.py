"""How close an estimate comes to a reference: published conventions side by side, each under its own name."""

from musr_cli.metrics.evaluation import evaluate
from musr_cli.metrics.registry import METRICS, Metric
from musr_cli.metrics.summary import Summary, summarise, summarise_all

__all__ = ["METRICS", "Metric", "Summary", "evaluate", "summarise", "summarise_all"]
