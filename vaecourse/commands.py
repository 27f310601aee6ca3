"""What ``python -m vaecourse`` can do for learners, teachers, researchers. An error is a sentence, and exit code 2."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from vaecourse import doctor, files, foreign

app = typer.Typer(
    help="The command line of the course on variational bounds.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ROW = "vaecourse.row"  # where the context keeps the parameters of a row

Name = Annotated[str, typer.Argument(help="digits, mnist or fashion-mnist", metavar="DATA")]
Objective = Annotated[str, typer.Option(help="a row of the table")]
Estimates = Annotated[int, typer.Option("--M", help="independent estimates")]
Samples = Annotated[int, typer.Option("--K", help="importance samples in each estimate")]
Device = Annotated[str | None, typer.Option(help="cuda, mps or cpu; the first of them that is here if not given")]
Seed = Annotated[int, typer.Option(help="of everything random")]
Learner = Annotated[Path | None, typer.Argument(help="with the chapters; this one, or learn/ in it, if not given")]
Limit = Annotated[int | None, typer.Option(help="use the first images only")]


class OfTheTable(TyperCommand):
    """A command with an option for each parameter that a row of the table takes; values wait in ``ctx.meta[ROW]``."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own, and the table's, which is imported only here: that takes seconds."""
        from vaecourse import objectives

        rows, own = objectives.TABLE.values(), list[Any](super().get_params(ctx))
        for option in own:
            if option.name == "objective":
                option.help = ", ".join(objectives.TABLE)
        return own + _options({of.name: f"of {row.name}, {of}" for row in rows for of in row.takes})


class OfTheTables(TyperCommand):
    """A command whose first argument is the name of an experiment: its help names those that there are."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own; the experiments are looked for only here, as that imports torch."""
        from vaecourse.reproduce import TABLES

        parameters = list[Any](super().get_params(ctx))
        for parameter in parameters:
            if parameter.name == "table":
                parameter.help = ", ".join(TABLES)
        return parameters


def _options(meanings: dict[str, str]) -> list[Any]:
    """Options that are numbers, made by typer from a function that has them as arguments."""

    def takes() -> None:
        pass

    def collect(ctx: Any, param: Any, value: float | None) -> None:
        if value is not None:
            ctx.meta.setdefault(ROW, {})[param.name] = value

    kinds = {name: Annotated[float | None, typer.Option(help=meaning)] for name, meaning in meanings.items()}
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in kinds.items()
    ]
    takes.__annotations__, takes.__signature__ = kinds, Signature(parameters)  # type: ignore[attr-defined]
    one = typer.Typer(add_completion=False)
    one.command()(takes)
    options = [option for option in typer.main.get_command(one).params if option.name in kinds]
    for option in options:
        option.expose_value, option.callback = False, collect
    return options


@app.command("doctor")
def doctor_command() -> None:
    """Say what is missing or wrong here, and the command that mends it; exit code 1 if something needed is."""
    raise typer.Exit(doctor.report(typer.echo))


