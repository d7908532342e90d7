"""Scan: every file of a model is weighed once, recognised by content, read by all engines, and gets a row in the ledger."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from weighlock import clock, predicates, previous, remedies, sarif, usercache, waivers
from weighlock.config import NAME, ScanPolicy, config_for
from weighlock.errors import InputError, UnfinishedError
from weighlock.inputs import VerifierInputs, option, output
from weighlock.jsonio import Json, canonical
from weighlock.ledger import Ledger, Row
from weighlock.model import Entry, Model, walk, weigh
from weighlock.oci import Digest
from weighlock.scanners import Scanner, Severity, Verdict, cache, outside, rounds, strict
from weighlock.scanners.cache import Cache, Cached
from weighlock.scanners.files import Examiner, Inside, Weighed
from weighlock.scanners.isolation import Engine, Isolated
from weighlock.scanners.modelscan_engine import ModelScan
from weighlock.scanners.outside import Joined
from weighlock.scanners.pickles.profiles import known
from weighlock.scanners.sniff import Sniffer
from weighlock.scanners.strict import Strict
from weighlock.stages import Context, Problem, verify
from weighlock.text import counted, printable

SCANNERS: dict[str, Callable[[], Scanner]] = {"strict": Strict, "modelscan": ModelScan}
"""The engines; each reads every blob. `strict` owns coverage, so it is not optional."""
CACHE_HELP = "take what earlier scans found in the same bytes from the user's cache (default: yes, in CI no)"
PREVIOUS_HELP = "release whose scan result holds for files that are the same under the same rules, if it verifies"
ENGINES_HELP = f"further engines, one NAME or NAME=PYTHON a line: {', '.join(outside.NAMES)}"
SHOWN = 8  # reasons a file in the text for people; the ledger has them all


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What to scan, and where to write what was found; whom to trust for an earlier release."""

    path: Path = option("the model: a folder, or one file", positional=True, metavar="PATH")
    report: Path | None = option("write the ledger to this file (JSON)", default=None, metavar="FILE")
    sarif: Path | None = option("write the findings to this file (SARIF 2.1.0)", default=None, metavar="FILE")
    fail_on: Severity | None = option(
        "lowest severity that is unsafe: low, medium, high or critical (default: the policy's, else low)",
        default=None,
        metavar="SEVERITY",
    )
    predicate: Path | None = option("write the predicate for `attest` to this file", default=None, metavar="FILE")
    config: Path | None = option(
        "file with the policy (default: weighlock.yml, where there is one)", default=None, metavar="FILE"
    )
    cache: bool | None = option(CACHE_HELP, default=None)
    engines: tuple[str, ...] = option(ENGINES_HELP, default=(), metavar="NAME[=PYTHON]")
    previous: str = option(PREVIOUS_HELP, default="", metavar="TARGET")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The verdict, the ledger behind it, and its counts."""

    ledger: Ledger
    verdict: str = output("safe, review, unscanned or unsafe")
    files: int = output("number of files in the model")
    findings: int = output("number of findings")
    report: Path | None = output("the ledger's file, where one was asked for")
    sarif: Path | None = output("the SARIF file, where one was asked for")
    predicate_digest: str = output("sha256 digest of the predicate's file, where one was asked for", default="")

    @property
    def passed(self) -> bool:
        """Tell whether every file is safe."""
        return self.ledger.passed

    def data(self) -> Json:
        """Return the ledger."""
        return self.ledger.to_json()

    def text(self) -> str:
        """Return the verdict and, for each file that is not safe, what it is and why."""
        held = [row for row in self.ledger.rows if row.verdict is not Verdict.SAFE]
        lines = [f"{self.verdict}: {counted(len(self.ledger.rows), 'file')}, {len(held)} not safe"]
        for row in sorted(held, key=lambda row: (-row.verdict, row.path)):
            lines.append(f"\n{row.verdict.name.lower():<9} {printable(row.path)} ({row.format})")
            reasons = row.reasons()
            lines.extend(f"          - {printable(reason, 600)}" for reason in reasons[:SHOWN])
            lines.extend(["          - …"] if len(reasons) > SHOWN else [])
            lines.append(f"          {remedies.of(row)}")
            lines.extend(_approval(row))
        return "\n".join(lines) + "\n"

    def problems(self) -> Sequence[Problem]:
        """Return one problem a file that is not safe, worst first."""
        held = sorted(
            (row for row in self.ledger.rows if row.verdict is not Verdict.SAFE), key=lambda row: -row.verdict
        )
        return [
            Problem(row.path, f"{row.verdict.name.lower()}: {printable('; '.join(row.reasons()), 600)}") for row in held
        ]


def run(inputs: Inputs, context: Context) -> Outputs:
    """Scan the model at `inputs.path` and write the reports that were asked for."""
    rules = policy(inputs.path, inputs.config, inputs.fail_on, context.say)
    attested = _attested(inputs, context) if inputs.previous else ()
    _, ledger = scan_as_told(inputs.path, rules, context, keep=inputs.cache, engines=inputs.engines, attested=attested)
    if inputs.predicate:
        _write(inputs.predicate, predicates.scan_result(ledger, finished=clock.now()))
    outputs = report(ledger, inputs.report, inputs.sarif)
    return dataclasses.replace(outputs, predicate_digest=_digest(inputs.predicate))


def _attested(inputs: Inputs, context: Context) -> Sequence[Json]:
    """Return the scan results of the release that `previous` names, once it is verified."""
    try:
        return verify.scan_results(inputs.previous, inputs.enforced(), context.say, plain_http=inputs.plain_http)
    except ModuleNotFoundError as error:
        raise UnfinishedError(
            f"the release that `previous` names cannot be verified: {error}",
            remedy="Install weighlock with the extra `rescan`, or scan without `previous`.",
        ) from None


def report(ledger: Ledger, file: Path | None, sarif_file: Path | None = None) -> Outputs:
    """Write the ledger, and the findings as SARIF, to the files that are given, and return both as outputs."""
    _write(file, ledger.to_json())
    _write(sarif_file, sarif.log(ledger))
    findings = sum(len(report.findings) for row in ledger.rows for report in row.reports)
    return Outputs(ledger, ledger.verdict.name.lower(), len(ledger.rows), findings, file, sarif_file)


def scan_as_told(
    path: Path,
    rules: ScanPolicy,
    context: Context,
    *,
    keep: bool | None,
    engines: Sequence[str],
    attested: Sequence[Json] = (),
) -> tuple[Model, Ledger]:
    """Scan with the cache and the further engines that the inputs of a stage ask for; see `scan_model`."""
    kept = usercache.folder(context.environ, "scan") if usercache.wanted(keep, context.environ) else None
    with ExitStack() as stack:
        more = outside.chosen(engines, context.environ, stack)
        return scan_model(path, policy=rules, say=context.say, kept=kept, more=more, attested=attested)


def scan_model(  # noqa: PLR0913 - all but the path go by name
    path: Path,
    *,
    policy: ScanPolicy | None = None,
    scanners: Sequence[Scanner] | None = None,
    say: Callable[[str], None] = lambda _words: None,
    kept: Path | None = None,
    more: Sequence[Scanner] = (),
    attested: Sequence[Json] = (),
) -> tuple[Model, Ledger]:
    """Weigh and scan the model at `path`; return its files and the ledger with one row for each.

    The engines run in a process of their own; those that are given as `scanners` run in this one. Those that
    are `more` see whole files and can only make a verdict worse. Results are kept in the folder `kept`, and taken from it;
    they are taken, too, from scan results that somebody whom the caller trusts has `attested` (see `previous`).

    Raises `InputError` for what the walk refuses and `UnfinishedError` for a file that changes meanwhile. What the
    files hold never raises: it is in the ledger.
    """
    rules = policy or ScanPolicy()
    files = [_weigh(entry) for entry in walk(path)]
    sizes = {item.file.path: item.file.size for item in files}
    with _examiner(rules, sizes, scanners) as own:
        inner = Joined(own, more, rules.fail_on) if more else own
        facts = _facts(inner, rules)
        conditions = Digest.of(canonical(facts))
        earlier = previous.known(attested, conditions)
        examiner = Cached(inner, Cache(kept, facts, say) if kept else None, sizes, earlier)
        rows: list[Row] = []
        for item in rounds.recognised(files, examiner):
            file = item.file
            say(f"scanning {len(rows) + 1} of {len(files)}: {printable(file.path)}")
            found = rounds.examined(item, examiner)
            file.open().close()  # refuses a file that changed while the engines read it
            rows.append(
                Row(file.path, file.size, file.digest, item.format, found.verdict, found.reports, asked=found.asked)
            )
        if attested:
            say(f"{counted(examiner.vouched(), 'file')} of {len(files)} taken from the earlier scan result")
    applied = waivers.apply(Ledger(tuple(rows), conditions), rules, dt.datetime.now(dt.timezone.utc).date())
    for note in applied.notes:
        say(f"{NAME}, {note}")
    return Model(path.resolve().name, tuple(item.file for item in files)), applied.ledger


def policy(path: Path, file: Path | None, fail_on: Severity | None, say: Callable[[str], None]) -> ScanPolicy:
    """Return the scan's policy of the file that `config_for` finds; `fail_on` goes before it."""
    return checked(config_for(path, file, say).scan, fail_on)


