"""What to take for each task: the recommended network, where it lies, how it differs from the baseline, and what raw pixels do."""

from dataclasses import dataclass

from sdr.report.difference import Difference, difference
from sdr.report.run import TaskRun
from sdr.report.tables import below_raw, raw_linear

KINDS = {"take it": "take", "no evidence: take the baseline": "none", "try the super-net": "supernet"}
"""Verdict as routing words it → its kind."""


@dataclass(frozen=True)
class Verdict:
    """Of one task.

    Attributes:
        task: its name.
        kind: "take", "none" or "supernet".
        words: the verdict as routing gave it.
        network: the recommended one, in words.
        folder: where it lies.
        promise: the gain that routing expects of its choice, points; None with too few images.
        difference: to the baseline on test images, of the network that was compared.
        compared: which that is: W_0 if it is recommended and was evaluated, else routing's choice.
        raw: "linear" and "knn" → score of raw pixels, %; None where it is not known.
        below_raw: protocols in which the recommended network is below raw pixels.
    """

    task: str
    kind: str
    words: str
    network: str
    folder: str
    promise: Difference | None
    difference: Difference
    compared: str
    raw: dict[str, float | None]
    below_raw: list[str]

    @property
    def line(self) -> str:
        """The line of Python that loads the network."""
        return f'timm.create_model("local-dir:{self.folder}", pretrained=True)'

    @property
    def is_of_another(self) -> bool:
        """Whether the difference is that of a network which is not recommended."""
        return self.compared != self.network


def verdict_of(task: TaskRun) -> Verdict:
    """The verdict on one task, from its artifacts."""
    route = task.route
    kind = KINDS[route["verdict"]]
    # Whose test scores the recommended network has; W_0 need not be one of `networks`.
    scored = {"none": "baseline", "supernet": "w0"}.get(kind, "sdr")
    compared = "w0" if scored == "w0" and "w0" in task.networks else "sdr"
    return Verdict(
        task=task.name,
        kind=kind,
        words=route["verdict"],
        network=route["recommended"]["name"],
        folder=task.recommended,
        promise=Difference(**route["gain"]) if route["gain"] else None,
        difference=difference(task.networks[compared], task.networks["baseline"]),
        compared=route["recommended" if compared == "w0" else "choice"]["name"],
        raw={"linear": raw_linear(task), "knn": task.meta["raw_knn"]},
        below_raw=below_raw(task, scored) if scored in task.networks else [],
    )
