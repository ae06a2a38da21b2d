"""What the comparison says: ratios with their spread, bench.json, bench.png and a table."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

RATIOS = (
    *("stock_224", "tuned_b1", "tuned_b16", "torch_b1", "torch_b16", "sweep_64"),
    *("torch_b1_bfloat16", "torch_b16_bfloat16"),
    *("torch_resnet50", "torch_convnext_tiny", "torch_efficientnet_lite0", "torch_vit_b_16"),
)
Spread = dict[str, float]


def spread(values: Sequence[float]) -> Spread:
    """Median and extremes."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def summary(raw: Mapping[str, Sequence[float]]) -> tuple[dict[str, Spread], dict[str, Spread]]:
    """Return the ratios for which the project has aims, and the other ratios."""
    spreads = {name: spread(values) for name, values in raw.items()}
    asked = {name: spreads[name] for name in RATIOS if name in spreads}
    return asked, {name: value for name, value in spreads.items() if name not in asked}


def machine() -> dict[str, Any]:
    """Describe the machine and its load."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def write(report: Mapping[str, Any], folder: Path) -> None:
    """Write bench.json, and bench.png if there were peers."""
    (folder / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    if report["ratios"]:
        draw(report, folder / "bench.png")


def draw(report: Mapping[str, Any], path: Path) -> None:
    """One bar per ratio with its extremes; the round's own ratios as dots."""
    bars = {**report["ratios"], **report["more_ratios"]}
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(bars) + 1.3), layout="constrained")
    for place, (name, value) in enumerate(bars.items()):
        colour = "tab:blue" if name in report["ratios"] else "lightsteelblue"
        axes.barh(place, value["median"], color=colour)
        dots = report["ratios_by_round"][name]
        axes.plot(dots, [place] * len(dots), "k.", markersize=4)
        axes.text(value["high"], place, f"  {value['median']:.2f}", va="center")
    axes.set_yticks(range(len(bars)), [name.replace("_", " ") for name in bars])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.margins(x=0.12)
    axes.set_xlabel("peer's time over fvjax's, per image-step (bar: median; dots: rounds)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def table(report: Mapping[str, Any]) -> str:
    """Format times, operations and ratios."""
    lines = []
    for name, setting in report["settings"].items():
        lines.append(f"{name} (compile {setting['compile_seconds']:.1f} s)")
        own = setting["forward_flops"]["fvjax"]
        for side, times in setting["seconds_per_image_step"].items():
            s, flops = spread([1000 * t for t in times]), setting["forward_flops"][side]
            lines.append(
                f"  {side:24s} {s['median']:8.1f} ms per image-step ({s['low']:.1f} - "
                f"{s['high']:.1f}); {flops / 1e9:.3f} GFLOP forward, {flops / own:.2f} of ours"
            )
            if "compiled" in side:
                lines[-1] += f"; compile {setting['warm_seconds'][side]:.1f} s"
        lines += [f"  {side:24s} failed: {why}" for side, why in setting["failed"].items()]
    work = report["sweep"]["work"]
    jobs = len(work["exponents"]) * work["directions"]
    lines.append(f"sweep of {jobs} jobs of {work['steps']} steps, medians in seconds")
    for side, rounds in report["sweep"]["seconds"].items():
        parts = rounds[0] if rounds else {}
        medians = [f"{p} {statistics.median([r[p] for r in rounds]):.1f}" for p in parts]
        lines.append(f"  {side:24s} {', '.join(medians) or 'not run'}")
        if side == "fvjax" and rounds:
            lines[-1] += f"; compile in the first round {rounds[0]['compile']:.1f}"
    for title, group in (("ratios", "ratios"), ("more ratios", "more_ratios")):
        lines.append(f"{title}: peer's time over ours, median (low - high)")
        for name, s in report[group].items():
            lines.append(f"  {name:32s} {s['median']:6.2f} ({s['low']:.2f} - {s['high']:.2f})")
    return "\n".join(lines)