def checked(policy: ScanPolicy, fail_on: Severity | None) -> ScanPolicy:
    """Return the policy with `fail_on`, where it is given; `InputError` for a profile that there is not."""
    if unknown := set(policy.profiles or ()) - known():
        raise InputError(
            f"{NAME}: there is no profile '{printable(min(unknown))}'",
            remedy=f"Profiles: {', '.join(sorted(known()))}.",
        )
    return policy if fail_on is None else dataclasses.replace(policy, fail_on=fail_on)


def _approval(row: Row) -> list[str]:
    """Return the lines that would let a file pass which only a person can judge."""
    wanted = waivers.lines(row)
    return (
        [f"          or answer for it in {NAME}, under scan.waivers:", *(f"          {line}" for line in wanted)]
        if wanted
        else []
    )


def _weigh(entry: Entry) -> Weighed:
    sniffer = Sniffer()
    file = weigh(entry, [sniffer])
    return Weighed(file, sniffer.text)


def _examiner(
    rules: ScanPolicy, sizes: Mapping[str, int], scanners: Sequence[Scanner] | None
) -> AbstractContextManager[Examiner]:
    if scanners is not None:
        return nullcontext(Inside(scanners, rules.fail_on, sizes))
    engines = [Engine.of(make, **(_chosen(rules) if name == strict.NAME else {})) for name, make in SCANNERS.items()]
    return Isolated(engines, rules.fail_on, sizes)


def _chosen(rules: ScanPolicy) -> Json:
    """Return the allow-lists that a policy chose for pickles, as `Strict` takes them."""
    chosen: Json = {} if rules.profiles is None else {"profiles": list(rules.profiles)}
    return {**chosen, "names": list(rules.globals)} if rules.globals else chosen


def _facts(examiner: Examiner, rules: ScanPolicy) -> Json:
    """Return what results depend on beside the files; waivers are not of it, they come later."""
    return {
        "engines": [list(engine) for engine in examiner.engines()],
        "fail_on": rules.fail_on.name,
        "profiles": None if rules.profiles is None else list(rules.profiles),
        "globals": list(rules.globals),
        "rules": cache.rules(),
        "installed": cache.installed(),
    }


def _write(path: Path | None, document: Json) -> None:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n")


def _digest(path: Path | None) -> str:
    return str(Digest.of(path.read_bytes())) if path else ""