@app.command(cls=OfTheTable)
def train(
    context: typer.Context,
    name: Name = "digits",
    objective: Objective = "iwae",
    M: Estimates = 1,
    K: Samples = 8,
    epochs: Annotated[int | None, typer.Option(help="the course's number for these data if not given")] = None,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    checkpoint: Annotated[Path | None, typer.Option(help="a file to keep the run in, and to go on from")] = None,
    seed: Seed = 0,
    device: Device = None,
    limit: Limit = None,
) -> None:
    """Train a VAE of the course's size. With --checkpoint, the same line again goes on where the run was stopped."""
    with _sentences(M=M, K=K, batch_size=batch_size):
        from vaecourse import arguments, data, evaluate, objectives
        from vaecourse import train as training

        row = objectives.get(objective, **context.meta.get(ROW, {}))
        name = arguments.choice("name", name, list(data.ALL))
        epochs = training.SETTINGS[name].epochs if epochs is None else epochs
        training.ranges(M, K, epochs, batch_size, learning_rate, seed)
        training.choose_device(device)
        images = _first(data, name, limit)
        _room_for(M * K * min(batch_size, len(images.train)) * images.train.shape[1])
        model = training.untrained(images, seed)
        history = training.fit(
            model,
            images,
            row,
            M,
            K,
            epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            checkpoint=checkpoint,
            seed=seed,
            device=device,
        )
        typer.echo(f"{history}")
        if history.epochs:
            test = evaluate.bound(model, images.binary_test(), row, M, K).mean()
            typer.echo(f"{row} on {len(images.test)} test images: {test:.2f} nats")
        if checkpoint is None:
            typer.echo("Nothing was kept: --checkpoint FILE keeps the model.")
        else:
            typer.echo(f"Next: python -m vaecourse evaluate {files.shown(checkpoint)} --data {name}")
    if history.interrupted:
        raise typer.Exit(130)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="what `train --checkpoint` wrote")],
    data: Annotated[str, typer.Option(help="digits, mnist or fashion-mnist")] = "digits",
    K: Samples = 5000,
    seed: Seed = 0,
    device: Device = None,
    limit: Limit = None,
) -> None:
    """Say log p(x) of the test images with K importance samples, the ELBO, and what the code carries."""
    with _sentences(K=K):
        import torch
        from tqdm import tqdm

        from vaecourse import arguments
        from vaecourse import data as sets
        from vaecourse import evaluate as evaluation
        from vaecourse import train as training

        K = arguments.count("K", K, at_most=evaluation.importance.MOST_SAMPLES)
        seed, place = arguments.count("seed", seed, 0), training.choose_device(device)
        model = training.load(checkpoint)
        images = _first(sets, data, limit)
        x = images.binary_test()
        if x.shape[1] != model.data_dim:
            raise ValueError(
                f"data must have images of {model.data_dim} pixels for the model in {files.shown(checkpoint)}, "
                f"got {data} with {x.shape[1]}: name the data with --data."
            )
        if next(model.parameters()).dtype in (torch.float16, torch.bfloat16):
            model.float()  # log-weights of half precision are worth nothing
        x = x.to(next(model.parameters()).dtype)
        model.to(place)
        noise = torch.Generator(next(model.parameters()).device).manual_seed(seed)
        groups = tqdm(x.split(100), unit="x 100 images", disable=None)
        log_p = torch.cat([evaluation.log_likelihood(model, points, K, noise) for points in groups])
        elbo = evaluation.bound(model, x, "elbo", K=100, generator=noise)
        some = x[:1000]
        information = evaluation.mutual_information(model, some, generator=noise)
        error = f" ± {log_p.std() / len(x) ** 0.5:.2f}" if len(x) > 1 else ""
        typer.echo(f"log p(x), K = {K}: {log_p.mean():.2f}{error} nats, mean over {len(x)} test images of {data}")
        typer.echo(f"ELBO: {elbo.mean():.2f} nats")
        if len(x) > 1:
            typer.echo(f"active units: {evaluation.active_units(model, x)} of {model.latent_dim}")
        typer.echo(f"mutual information of x and z: {information:.2f} nats, at most log {len(some)}")


