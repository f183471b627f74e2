"""The experiments on the model as results of a run, joined over its checkpoints."""

import warnings
from functools import cache, partial

import numpy as np
import pandas as pd
import xarray as xr

from neurotrace import trajectories
from neurotrace.bench import CONCEPTS, Bench
from neurotrace.road import Road
from neurotrace.store import ActivationStore
from neurotrace.trajectories.overlap_tasks import Get, Task
from neurotrace.visits import Visits


def tasks(road: Road, store: ActivationStore, get: Get) -> list[Task]:
    """Names of the experiments' results and what computes each, in order.

    Experiments that cannot be done are left out, with a warning that says why.

    Parameters
    ----------
    get
        Reads an earlier result of the run by name.
    """
    bench = Bench(road, store)
    visits = Visits(bench)
    made: list[Task] = []
    if "interchange" in bench.possible:
        _say_what_is_left_out(bench)
        made += _interchange(visits, get)
    if "ablation" in bench.possible:
        made.append(("ablation", lambda: _ablation(visits)))
    if "forcing" in bench.possible:
        forced = cache(lambda: _forcing(visits))
        made += [("forcing", lambda: forced()[0]), ("forcing_texts", lambda: forced()[1])]
    return made


def _say_what_is_left_out(bench: Bench) -> None:
    left = [line for line in bench.materials.left_out if line]
    kept, concepts = bench.languages, bench.concepts(CONCEPTS)
    if len(kept) < len(bench.store.languages) or len(concepts) < len(bench.store.concepts):
        left.append(
            f"interchange keeps to {len(concepts)} concepts in {', '.join(kept)}"
            + ("" if bench.full else " (--causes full keeps all that have words)")
        )
    for line in left:
        warnings.warn(line, stacklevel=2)


def _interchange(visits: Visits, get: Get) -> list[Task]:
    analyses, langs = visits.bench.config.analyses, visits.bench.store.languages
    used = cache(lambda: _used(visits))
    made: list[Task] = [
        ("interchange", lambda: used()[0]),
        ("interchange_draws", lambda: used()[1]),
        ("interchange_doses", lambda: _doses(visits)),
    ]
    if "onset" in analyses and trajectories.why_no_onset(visits.bench.store) is None:
        made += [
            ("onset_use", lambda: _onset_of_use(get("interchange_draws"))),
            ("onset_effect", lambda: _onset_of_effect(get("interchange_draws"))),
        ]
        if "overlap" in analyses and len(langs) > 1:
            made += [
                (f"lag_{name}_overlap", partial(_lag, get, f"onset_{name}"))
                for name in ("use", "effect")
            ]
    return made


def _used(visits: Visits) -> tuple[xr.Dataset, xr.Dataset]:
    from neurotrace import causal

    found = visits.found("interchange")
    effects = xr.concat(list(found.values()), dim="step", combine_attrs="drop_conflicts")
    effects = _placed(effects, visits.bench.store, list(found))
    return causal.summarize_interchange(effects, seed=visits.bench.config.seed)


def _doses(visits: Visits) -> xr.Dataset:
    (at, found), *_ = visits.found("doses").items()
    return found.assign_attrs(step=int(visits.bench.store.steps[at]))


def _ablation(visits: Visits) -> xr.Dataset:
    from neurotrace import causal

    found = visits.found("ablation")
    return _placed(causal.summarize_ablation(found), visits.bench.store, list(found))


def _forcing(visits: Visits) -> tuple[xr.Dataset, xr.Dataset]:
    from neurotrace import causal

    bench = visits.bench
    by_source = [visits.found(f"forcing_{lang}") for lang in bench.sources]
    places = list(by_source[0])
    found = {at: [of[at] for of in by_source] for at in places}
    outcomes, texts = causal.summarize_forcing(
        found if bench.full else {at: several[0] for at, several in found.items()}
    )
    texts["step"] = texts["step"].copy(data=np.array(bench.store.steps)[texts["step"].values])
    return _placed(outcomes, bench.store, places), texts


def _placed(result: xr.Dataset, store: ActivationStore, places: list[int]) -> xr.Dataset:
    """Steps, stages and tokens of some checkpoints, in place of their positions."""
    table = store.checkpoints.iloc[places]
    result = result.assign_coords(
        step=pd.Index(table["step"].to_numpy(), name="step"),
        stage=("step", table["stage"].to_numpy()),
    )
    if store.checkpoints["tokens"].notna().all():
        result = result.assign_coords(tokens=("step", table["tokens"].to_numpy(dtype=float)))
    return result


def _lag(get: Get, name: str) -> xr.Dataset:
    overlap, use = get("onset_overlap"), get(name)
    halves = {"half_overlap": float(overlap["half"]), "half_use": float(use["half"])}
    return trajectories.lag(overlap, use).assign_attrs(halves)


def _onset_of_use(draws: xr.Dataset) -> xr.Dataset:
    """Onset of the share across / within that exceeds norm-matched random neurons.

    Undefined, and not 0, where nothing is written within a language either: a share that is there
    from where it can first be measured has no onset, however much the effect grows.
    """
    excess = (draws["excess"] / draws["within"]).where(draws["ratio"].notnull())
    nothing = xr.DataArray(np.zeros(1), dims="replicate")
    return trajectories.onset(excess, nothing).assign_attrs(
        curve="interchange ratio above random neurons"
    )


def _onset_of_effect(draws: xr.Dataset) -> xr.Dataset:
    """Onset of the effect across languages in nats, which is defined at every step.

    It grows with whatever the model learns of a concept, within a language, too.
    """
    nothing = xr.DataArray(np.zeros(1), dims="replicate")
    return trajectories.onset(draws["excess"], nothing).assign_attrs(
        curve="interchange effect above random neurons, nats"
    )
