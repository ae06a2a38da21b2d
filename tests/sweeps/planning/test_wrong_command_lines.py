"""What is wrong on a command line is found by planning, and said in one sentence."""

from pathlib import Path

import numpy as np
import pytest

from sweeps.config.enumerate_jobs import jobs_of
from sweeps.config.errors import EXPECTED, UserError, explain
from sweeps.config.paths import CONF
from sweeps.planning.plan import build_all

WRONG = {
    "layer=conv3": "did you mean conv2",
    "direction.index=16": "from 0 to 15, got 16",
    "direction.index=-1": "from 0 to 15, got -1",
    "model=googlenet": "no file weights/bvlc_googlenet.safetensors",
    "stepz=3": "did you mean steps",
    "objective.exponnt=2": "did you mean exponent",
    "objective=dott": "did you mean dot",
    "objective.floor=0": "floor must be a positive finite number, got 0",
    "objective.exponent=nan": "exponent must be a finite number",
    "objective.exponent=high": "exponent must be a number, got 'high'",
    "steps=0": "steps must be an integer of at least 1, got 0",
    "image_size=15": "image_size must be an integer from 16 to 4096, got 15",
    "image_size=3000000": "image_size must be an integer from 16 to 4096, got 3000000",
    "learning_rate=0": "learning_rate must be a positive finite number, got 0",
    "position=middle": "it is one of all, center",
    "objective=inversion": "needs a direction with a length",
    "penalty=orthogonal penalty.weight=-1": "penalty.weight must be a finite number of at least 0",
    "direction=photo": "direction.path",
    "direction=photo direction.path=/nowhere.jpg": "there is no photo /nowhere.jpg",
    f"direction=photo direction.path={__file__}": "cannot be read as a picture",
    "direction=vector direction.path=five.npy": "vectors of shape (5,)",
    "penalty=previous layer=conv1": "no layer comes before 'conv1'",
    "objective=dot objective.exponent=2": "a key of objective=dot_cosine and of objective=joint",
    "penalty=none penalty.weight=1": "penalty.weight is a key of",
    "direction=logit direction.layer=conv2 layer=conv1": "direction.layer=conv2 decides where",
    "metrics.optimized_metric=dott": "did you mean dot",
    "metrics=none metrics.optimized_metric=dot": "unknown metrics.optimized_metric 'dot'",
    "metrics.enabled=no_thanks": "metrics.enabled must be true or false",
    "precision=half": "unknown precision 'half'",
    "metrics.optimized_metric=null": "unknown metrics.optimized_metric None",
    "metrics.optimized_metric=rank direction=random": "unknown metrics.optimized_metric 'rank'",
    "metrics.optimized_metric=inversion_error": "unknown metrics.optimized_metric "
    "'inversion_error'",
    "model._target_=fvjax.laod": "Are you sure that 'laod' is importable",
    "+job=5": "the table has a column 'job' already: call job otherwise",
    "+objective_floor=5": "column 'objective_floor' already",
    "learning_rate=null": "learning_rate must be a number, got None",
    "learning_rate=true": "learning_rate must be a number, got True",
    "objective.exponent=true": "exponent must be a number, got True",
    "penalty=orthogonal penalty.weight=false": "penalty.weight must be a number, got False",
    "penalty=previous penalty.order=true": "unknown order True: it is one of 1, 2",
    "learning_rate=1e39": "learning_rate must be a finite number of at most 3.4e+38, got 1e+39",
    "~seed": "every job needs seed: do not remove it with ~seed",
    "~penalty": "every job needs penalty: do not remove it with ~penalty",
    "~objective": "every job needs objective._target_",
    "~metrics.optimized_metric": "every job needs metrics.optimized_metric",
    "penalty=orthogonal ~penalty.unit": "every job needs penalty.unit",
    "+penalty.weight=.3": "penalty=none takes no keys, got penalty.weight: choose a penalty",
    "direction=photo direction.path=null": "the path of a photo must be a path, got None",
    "direction=photo direction.path=5": "the path of a photo must be a path, got 5",
    "direction=vector direction.path=5": "the path of a file must be a path, got 5",
    "direction.index=two": "an integer from 0 to 15, got 'two'",
    "reference_images=5": "reference_images must be a path, got 5",
    "model=googlenet model.weights=5": "weights must be a path, got 5",
    "model.name=texturenet": "model=tiny does not load texturenet: choose model=texturenet",
    "objective.exponent=[1]": "exponent must be a number, got [1]",
    "penalty=orthogonal penalty.squared=no": "squared must be true or false, got 'no'",
    "parameterization.decorrelate=no": "decorrelate must be true or false, got 'no'",
    "direction=generated direction.at=somewhere": "at must be center, mean, all, class, [row",
    "parameterization.stddev=0": "stddev must be a positive finite number, got 0",
    "parameterization.start=/nowhere.jpg": "there is no photo /nowhere.jpg",
    "parameterization.start=five.npy": "five.npy cannot be read as a picture: it is none of",
    "parameterization.start=5": "parameterization.start must be the path of a photo, got 5",
    "parameterization=cppn parameterization.start=5": "start is a key of",
    "parameterization=laplacian parameterization.levels=7": "levels must be an integer from 1 to 6",
    "parameterization=cppn parameterization.layers=0": "layers must be an integer of at least 1",
    "parameterization=maco": "parameterization=maco needs reference images",
    "reference_images=generated reference_count=0": "reference_count must be an integer of at "
    "least 1",
    "judge=nobody": "unknown judge 'nobody': it is one of custom, efficientnet_lite0, file, goo",
    "judge=planted": "judge=planted has no logits to read pictures by",
    "reference_images=gone": "reference_images must be generated or a folder; there is no folder "
    "gone",
    "reference_images=.": "folder . holds no pictures",
    "direction=random direction.seed=4294967296": "direction.seed must be an integer from 0 to",
    "model=texturenet image_size=100": "height and width must be multiples of 8",
    "model=texturenet image_size=17": "height and width must be multiples of 8",
    "+stpes=5": "no key stpes: did you mean steps?",
    "+laayer=conv1": "no key laayer: did you mean layer?",
    "+objective.expo=2": "fvjax.DotCosine takes no expo; it takes exponent, floor, sign",
    "+transform.blur=2": "fvjax.Standard takes no blur",
    "objective.sign=0": "unknown objective.sign 0: it is one of 1, -1",
    "objective=joint objective.layer=conv3": "unknown objective.layer 'conv3': it is one of conv1",
    "objective=joint objective.index=8": "at layer 'conv1' must be an integer from 0 to 7, got 8",
    "objective=joint objective.layer=[conv1,conv2] objective.index=[1,2,3]": "objective.layer must "
    "have one value or 3, got 2",
    "objective=joint layer=conv1": "no layer comes before 'conv1': name objective.layer",
    "parameterization.colors=grey": "unknown parameterization.colors 'grey'",
    "parameterization.contrast=0.9": "contrast must be at most 0.5",
    "parameterization.mean=1.5": "mean must be below 1",
    "transform=random_background transform.stddev=-1": "stddev must be a finite number",
    "objective._target_=pathlib.Path": "objective._target_=pathlib.Path must be an objective",
    "transform._target_=pathlib.PurePath ~transform.jitter ~transform.scale ~transform.rotation "
    "~transform.late_jitter ~transform.fill": "must be a transform: a function f(key, image)",
    "transform._target_=os.system": "Target 'os.system' is blocklisted",
    "transform._target_=posix.system": "Target 'os.system' (resolved from 'posix.system') is block",
    "objective._target_=subprocess.Popen": "Target 'subprocess.Popen' is blocklisted",
    "model._target_=subprocess.run": "Target 'subprocess.run' is blocklisted",
    "parameterization._target_=builtins.eval": "Target 'builtins.eval' is blocklisted",
    "direction._target_=pickle.loads": "Target 'pickle.loads' is blocklisted",
    "seed=4294967296": "seed must be an integer from 0 to 4294967295",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_planning_refuses_in_one_sentence(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("five.npy", np.ones(5))
    with pytest.raises((*EXPECTED, UserError)) as refused:
        jobs = jobs_of(["model=tiny", *arguments.split()])
        build_all(jobs.configs, jobs.overrides)
    (line,) = explain(refused.value, CONF).splitlines()
    assert WRONG[arguments] in line


def test_a_command_in_a_config_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for target in ("os.system", "posix.system", "os.popen"):
        given = [f"transform._target_={target}", "+transform.command=touch ran"]
        with pytest.raises((*EXPECTED, UserError)):
            jobs = jobs_of(["model=tiny", *given])
            build_all(jobs.configs, jobs.overrides)
    assert not list(tmp_path.iterdir())