@app.command(cls=OfTheTables)
def reproduce(
    table: Annotated[str, typer.Argument(help="an experiment", metavar="TABLE")],
    to: Annotated[Path | None, typer.Option(help="a JSON file to keep the runs in, and to go on from")] = None,
    data: Annotated[str | None, typer.Option(help="digits, mnist, fashion-mnist; else the table's own")] = None,
    seeds: Annotated[int, typer.Option(help="of each row")] = 1,
    row: Annotated[list[str] | None, typer.Option(help="this row only; may be given several times")] = None,
    schedule: Annotated[str | None, typer.Option(help="paper, or short: what two cores can do")] = None,
    stages: Annotated[int | None, typer.Option(help="of the IWAE paper's schedule: stage i has 3^i passes")] = None,
    epochs: Annotated[int | None, typer.Option(help="so many passes: the first of paper's, all of short's")] = None,
    limit: Limit = None,
    test: Annotated[int | None, typer.Option(help="evaluate on the first test images only")] = None,
    samples: Annotated[int | None, typer.Option(help="K of log p(x); the table's own if not given")] = None,
    together: Annotated[
        int | None, typer.Option(help="seeds trained side by side; whatever is faster if not given")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, tf32 or bf16")] = "float32",
    compiled: Annotated[bool, typer.Option("--compile", help="let torch.compile make the kernels")] = False,
    device: Device = None,
) -> None:
    """Make a table of a paper or of the course again, beside the paper's numbers. The same line again goes on.

    Several processes share each batch: torchrun --nproc-per-node 2 -m vaecourse reproduce ...
    """
    with _sentences(limit=limit, test=test, seeds=seeds, together=together):
        from vaecourse import arguments
        from vaecourse import reproduce as reproductions
        from vaecourse import train as training
        from vaecourse.reproduce.processes import joined

        full = reproductions.TABLES[arguments.choice("table", table, list(reproductions.TABLES))].full
        given: dict[str, Any] = {"data": data, "schedule": schedule, "stages": stages, "epochs": epochs}
        given |= {"limit": limit, "test": test, "samples": samples}
        scale = replace(full, **{name: value for name, value in given.items() if value is not None})
        file = Path(f"{table}.json") if to is None else to
        with joined(training.choose_device(device)) as (processes, place):
            machinery = reproductions.Machinery(place, precision, compiled, processes)
            try:
                made = reproductions.make(
                    table, file, scale, seeds, row, together, machinery, progress=processes.leads, tell=typer.echo
                )
            except KeyboardInterrupt:
                typer.echo(f"Interrupted. {files.shown(file)} keeps what is done, and the same line goes on.", err=True)
                raise typer.Exit(130) from None
            if processes.leads:
                typer.echo(f"{made}\n{files.shown(file)} and {files.shown(file.with_suffix('.md'))} hold this.")


@app.command()
def progress(folder: Learner = None) -> None:
    """Say what is solved in each chapter, how often it was tried, and where to go on."""
    with _sentences():
        from vaecourse import checks
        from vaecourse import progress as kept
        from vaecourse.classroom import handin

        place = handin.learners_folder(folder)
        found = kept.read(place)
        if found.told:
            raise ValueError(found.told)
        _say(kept.table(found, list(checks.ALL), handin.chapters(place)))


@app.command("hand-in")
def hand_in(
    folder: Learner = None,
    name: Annotated[str | None, typer.Option(help="yours, as your teacher knows it; asked for if not given")] = None,
    to: Annotated[Path | None, typer.Option(help="the file to write; NAME.vaecourse.json here if not given")] = None,
) -> None:
    """Write one file with your answers, your choices in the quizzes and your progress. Nothing is sent anywhere."""
    with _sentences():
        from vaecourse.classroom import handin

        place = handin.learners_folder(folder)
        name = handin.checked_name(typer.prompt("Your name", default="") if name is None else name)
        _say("\n".join(handin.written(place, name, to)))


@app.command("class")
def class_command(
    folder: Annotated[Path, typer.Argument(help="with many hand-ins, notebooks, or nbgrader's submitted/")],
    to: Annotated[Path, typer.Option(help="the folder of the report")] = Path("class-report"),
    seconds: Annotated[float, typer.Option(help="for one answer", min=1, max=3600)] = 30,
) -> None:
    """Run every answer that was handed in again, and write who solved what and which mistakes were made.

    docs/class.md says how the report is read, and what protects you from what you run.
    """
    with _sentences():
        from vaecourse import classroom

        for line in classroom.written(folder, to, seconds):
            _say(line)


def _say(words: str) -> None:
    """To the terminal, which may have no tick."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    plain = words.replace("✓", "x").replace("·", ".").encode(encoding, "replace").decode(encoding)
    typer.echo(words if words.encode(encoding, "ignore").decode(encoding) == words else plain)


def _first(sets, name: str, limit: int | None):  # type: ignore[no-untyped-def] # vaecourse.data, whose import takes seconds
    """The images of this name, the first ``limit`` of both parts."""
    from vaecourse import arguments

    limit = None if limit is None else arguments.count("limit", limit)
    parts = ("train", "test", "train_labels", "test_labels")
    images = sets.load(name)
    return images._replace(**{part: getattr(images, part)[:limit] for part in parts})


def _room_for(numbers: int) -> None:
    """Raise ``MemoryError`` where a step's decoded images, of so many numbers, and their gradients have no room.

    Asked before any work: a system that promises more memory than it has would end the process in the middle of it.
    """
    needed, here = 8 * numbers, memory()
    if needed > here:
        raise MemoryError(f"{needed / 1e9:.3g} GB are needed at least, and {here / 1e9:.3g} GB are here")


def memory() -> float:
    """Bytes of this machine, or of its part that a container has; infinitely many where nobody says."""
    found = []
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Windows has no sysconf
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):  # "max"
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min((size for size in found if size > 0), default=math.inf)


@contextlib.contextmanager
def _sentences(**sizes: int | None) -> Iterator[None]:
    """What goes wrong for a reason that a person can mend is said in a sentence, without a traceback.

    ``sizes`` are the options that memory is taken for. Any other error is a mistake of ours, and keeps its traceback.
    """
    try:
        yield
    except (ValueError, TypeError, OSError, FloatingPointError) as failure:
        typer.echo(f"error: {foreign.plain(failure, 5000)}", err=True)
        raise typer.Exit(2) from failure
    except (RuntimeError, MemoryError) as failure:
        from vaecourse import arguments

        if not arguments.is_of_memory(failure):
            raise
        given = ", ".join(f"{name} = {value}" for name, value in sizes.items() if value is not None)
        reason = foreign.plain(failure) or "Python got no more"
        typer.echo(f"error: {given} must be smaller: there is not memory enough for them ({reason}).", err=True)
        raise typer.Exit(2) from failure
