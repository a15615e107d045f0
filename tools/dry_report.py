"""What a dry run says: what a profile describes, what was measured, and what the whole run would take."""

from typing import Any

from tools.dry_facts import Facts
from tools.dry_pipeline import Walk


def built(params: dict[str, Any], facts: Facts, images: int) -> dict[str, str]:
    """What the profile describes."""
    spec = params["backbone"]
    widths = {"super-net": spec.supernet_widths, "sub-net": spec.subnet_widths}
    lines = {
        name: f"{facts.parameters[name]:,} parameters, {facts.macs[name] / 1e9:.2f} GMAC a view of {params['views'].side} px, "
        f"planes {'-'.join(map(str, widths[name]))}"
        for name in widths
    }
    for name, run in (("baseline", facts.baseline), ("SDR", facts.sdr)):
        lines[name] = f"{run.steps:,} steps of {run.batch} images of {images:,}; peak learning rate {run.peak:.4g}"
    lines["SDR"] += (
        f"; phases from step {', '.join(f'{start:,}' for start in facts.phases)}; {facts.sdr.w0_share:.0%} of W_0"
    )
    return lines


def measured(params: dict[str, Any], facts: Facts, found: Walk, images: int, tflops: float | None) -> dict[str, str]:
    """What was measured, and what follows for the whole run on `images` images.

    Args:
        tflops: sustained by another device, 10^12 floating-point operations a second.
    """
    data, batch = params["data"], found.batch
    lines = {
        "clusters": found.clusters,
        "exported": f"a sub-net, {found.exported:,} parameters; timm reads it back with the same features",
        "store": f"{data.store}: {found.stored / 1e3:,.1f} kB an image, {found.stored * images / 1e9:,.2f} GB for {images:,} such images",
        "checkpoint": f"{found.checkpoint / 1e6:,.0f} MB, three are kept",
        "memory": f"{found.peak_mib / 1024:,.1f} GiB at most, at batch {batch}",
    }
    if found.resident:
        lines["memory"] += f"; all images resident: {images * 3 * data.side**2 / 1e9:,.1f} GB more of the device's"
    seconds = {kind: value / batch for kind, value in found.seconds.items()}  # of an image
    for kind, value in found.seconds.items():
        whole = (facts.baseline if kind == "baseline" else facts.sdr).batch
        scaled = "" if whole == batch else f", {_seconds(seconds[kind] * whole)} at {whole} by proportion"
        lines[f"step, {kind}"] = (
            f"{_seconds(value)} at batch {batch}{scaled}; median of {found.timed} on {found.device}"
        )
    base, sdr = facts.baseline.images * seconds["baseline"], facts.sdr.images * facts.mean_of_sdr(seconds)
    lines["predicted"] = f"baseline {_time(base)}, SDR {_time(sdr)} of this very device ({found.device}, one process)"
    lines["counted"] = ", ".join(
        f"{kind} {flops / 1e9:,.2f} GFLOP an image ({flops / seconds[kind] / 1e12:.3g} TFLOP/s here)"
        for kind, flops in facts.flops.items()
    )
    if tflops is not None:
        base, sdr = (
            facts.baseline.images * facts.flops["baseline"],
            facts.sdr.images * facts.mean_of_sdr(facts.flops),
        )
        lines["arithmetic"] = (
            f"baseline {_time(base / tflops / 1e12)}, SDR {_time(sdr / tflops / 1e12)} at {tflops:g} TFLOP/s sustained: "
            "counted operations over a rate that was given, not measured"
        )
    return lines


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"


def _time(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds / 3600:,.0f} h" + (f" ({seconds / 86400:,.0f} days)" if seconds > 3 * 86400 else "")


def show(lines: dict[str, str]) -> None:
    """Print names and what is said of them."""
    for name, text in lines.items():
        print(f"{name + ':':<16} {text}", flush=True)
